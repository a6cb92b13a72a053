"""A step that wants packages of its own: run by the portable runtime in an environment of its own.

Values pass as files; what it gives is stored by this process, so that equal work gives equal
digests, whichever way it was run.
"""

import importlib
import json
import os
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

from athanor.kernel.environments import environment_with
from athanor.pipelines.engines.local.exchange import GivenArtifact, MadeArtifact, Order, Result
from athanor.pipelines.engines.local.parameters import fitted_output
from athanor.pipelines.engines.local.values import ArtifactFiles
from athanor.pipelines.errors import BadStep, StepFailed
from athanor.pipelines.logic.values import shown

PORTABLE = Path(__file__).parents[1] / "portable.py"
_PARQUET = "pyarrow.parquet"
_TABLES = {"table", "dataset"}


def attempt(place: Path, order: Order) -> Result:
    """Run the step in its environment. Raises: NoEnvironment, StepFailed, BadStep."""
    files = ArtifactFiles(place, order)
    embedded = order.embedded
    python = environment_with(Path(order.environments), embedded.packages, whose=repr(order.step))
    source = place / "ephemeral_component.py"
    source.write_text(embedded.source, "utf-8")
    told = _executor_input(place, order, files)
    given = place / "executor_input.json"
    given.write_text(json.dumps(told), "utf-8")
    settings = asdict(embedded)
    for name in ("source", "function", "file", "lines", "timeout"):
        del settings[name]
    failure = place / "failure.json"
    words = [
        *(str(python), "-P", str(PORTABLE)),
        *("--component_module_path", str(source)),
        *("--executor_input", f"@{given}"),
        *("--function_to_execute", embedded.function),
        *("--athanor_step", json.dumps(settings)),
    ]
    done = subprocess.run(
        words, check=False, env=os.environ | {"ATHANOR_FAILURE": str(failure)}, cwd=place
    )
    if done.returncode:
        raise _failed(order, failure, done.returncode)
    return _result(place, order, files)


def _executor_input(place: Path, order: Order, files: ArtifactFiles) -> dict[str, Any]:
    made = place / "made"
    return {
        "inputs": {
            "parameterValues": order.parameters,
            "artifacts": {
                name: {
                    "artifacts": [
                        _given(place, files, name, i, item) for i, item in enumerate(items)
                    ]
                }
                for name, items in order.artifacts.items()
            },
        },
        "outputs": {
            "parameters": {name: {} for name in order.output_parameters},
            "artifacts": {
                name: {"artifacts": [{"name": name, "uri": str(made / name)}]}
                for name in order.output_artifacts
            },
            "outputFile": str(place / "executor_output.json"),
        },
    }


def _given(
    place: Path, files: ArtifactFiles, name: str, number: int, item: GivenArtifact
) -> dict[str, Any]:
    unique = f"{name}-{number}" if number else name
    kind = "table" if item.type in _TABLES else item.type
    if kind == "table":
        arrow = importlib.import_module("pyarrow")
        path = place / "inputs" / f"{unique}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        table = files.load(unique, [item], arrow.Table)
        importlib.import_module(_PARQUET).write_table(table, path)
    else:
        path = files.path_of(unique, item)
    said = {"type": kind, "file": item.metadata.get("file")}
    return {"name": name, "uri": str(path), "metadata": {"athanor": said}}


def _result(place: Path, order: Order, files: ArtifactFiles) -> Result:
    told = json.loads((place / "executor_output.json").read_text("utf-8"))
    values = told.get("parameterValues") or {}
    parameters = {
        name: fitted_output(values.get(name), kind, order.step, name)
        for name, kind in order.output_parameters.items()
    }
    artifacts: dict[str, list[MadeArtifact]] = {}
    for name, kind in order.output_artifacts.items():
        items = (told.get("artifacts") or {}).get(name, {}).get("artifacts") or []
        artifacts[name] = [
            files.save(f"{name}-{number}" if number else name, _value(place, item), kind)
            for number, item in enumerate(items)
        ]
    return Result(parameters=parameters, artifacts={k: v for k, v in artifacts.items() if v})


def _value(place: Path, item: dict[str, Any]) -> Any:
    path = Path(item["uri"])
    said = item["metadata"]["athanor"]
    if said["type"] == "table":
        return importlib.import_module(_PARQUET).read_table(path)
    if said["type"] == "value":
        return json.loads(path.read_text("utf-8"))
    if said["type"] in {"file", "folder"}:
        if not said.get("file"):
            return path
        named = place / "named" / path.name / str(said["file"])
        named.parent.mkdir(parents=True, exist_ok=True)
        path.replace(named)
        return named
    raise BadStep(
        f"A {said['type']} can't come out of an environment of its own.",
        hint="Return it from a step without packages, or return a file.",
    )


def _failed(order: Order, failure: Path, status: int) -> StepFailed:
    given = {name: shown(value) for name, value in order.parameters.items()}
    try:
        told = json.loads(failure.read_text("utf-8"))
    except (OSError, ValueError):
        cause = f"its process ended with exit status {status}"
        if status < 0:
            cause = f"its process was ended by signal {-status}"
        return StepFailed(order.step, cause, details={"type": "ExitStatus", "inputs": given})
    line = told.get("line")
    starts = [pair for pair in order.embedded.lines if line and pair[0] <= line]
    if starts:
        start = max(starts)
        line = line - start[0] + start[1]
    details = {
        "type": told["type"],
        "file": order.embedded.file,
        "line": line,
        "source": told.get("source", ""),
        "inputs": given,
    }
    return StepFailed(order.step, f"{told['type']}: {told['message']}"[:2000], details=details)
