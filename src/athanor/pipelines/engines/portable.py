"""Runs one step where there is nothing of ours: on Kubeflow, Vertex AI, kfp.local, in an image.

It goes along with each compiled step as text, so it needs Python alone, and the libraries of the
values that the step takes and gives. Its arguments are those of Kubeflow's executor:

    python3 portable.py --component_module_path STEP.py --executor_input JSON|@FILE
        --function_to_execute NAME --athanor_step JSON
"""

import dataclasses
import importlib
import importlib.util
import inspect
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import traceback
import typing
from collections.abc import Callable
from pathlib import Path, PurePath
from types import ModuleType, TracebackType
from typing import Any

MODULE = "athanor_step"
MARK = "athanor"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ARROW_IO_THREADS")
MOUNTS = {"gs://": "/gcs/", "s3://": "/s3/", "minio://": "/minio/"}
MODELS = {"sklearn", "lightgbm", "xgboost"}
STATUS = ("state", "pipeline_job_resource_name", "pipeline_task_name")


def main(words: list[str]) -> None:
    """Run the step that the words name; exit status 1 where it fails."""
    given = dict(zip(words[::2], words[1::2], strict=False))
    settings = json_of(given["--athanor_step"])
    told = json_of(given["--executor_input"])
    threads = str(settings.get("threads") or 1)
    os.environ.update(dict.fromkeys(THREADS, threads))
    name = given["--function_to_execute"]
    source = Path(given["--component_module_path"])
    try:
        function = load(source, settings, name)
        seed(settings.get("seed") or 0)
        if settings.get("timeout"):
            signal.signal(signal.SIGALRM, too_long(name, settings["timeout"]))
            signal.setitimer(signal.ITIMER_REAL, settings["timeout"])
        value = function(**arguments(function, told["inputs"]))
        store(value, settings.get("outputs") or [], told["outputs"], name)
    except Exception as error:  # noqa: BLE001 - told in the step's log
        own = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(source)]
        traceback.print_exception(type(error), error, skip(error.__traceback__, str(source)))
        last = own[-1] if own else None
        if os.environ.get("ATHANOR_FAILURE"):
            said: dict[str, Any] = {"type": type(error).__name__, "message": str(error)}
            said |= {"line": last.lineno, "source": last.line} if last else {}
            Path(os.environ["ATHANOR_FAILURE"]).write_text(json.dumps(said), "utf-8")
        place = f" (line {own[-1].lineno} of its source: {own[-1].line})" if own else ""
        print(f"Step {name!r} failed{place}: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None


def json_of(said: str) -> Any:
    """JSON, or that in a file named behind an @."""
    return json.loads(Path(said[1:]).read_text("utf-8") if said[:1] == "@" else said)


def stand_in() -> None:
    """The names of ours that a step may mention in its hints, where we are not installed."""
    if importlib.util.find_spec("athanor") is None:
        fields = [*STATUS, "error_code", "error_message"]
        kind = dataclasses.make_dataclass("FinalStatus", fields, kw_only=True)
        sys.modules["athanor"] = ModuleType("athanor")
        vars(sys.modules["athanor"])["FinalStatus"] = kind


def load(source: Path, settings: dict[str, Any], name: str) -> Callable[..., Any]:
    """The function of this name, with the modules that come along with it."""
    stand_in()
    folder = Path(tempfile.mkdtemp())
    for path, text in (settings.get("modules") or {}).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
    sys.path.insert(0, str(folder))
    module = ModuleType(MODULE)
    module.__file__ = str(source)
    sys.modules[MODULE] = module
    exec(compile(source.read_text("utf-8"), str(source), "exec"), module.__dict__)  # noqa: S102 - the step itself
    function = getattr(module, name)
    found: Callable[..., Any] = getattr(function, "function", function)
    return found


def seed(number: int) -> None:
    """Start random numbers at the same place each time."""
    random.seed(number)
    if "numpy" in sys.modules or MODELS & sys.modules.keys():
        importlib.import_module("numpy").random.seed(number % 2**32)


def arguments(function: Callable[..., Any], inputs: dict[str, Any]) -> dict[str, Any]:
    """What the function is called with."""
    try:
        hints = typing.get_type_hints(function)
    except Exception:  # noqa: BLE001 - hints that can't be worked out are only less precise
        hints = getattr(function, "__annotations__", {})
    parameters, artifacts = inputs.get("parameterValues") or {}, inputs.get("artifacts") or {}
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        hint = hints.get(name)
        items = (artifacts.get(name) or {}).get("artifacts")
        if name in parameters:
            found[name] = plain(parameters[name], hint)
        elif items:
            many = typing.get_origin(hint) is list
            inner = (typing.get_args(hint) or (None,))[0] if many else hint
            values = [read(item, inner) for item in items]
            found[name] = values if many or len(values) > 1 else values[0]
        elif parameter.default is parameter.empty:
            found[name] = None
    return found


def plain(value: Any, hint: Any) -> Any:
    """A parameter as the hint has it. Kubeflow hands whole numbers in lists on as 1.0."""
    if getattr(hint, "__name__", "") in {"FinalStatus", "PipelineTaskFinalStatus"}:
        error = value.get("error") or {}
        names = {key: value.get(key, value.get(camel(key), "")) for key in STATUS}
        return hint(**names, error_code=error.get("code"), error_message=error.get("message"))
    if hint is float and isinstance(value, int):
        return float(value)
    if isinstance(value, (list, dict)):
        value = whole(value, float in typing.get_args(hint))
    return tuple(value) if hint is tuple and isinstance(value, list) else value


def whole(value: Any, floats: bool) -> Any:  # noqa: FBT001
    """Whole numbers as ints, in lists and mappings too."""
    if isinstance(value, list):
        return [whole(item, floats) for item in value]
    if isinstance(value, dict):
        return {name: whole(item, floats) for name, item in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() and not floats else value


def camel(name: str) -> str:
    """A name as JSON of the protocol writes it."""
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def place_of(artifact: dict[str, Any]) -> Path:
    """Where an artifact lies, by the mounts that Kubeflow and Vertex AI give."""
    uri = artifact.get("path") or artifact.get("uri") or ""
    for mark, mount in MOUNTS.items():
        if uri.startswith(mark):
            return Path(mount + uri.removeprefix(mark))
    return Path(uri.removeprefix("file://"))


def read(artifact: dict[str, Any], hint: Any) -> Any:
    """The value of an artifact as the hint wants it."""
    path, said = place_of(artifact), (artifact.get("metadata") or {}).get(MARK) or {}
    wanted = [item for item in (hint, *typing.get_args(hint)) if isinstance(item, type)]
    if any(issubclass(item, PurePath) for item in wanted):
        return named(path, said.get("file"))
    root = wanted[0].__module__.split(".")[0] if wanted else ""
    kind = said.get("type") or ("model" if (path / "MLmodel").exists() else "table")
    if said.get("materializer"):
        return materializer(said["materializer"]).load(path, said, wanted[0] if wanted else object)
    if kind == "value":
        return json.loads(path.read_text("utf-8"))
    if kind == "model":
        return (
            importlib.import_module("athanor.registry.packaging.materializer")
            .ModelMaterializer()
            .load(path, said, wanted[0] if wanted else object)
        )
    if kind != "table":
        return named(path, said.get("file"))
    table = importlib.import_module("pyarrow.parquet").read_table(path)
    if root == "pyarrow":
        return table
    return (
        importlib.import_module("polars").from_arrow(table)
        if root == "polars"
        else table.to_pandas()
    )


def named(path: Path, name: str | None) -> Path:
    """A copy of a file under its own name."""
    if not name or not path.is_file():
        return path
    target = Path(tempfile.mkdtemp()) / name
    shutil.copyfile(path, target)
    return target


def store(value: Any, names: list[str], outputs: dict[str, Any], step: str) -> None:
    """Write what the function returned, and the protocol's ExecutorOutput."""
    parameters, artifacts = outputs.get("parameters") or {}, outputs.get("artifacts") or {}
    values = parts(value, names, [*parameters, *artifacts], step)
    result: dict[str, dict[str, Any]] = {"parameterValues": {}, "artifacts": {}}
    for name in parameters:
        if values.get(name) is not None:
            result["parameterValues"][name] = simple(values[name])
    for name, given in artifacts.items():
        if values.get(name) is None:
            continue
        many = values[name] if isinstance(values[name], list) else [values[name]]
        first = given["artifacts"][0]
        told = []
        for number, item in enumerate(many):
            uri = first["uri"] + (f"-{number}" if number else "")
            path = place_of({"uri": uri})
            path.parent.mkdir(parents=True, exist_ok=True)
            told.append(
                {"name": name, "uri": uri, "metadata": {MARK: write(item, path, name, step)}}
            )
        result["artifacts"][name] = {"artifacts": told}
    target = Path(outputs["outputFile"])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result), "utf-8")


