"""Runs compiled pipelines by `kfp.local`; started by the interpreter of an environment with kfp.

Reads lines of JSON `{"yaml", "parameters", "folder"}`, and answers each with a line
`{"outputs"}` or `{"error"}`.
"""

import contextlib
import importlib
import json
import os
import sys
import warnings
from typing import Any

warnings.simplefilter("ignore")


def plain(value: Any) -> Any:
    """Artifacts by where they lie."""
    if hasattr(value, "uri"):
        return {"uri": value.uri, "metadata": dict(value.metadata or {})}
    return [plain(item) for item in value] if isinstance(value, list) else value


def main() -> None:
    components = importlib.import_module("kfp.components")
    local = importlib.import_module("kfp.local")

    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        order = json.loads(line)
        local.init(
            runner=local.SubprocessRunner(use_venv=False),
            pipeline_root=order["folder"],
            raise_on_error=True,
        )
        os.chdir(order["folder"])
        try:
            with contextlib.redirect_stdout(sys.stderr):
                loaded = components.load_component_from_text(order["yaml"])
                task = loaded(**order["parameters"])
            answer: dict[str, Any] = {
                "outputs": {name: plain(value) for name, value in task.outputs.items()}
            }
        except Exception as error:  # noqa: BLE001 - told to whoever asked
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=told, flush=True)


if __name__ == "__main__":
    main()
