"""A step that was written for Kubeflow, in a process of its own.

A lightweight component's function is called right here, with the part of `kfp` that it imports
(`athanor.pipelines.kubeflow.runtime`) in its import path; one that wants packages runs in an
environment of its own. A command is run as it stands, as a child of this process.
"""

import contextlib
import importlib
import json
import linecache
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from msgspec import UNSET

from athanor.kernel.environments import bare_python, environment_with
from athanor.kernel.errors import AthanorError
from athanor.kernel.storage import Blob, Storage
from athanor.lineage import file_digest, folder_digest
from athanor.pipelines.engines.local.exchange import (
    Foreign,
    GivenArtifact,
    MadeArtifact,
    Order,
    Result,
)
from athanor.pipelines.engines.local.parameters import fitted_output
from athanor.pipelines.engines.local.values import ArtifactFiles
from athanor.pipelines.errors import BadStep, StepFailed, cause_of
from athanor.pipelines.ir.spec import ContainerSpec
from athanor.pipelines.logic.code import digest_of
from athanor.pipelines.logic.containers import Lightweight, command_line
from athanor.pipelines.logic.values import converted

RUNTIME = Path(__file__).parents[2] / "kubeflow" / "runtime"
"""The folder that holds the steps' `kfp`."""
MODULE = "ephemeral_component"
MADE = "made"
"""Where outputs are written, in the attempt's folder. They stay there as long as the run's folder
does, since a step may hand on the address of an artifact as a text."""
_KINDS = {
    "system.Model": "model",
    "system.Metrics": "metrics",
    "system.ClassificationMetrics": "metrics",
    "system.SlicedClassificationMetrics": "metrics",
    "system.HTML": "report",
    "system.Markdown": "report",
}
_PARQUET = b"PAR1"
_MODEL_FILE = "MLmodel"
_NOT_FOUND = 127
_SHELL = "sh"
NOT_WRITTEN = "not-written"
"""What the path of an input ends with whose file was never written."""
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
"""Colours of a notebook's traceback."""


def attempt(place: Path, order: Order, foreign: Foreign) -> Result:
    """Run the step; outputs are stored by content.

    Raises: StepFailed, BadStep, and what making an environment raises.
    """
    files = ArtifactFiles(place, order)
    told = _executor_input(place, order, foreign, files)
    function = foreign.function
    if function is None:
        _command(place, order, foreign, told)
    elif function.packages:
        _in_environment(place, order, foreign, function, told)
    else:
        _here(order, function, told)
    return _result(place, order, foreign, files.storage)


def _executor_input(
    place: Path, order: Order, foreign: Foreign, files: ArtifactFiles
) -> dict[str, Any]:
    """The protocol's ExecutorInput, with paths in the attempt's folder."""
    outputs = place / MADE
    for folder in (outputs, place / "parameters"):
        folder.mkdir(parents=True, exist_ok=True)
    return {
        "inputs": {
            "parameterValues": order.parameters,
            "artifacts": {
                name: {
                    "artifacts": [
                        _given(files, foreign, name, number, item)
                        for number, item in enumerate(items)
                    ]
                }
                for name, items in order.artifacts.items()
            },
        },
        "outputs": {
            "parameters": {
                name: {"outputFile": str(place / "parameters" / name)}
                for name in order.output_parameters
            },
            "artifacts": {
                name: {
                    "artifacts": [
                        {
                            "name": name,
                            "type": {"schemaTitle": foreign.schemas.get(name, "system.Artifact")},
                            "uri": str(outputs / name),
                            "metadata": {},
                        }
                    ]
                }
                for name in order.output_artifacts
            },
            "outputFile": str(place / "executor_output.json"),
        },
    }


def _given(
    files: ArtifactFiles, foreign: Foreign, name: str, number: int, item: GivenArtifact
) -> dict[str, Any]:
    title = str(item.metadata.get("schema") or foreign.schemas.get(name) or "system.Artifact")
    uri = item.uri.removeprefix("file://")
    path = uri
    if item.metadata.get("blob") is not None:
        path = str(files.path_of(f"{name}-{number}" if number else name, item))
        location = str(item.metadata.get("location", ""))
        uri = location if location and Path(location).exists() else path
    elif not uri:  # metadata alone: whoever opens it is told which input it was
        path = uri = str(files.folder_of(name) / NOT_WRITTEN)
    return {
        "name": item.metadata.get("name") or name,
        "type": {"schemaTitle": title},
        "uri": uri,
        "path": path,
        "metadata": item.metadata.get("properties") or {},
    }