def parts(value: Any, names: list[str], wanted: list[str], step: str) -> dict[str, Any]:
    """What was returned, by output."""
    if not names:
        return {wanted[0]: value} if wanted else {}
    if isinstance(value, dict):
        return {name: value.get(name) for name in names}
    if isinstance(value, (tuple, list)):
        if len(value) != len(names):
            raise ValueError(f"{step} returned {len(value)} values, and its hint names {names}")
        return dict(zip(names, value, strict=True))
    return {name: getattr(value, name, None) for name in names}


def simple(value: Any) -> Any:
    """NumPy's numbers, and tuples and sets, as JSON has them."""
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, dict):
        return {str(name): simple(item) for name, item in value.items()}
    return [simple(item) for item in value] if isinstance(value, (list, tuple, set)) else value


def write(value: Any, path: Path, name: str, step: str) -> dict[str, Any]:
    """Store one artifact; returns how to read it."""
    root, kind = type(value).__module__.split(".")[0], type(value).__name__
    if isinstance(value, PurePath):
        source = Path(value)
        if source.is_dir():
            shutil.copytree(source, path, dirs_exist_ok=True)
            return {"type": "folder"}
        shutil.copyfile(source, path)
        return {"type": "file", "file": source.name}
    if (root, kind) in {("pandas", "DataFrame"), ("polars", "DataFrame"), ("pyarrow", "Table")}:
        arrow = importlib.import_module("pyarrow")
        table = value if root == "pyarrow" else None
        if table is None:
            table = value.to_arrow() if root == "polars" else arrow.Table.from_pandas(value)
        importlib.import_module("pyarrow.parquet").write_table(table, path)
        return {"type": "table", "file": "data.parquet"}
    if root in MODELS:
        path.mkdir(parents=True, exist_ok=True)
        found = importlib.import_module(
            "athanor.registry.packaging.materializer"
        ).ModelMaterializer()
        return {**found.save(value, path), "type": "model"}
    for origin in filter(None, os.environ.get("ATHANOR_MATERIALIZERS", "").split(",")):
        if materializer(origin).handles(type(value)):
            path.mkdir(parents=True, exist_ok=True)
            return {**materializer(origin).save(value, path), "materializer": origin}
    try:
        text = json.dumps(simple(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError):
        raise TypeError(
            f"{step} returned a {root}.{kind} as {name!r}, and nothing stores that type (it is not "
            "pickled): return a table, a model, a JSON value or a pathlib.Path"
        ) from None
    path.write_text(text, "utf-8")
    return {"type": "value", "file": "value.json"}


def materializer(origin: str) -> Any:
    """The object that `module:Class` makes."""
    module, _, name = origin.partition(":")
    return getattr(importlib.import_module(module), name)()


def skip(trace: TracebackType | None, file: str) -> TracebackType | None:
    """The traceback from the first line of the step's own source on."""
    here = trace
    while here is not None and here.tb_frame.f_code.co_filename != file:
        here = here.tb_next
    return here or trace


def too_long(name: str, seconds: float) -> Callable[..., None]:
    """What ends the process at its time limit."""

    def stop(*_: object) -> None:
        print(f"Step {name!r} was stopped after its time limit of {seconds:g} s.", file=sys.stderr)  # noqa: T201
        os._exit(124)

    return stop


if __name__ == "__main__":
    main(sys.argv[1:])
