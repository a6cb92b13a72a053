"""Finding the pipeline in a file or module."""

import importlib
import importlib.util
import shlex
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from athanor.kernel.errors import nearest
from athanor.pipelines.authoring.composing import Pipeline
from athanor.pipelines.authoring.places import line_in, put
from athanor.pipelines.authoring.steps import Step
from athanor.pipelines.errors import BadPipeline
from athanor.pipelines.ir.spec import Document
from athanor.pipelines.ir.text import read_document, write_document
from athanor.pipelines.logic.values import type_of

T = TypeVar("T")
_YAML = {".yaml", ".yml", ".json"}


def load_document(target: str) -> Document:
    """The pipeline behind `FILE.py`, `FILE.py:name` or `FILE.yaml`.

    Raises: BadPipeline and its kinds.
    """
    path, name = _split(target)
    if not path.is_file():
        raise BadPipeline(f"There is no file {str(path)!r}.", hint="Check the path.")
    if path.suffix in _YAML:
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            raise BadPipeline(f"{path} is not a text file.", hint="Give a YAML file.") from None
        return read_document(text, str(path))
    module = _import_file(path)
    foreign = _kubeflow_pipelines(module)
    if foreign and not any(isinstance(item, Pipeline) for item in vars(module).values()):
        return _compiled_by_kubeflow(_chosen(foreign, name, str(path)), str(path))
    return find_pipeline(module, name, str(path)).compile()


def text_parameters(document: Document) -> set[str]:
    """The names of a pipeline's parameters that are texts."""
    definitions = document.spec.root.input_definitions
    known = definitions.parameters if definitions else {}
    return {name for name, item in known.items() if type_of(item) == "STRING"}


def compile_target(target: str) -> str:
    """The YAML of the pipeline behind `module:attribute`.

    Raises: BadPipeline and its kinds.
    """
    name, _, attribute = target.partition(":")
    module = importlib.import_module(name)
    return write_document(find_pipeline(module, attribute, name).compile())


def load_steps(path: Path, name: str) -> Step[..., Any]:
    """The step of this name in a file.

    Raises: BadPipeline and its kinds.
    """
    found = steps_of(path)
    if name not in found:
        hint = nearest(name, found) or f"It has: {', '.join(found) or 'none'}."
        raise BadPipeline(f"{path} has no step {name!r}.", hint=hint)
    return found[name]


def steps_of(path: Path) -> dict[str, Step[..., Any]]:
    """The steps of a file by name.

    Raises: BadPipeline and its kinds.
    """
    if not path.is_file():
        raise BadPipeline(f"There is no file {str(path)!r}.", hint="Check the path.")
    module = _import_file(path)
    return {key: item for key, item in vars(module).items() if isinstance(item, Step)}


def find_pipeline(module: ModuleType, name: str, where: str) -> Pipeline[..., object]:
    """The pipeline of this name in a module, or its only one.

    Raises: BadPipeline.
    """
    found = {key: item for key, item in vars(module).items() if isinstance(item, Pipeline)}
    if name:
        return _chosen(found, name, where)
    own = {id(item): item for item in found.values() if item.__module__ == module.__name__}
    steps = [item.name for item in vars(module).values() if isinstance(item, Step)]
    return _only({item.name: item for item in own.values()}, where, steps)


def _chosen(found: dict[str, T], name: str, where: str) -> T:
    """The one of this name, or the only one. Raises: BadPipeline."""
    if not name:
        return _only(found, where)
    if name not in found:
        hint = nearest(name, found) or f"It has: {', '.join(found) or 'none'}."
        raise BadPipeline(f"{where} has no pipeline {name!r}.", hint=hint)
    return found[name]


def _only(found: dict[str, T], where: str, steps: Sequence[str] = ()) -> T:
    if not found:
        called = f"its steps ({', '.join(steps)})" if steps else "steps"
        raise BadPipeline(
            f"{where} defines no pipeline.",
            hint=f"Decorate a function that calls {called} with @pipeline. A file without one, or "
            f"one function of it, is run by: athanor run {shlex.quote(where)}",
        )
    if len(found) > 1:
        hint = f"Say which one: {where}:NAME; it has: {', '.join(found)}."
        raise BadPipeline(f"{where} defines {len(found)} pipelines.", hint=hint)
    return next(iter(found.values()))


def _kubeflow_pipelines(module: ModuleType) -> dict[str, Any]:
    """What `kfp.dsl.pipeline` decorated in a module, by name."""
    return {
        name: item
        for name, item in vars(module).items()
        if type(item).__name__ == "GraphComponent" and type(item).__module__.startswith("kfp.")
    }


def _compiled_by_kubeflow(pipeline: Any, where: str) -> Document:
    """What Kubeflow's own compiler makes of a pipeline. Raises: BadPipeline."""
    compiler = importlib.import_module("kfp.compiler").Compiler()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "pipeline.yaml")
        try:
            compiler.compile(pipeline, str(target))
        except Exception as error:
            raise BadPipeline(
                f"Kubeflow's compiler refused {where}: {error}", hint="Correct the pipeline."
            ) from error
        return read_document(target.read_text("utf-8"), where)


def _split(target: str) -> tuple[Path, str]:
    head, mark, tail = target.rpartition(":")
    if mark and tail.isidentifier():
        return Path(head), tail
    return Path(target), ""


def _import_file(path: Path) -> ModuleType:
    """Execute a Python file as a module; its folder comes first on the import path."""
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    name = path.stem if path.stem.isidentifier() else "athanor_pipeline_file"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise BadPipeline(f"{path} is not a Python file.", hint="Give a .py or .yaml file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with warnings.catch_warnings():
            # What a cluster's image will be matters to nothing that runs here.
            warnings.filterwarnings("ignore", "The default base_image", FutureWarning)
            spec.loader.exec_module(module)
    except SyntaxError as error:
        raise BadPipeline(
            f"{path} can't be read as Python: {error.msg} (line {error.lineno}).",
            hint="Correct the line.",
        ) from None
    except ImportError as error:
        raise BadPipeline(
            f"{path} can't be imported: {error}.",
            hint="Install it: pip install 'athanor-ml[kfp]'"
            if (error.name or "").partition(".")[0] == "kfp"
            else "Install what is missing into the environment that athanor runs in.",
        ) from error
    except BadPipeline as error:
        put(error, str(path), line_in(error, str(path.resolve())))
        raise
    except (Exception, SystemExit) as error:
        bad = BadPipeline(
            f"{path} raised {type(error).__name__} while it was imported: {error}",
            hint=f"It must import cleanly: python {shlex.quote(str(path))}",
        )
        put(bad, str(path), line_in(error, str(path.resolve())))
        raise bad from error
    return module
