"""A file of one's own, read: what it defines, and how its `train` function becomes a pipeline."""

import ast
import functools
import importlib.util
import inspect
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from athanor.kernel import Invalid, NotFound, Unprocessable, nearest
from athanor.pipelines.authoring import Pipeline, Step, operation, step
from athanor.pipelines.authoring.composing import pipeline_of
from athanor.pipelines.authoring.interface import Kind

TRAIN = "train"
"""The function that is run where none is named."""


class ScriptMissing(NotFound):
    """The file to run is not there."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"There is no file {str(path)!r}.",
            hint="Give a Python file, or a subcommand: athanor run --help",
        )


class NotPython(Unprocessable):
    """The file is not valid Python."""

    def __init__(self, path: Path, error: SyntaxError) -> None:
        super().__init__(
            f"{path}, line {error.lineno or 1}: {error.msg}.",
            hint="Mend the line and run it again.",
        )


class FileFailed(Unprocessable):
    """The file raised while its top level was run."""

    def __init__(self, path: Path, error: BaseException) -> None:
        places = traceback.extract_tb(error.__traceback__)
        line = next((place.lineno for place in reversed(places) if place.filename == str(path)), 1)
        super().__init__(
            f"{path}, line {line}: {type(error).__name__}: {error}",
            hint="The file is imported to find its function: it must import cleanly.",
        )


class FunctionMissing(NotFound):
    """The file defines no such function."""

    def __init__(self, path: Path, name: str, known: list[str]) -> None:
        super().__init__(
            f"{path} defines no function {name!r}.",
            hint=nearest(name, known) or f"It defines: {', '.join(known) or 'no function'}.",
        )


class UnknownArgument(Invalid):
    """A value was given for something that the function does not take."""

    def __init__(self, function: str, name: str, known: list[str]) -> None:
        super().__init__(
            f"{function} takes no {name!r}.",
            hint=nearest(name, known) or f"It takes: {', '.join(known) or 'nothing'}.",
        )


class NotOfAScript(Invalid):
    """An option of a function was given for a file that runs as a script."""

    def __init__(self, path: Path, option: str) -> None:
        super().__init__(
            f"{path} runs as a script: it has no function that could take {option}.",
            hint=f"Give it arguments of its own: athanor run {shlex.quote(str(path))} -- --lr 3; "
            f"or define {TRAIN}(...) in it.",
        )


class NotOfAFunction(Invalid):
    """Arguments of a script were given for a file whose function is run."""

    def __init__(self, path: Path, function: str) -> None:
        super().__init__(
            f"{function} of {path} is called as a function: it takes no command line.",
            hint=f"Name its parameters: athanor run {shlex.quote(str(path))} --param NAME=VALUE",
        )


class NothingRuns(Invalid):
    """The file defines functions, and none of them is asked for."""

    def __init__(self, path: Path, known: list[str]) -> None:
        super().__init__(
            f"{path} defines {', '.join(known)}, and nothing in it runs by itself.",
            hint=f"Name the function: athanor run {shlex.quote(str(path))} --function {known[0]}",
        )


def functions_of(path: Path) -> list[str]:
    """The names of a file's top-level functions, found without running it.

    Raises: ScriptMissing, NotPython.
    """
    return _functions(_parsed(path))


def _functions(module: ast.Module) -> list[str]:
    return [node.name for node in module.body if isinstance(node, ast.FunctionDef)]


def returns_figures(path: Path, function: str) -> bool:
    """Whether all that a function returns is something with a dict beside it: `return m, {...}`.

    The dict may stand in a name that the function gives one to. Found without running the file.
    """
    (node, *_) = [
        node
        for node in reversed(_parsed(path).body)
        if isinstance(node, ast.FunctionDef) and node.name == function
    ]
    inside = list(_inside(node))
    dicts = {
        target.id
        for item in inside
        if isinstance(item, ast.Assign) and _is_dict(item.value)
        for target in item.targets
        if isinstance(target, ast.Name)
    }
    told = [item.value for item in inside if isinstance(item, ast.Return)]
    return bool(told) and all(
        isinstance(value, ast.Tuple)
        and len(value.elts) == 2
        and (_is_dict(value.elts[1]) or getattr(value.elts[1], "id", None) in dicts)
        for value in told
    )


def _inside(node: ast.AST) -> Iterator[ast.AST]:
    """What a function does itself, without what it defines."""
    for item in ast.iter_child_nodes(node):
        if not isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            yield item
            yield from _inside(item)


def _is_dict(node: ast.expr) -> bool:
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(node, ast.Dict | ast.DictComp) or getattr(called, "id", None) == "dict"


def check_script(path: Path) -> None:
    """Refuse a script that would only define functions.

    Raises: ScriptMissing, NotPython, NothingRuns.
    """
    module = _parsed(path)
    known = _functions(module)
    if known and all(_only_defines(node) for node in module.body):
        raise NothingRuns(path, known)


def _only_defines(node: ast.stmt) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return not node.decorator_list
    text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return text or isinstance(node, ast.Import | ast.ImportFrom)


def _parsed(path: Path) -> ast.Module:
    if not path.is_file():
        raise ScriptMissing(path)
    try:
        # Bytes: the parser minds the file's own coding line.
        return ast.parse(path.read_bytes(), str(path))
    except SyntaxError as error:
        raise NotPython(path, error) from error
    except ValueError as error:
        raise NotPython(path, SyntaxError("this is no text")) from error


def load(path: Path) -> ModuleType:
    """The file as a module; its folder is on the import path, as in `python FILE`.

    Raises: FileFailed.
    """
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ScriptMissing(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise FileFailed(path, error) from error
    return module


def training_pipeline(
    path: Path, function: str, *, model: str, values: Mapping[str, Any] | None = None
) -> Pipeline[..., Any]:
    """A pipeline of a file's plain function; a model that it returns is registered as `model`.

    What no hint and no default tells of is a value where `values` has one, and else a dataset.

    Raises: ScriptMissing, NotPython, FunctionMissing, and what the authoring of steps raises.
    """
    known = functions_of(path)
    if function not in known:
        raise FunctionMissing(path, function, known)
    found = getattr(load(path), function)
    unsaid = not isinstance(found, Step) and "return" not in found.__annotations__
    if unsaid and returns_figures(path, function):
        found.__annotations__["return"] = tuple[Any, dict[str, float]]
    made: Step[..., Any] = found if isinstance(found, Step) else step(found)
    composed = _composed(made, model, values or {})
    return pipeline_of(composed, name=path.stem)


def _composed(made: Step[..., Any], model: str, values: Mapping[str, Any]) -> Callable[..., Any]:
    outputs = made.interface.outputs

    @functools.wraps(made.function)
    def run(*args: Any, **kwargs: Any) -> None:
        task: Any = made(*args, **kwargs)
        name = _first(outputs, lambda kind: kind.artifact in {"model", "any"})
        if name is None:
            return
        # A result that no hint tells of may be a model, and may be figures.
        perhaps = {"if_model": True} if outputs[name].artifact == "any" else {}
        metrics = _first(outputs, lambda kind: kind.parameter == "STRUCT")
        operation("model.register", outputs=_REGISTERED)(
            model=task.outputs[name],
            name=model,
            metrics=task.outputs[metrics] if metrics else None,
            **perhaps,
        )

    signature = inspect.signature(made.function)
    run.__signature__ = signature.replace(return_annotation=None)  # type: ignore[attr-defined]
    untold = {
        parameter.name: type(values[parameter.name]) if parameter.name in values else Any
        for parameter in signature.parameters.values()
        if parameter.default is parameter.empty
    }
    run.__annotations__ = {**untold, **made.function.__annotations__, "return": None}
    return run


_REGISTERED = {"registered": bool, "model": str, "version": int, "reference": str, "reason": str}


def _first(outputs: dict[str, Kind], wanted: Callable[[Kind], bool]) -> str | None:
    return next((name for name, kind in outputs.items() if wanted(kind)), None)