def _here(order: Order, lightweight: Lightweight, told: dict[str, Any]) -> None:
    """Call the function in this process."""
    sys.path.insert(0, str(RUNTIME))
    os.environ["_KFP_RUNTIME"] = "true"
    file = f"<{lightweight.function}>"
    lines = lightweight.source.splitlines(keepends=True)
    linecache.cache[file] = (len(lightweight.source), None, lines, file)
    module = ModuleType(MODULE)
    module.__file__ = file
    sys.modules[MODULE] = module
    try:
        exec(compile(lightweight.source, file, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - the step itself
        function = getattr(module, lightweight.function, None)
        if function is None:
            raise BadStep(
                f"The step's source does not define {lightweight.function!r}.",
                hint="Compile the pipeline anew.",
            )
        importlib.import_module("kfp.dsl.executor").Executor(told, function).run()
    except AthanorError:
        raise
    except BaseException as error:  # KeyboardInterrupt, too
        if not isinstance(error, SystemExit) or error.code not in {None, 0}:
            raise _failure(order.step, error, file) from error


def _failure(step: str, error: BaseException, file: str) -> StepFailed:
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file
    ]
    last = frames[-1] if frames else None
    cause = cause_of(error)
    opened = Path(str(getattr(error, "filename", None) or ""))
    if isinstance(error, FileNotFoundError) and opened.name == NOT_WRITTEN:
        cause = f"its input {opened.parent.name!r} has no file: the task that made it wrote none"
    if isinstance(error, SystemExit):
        cause = f"it called sys.exit({error.code!r})"
    details = {
        "type": type(error).__name__,
        "file": file if last else "",
        "line": last.lineno if last else None,
        "source": (last.line or "").strip() if last else "",
    }
    return StepFailed(step, cause[:2000], details=details)


def _in_environment(
    place: Path, order: Order, foreign: Foreign, lightweight: Lightweight, told: dict[str, Any]
) -> None:
    """Call the function with the packages that it wants."""
    python = environment_with(
        Path(foreign.environments), lightweight.packages, lightweight.options, whose=order.step
    )
    source = place / f"{MODULE}.py"
    source.write_text(lightweight.source, "utf-8")
    given = place / "executor_input.json"
    given.write_text(json.dumps(told), "utf-8")
    words = [
        *(str(python), "-m", "kfp.dsl.executor_main"),
        *("--component_module_path", str(source)),
        *("--function_to_execute", lightweight.function),
        *("--executor_input", f"@{given}"),
    ]
    failure = place / "failure.json"
    environment = {
        "PYTHONPATH": str(RUNTIME),
        "_KFP_RUNTIME": "true",
        "ATHANOR_FAILURE": str(failure),
    }
    try:
        _run(order.step, words, environment)
    except StepFailed as error:
        if not failure.exists():
            raise
        told = json.loads(failure.read_text("utf-8"))
        cause = f"{told['type']}: {_ESCAPES.sub('', told['message']).strip()}"
        details = {**told, "file": f"<{lightweight.function}>", "message": cause[:2000]}
        raise StepFailed(order.step, cause[:2000], details=details) from error


def _command(place: Path, order: Order, foreign: Foreign, told: dict[str, Any]) -> None:
    """Run a container's command on this machine, with a Python of its own in its path."""
    container = ContainerSpec(image=foreign.image, command=foreign.command, args=foreign.args)
    if not container.command:
        raise BadStep(
            f"Step {order.step!r} runs what the image {foreign.image!r} has as its entry point.",
            hint="There is no container engine here; give the component a command.",
        )
    words = command_line(container, told | {"known": foreign.known})
    for made in told["outputs"]["artifacts"].values():
        Path(made["artifacts"][0]["uri"]).parent.mkdir(parents=True, exist_ok=True)
    python = bare_python(Path(foreign.environments))
    packages = place / "packages"
    environment = {
        "PATH": f"{python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": os.pathsep.join([str(packages), str(RUNTIME)]),
        "PIP_TARGET": str(packages),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "VIRTUAL_ENV": str(python.parents[1]),
    }
    try:
        _run(order.step, words, environment)
    except FileNotFoundError:
        raise BadStep(
            f"Step {order.step!r} starts {words[0]!r}, which is not on this machine.",
            hint=f"It is a command of the image {foreign.image!r}, and there is no container "
            "engine here: install the command, or write the step as a Python component.",
        ) from None
    except OSError as error:
        raise BadStep(
            f"Step {order.step!r} can't start {words[0]!r}: {error.strerror}.",
            hint="A value of more than 128 kB does not fit into a command line: hand it over as an "
            "artifact, or write the step as a Python component.",
        ) from None


def _run(step: str, words: Iterable[str], environment: Mapping[str, str]) -> None:
    """Run a process in this one's group; what it writes goes to the step's log.

    Raises: StepFailed; FileNotFoundError where there is no such command.
    """
    words = list(words)
    done = subprocess.run(words, check=False, env=os.environ | environment)
    if done.returncode == 0:
        return
    if done.returncode < 0:
        cause = f"its command was ended by signal {-done.returncode}"
    elif done.returncode == _NOT_FOUND and Path(words[0]).name == _SHELL:
        cause = "its shell did not find a command (exit status 127)"
    else:
        cause = f"its command ended with exit status {done.returncode}"
    details = {"type": "ExitStatus", "status": done.returncode, "command": words[0]}
    raise StepFailed(step, cause, details=details)


def _result(place: Path, order: Order, foreign: Foreign, storage: Storage) -> Result:
    """What the step wrote, as parameters and stored artifacts."""
    told: dict[str, Any] = {}
    output = place / "executor_output.json"
    if output.exists():
        try:
            told = json.loads(output.read_text("utf-8") or "{}")
        except ValueError as error:
            raise BadStep(
                f"Step {order.step!r} wrote an output file that is no JSON: {error}.",
                hint="It is ExecutorOutput of Kubeflow Pipelines.",
            ) from error
    values = told.get("parameterValues") or {}
    parameters = {}
    for name, kind in order.output_parameters.items():
        written = place / "parameters" / name
        if name in values:
            value = values[name]
        elif written.exists():
            value = written.read_text("utf-8")
            if kind != "STRING":
                other = converted(value, kind)
                value = value if other is UNSET else other
        else:
            continue
        parameters[name] = fitted_output(value, kind, order.step, name)
    artifacts = {
        name: [
            _stored(place, name, item, foreign, storage)
            for item in (told.get("artifacts") or {}).get(name, {}).get("artifacts") or [{}]
        ]
        for name in order.output_artifacts
    }
    return Result(parameters=parameters, artifacts=artifacts)


def _stored(
    place: Path, name: str, told: dict[str, Any], foreign: Foreign, storage: Storage
) -> MadeArtifact:
    """One output artifact: its file or folder, a reference to elsewhere, or its metadata alone."""
    uri = str(told.get("uri") or place / MADE / name)
    title = foreign.schemas.get(name, "system.Artifact")
    metadata = {
        "schema": title,
        "name": str(told.get("name") or name),
        "properties": told.get("metadata") or {},
    }
    source = Path(str(told.get("customPath") or told.get("custom_path") or uri))
    blob: Blob | None = None
    known = ""
    if source.is_dir():
        known = "model" if (source / _MODEL_FILE).is_file() else ""
        digest = _model_digest(source) if known else folder_digest(source)
        blob = storage.put_folder(source)
        metadata |= {"blob": blob.digest, "layout": "folder", "location": str(source)}
    elif source.is_file():
        known = "table" if _is_parquet(source) else ""
        digest, blob = _file_digest(source, known), storage.put_file(source)
        metadata |= {"blob": blob.digest, "layout": "file", "file": source.name}
        metadata["location"] = str(source)
    else:
        digest = digest_of(json.dumps([uri if "://" in uri else "", metadata], sort_keys=True))
    kind = known or _KINDS.get(title, str(metadata.get("layout", "value")))
    return MadeArtifact(
        type=kind,
        uri=blob.uri if blob else uri if "://" in uri else "",
        digest=digest,
        size=blob.size if blob else 0,
        metadata=metadata,
    )


def _is_parquet(source: Path) -> bool:
    with source.open("rb") as stream:
        return stream.read(len(_PARQUET)) == _PARQUET


def _file_digest(source: Path, known: str) -> str:
    """A file's digest; of a table, that of its schema and rows, so that equal tables are equal."""
    if known == "table":
        arrow = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
        with (
            contextlib.suppress(arrow.ArrowException, OSError),
            parquet.ParquetFile(source) as file,
        ):
            digests = importlib.import_module("athanor.lineage.logic.digests")
            return str(digests.table_digest(file.read()))
    return file_digest(source)


def _model_digest(source: Path) -> str:
    """A model's digest, without what differs between two savings of it."""
    return str(importlib.import_module("athanor.lineage.logic.folders").model_digest(source))
