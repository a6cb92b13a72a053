"""`python -m kfp.dsl.executor_main`: what a component's container starts."""

import argparse
import importlib.util
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from .executor import Executor


def main() -> None:
    """Load the component's file, and call its function."""
    parser = argparse.ArgumentParser(description="Runs the function of a component.")
    parser.add_argument("--component_module_path", required=True)
    parser.add_argument("--function_to_execute", required=True)
    parser.add_argument("--executor_input", required=True)
    given, _ = parser.parse_known_args()
    place = Path(given.component_module_path)
    sys.path.insert(0, str(place.parent))
    found = importlib.util.spec_from_file_location(place.stem, place)
    if found is None or found.loader is None:
        raise SystemExit(f"{place} is no Python file.")
    module = importlib.util.module_from_spec(found)
    sys.modules[place.stem] = module
    found.loader.exec_module(module)
    said = given.executor_input
    text = Path(said[1:]).read_text("utf-8") if said.startswith("@") else said
    try:
        Executor(json.loads(text), getattr(module, given.function_to_execute)).run()
    except Exception as error:
        _tell(error, str(place))
        raise


def _tell(error: Exception, file: str) -> None:
    """Say why the function failed, to whoever started this process and asked for it."""
    if not (told := os.environ.get("ATHANOR_FAILURE")):
        return
    own = [item for item in traceback.extract_tb(error.__traceback__) if item.filename == file]
    said: dict[str, Any] = {"type": type(error).__name__, "message": str(error)}
    said |= {"line": own[-1].lineno, "source": own[-1].line} if own else {}
    Path(told).write_text(json.dumps(said), "utf-8")


if __name__ == "__main__":
    main()
