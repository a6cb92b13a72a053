"""Which modules of ours a program needs, found by reading their imports.

So an exported folder holds the plane's own code, and no second implementation of anything.
"""

import ast
import importlib.metadata
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "athanor"
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """Modules and what they import from outside."""

    files: tuple[Path, ...]
    """Relative to the folder that holds the package."""
    foreign: tuple[str, ...]
    """Top-level names of other packages, the standard library's left out."""


def root() -> Path:
    """The folder that holds our package."""
    return _ROOT.parent


def closure_of(modules: Iterable[str]) -> Closure:
    """Everything that these modules import, directly or not."""
    files: dict[str, Path] = {}
    foreign: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = _file_of(name)
        if name in files or path is None:
            continue
        files[name] = path
        parent = name.rpartition(".")[0]
        if parent:
            waiting.append(parent)
        tree = ast.parse(path.read_text("utf-8"), filename=str(path))
        waiting += [found for found in _imported(_reached(tree.body)) if _is_ours(found)]
        # What is imported inside a function is for cases that may never come.
        at_once = _imported(_reached(tree.body, deep=False))
        foreign |= {found.split(".")[0] for found in at_once if not _is_ours(found)}
    named = sorted(path.relative_to(root()) for path in files.values())
    return Closure(files=tuple(named), foreign=tuple(sorted(foreign - sys.stdlib_module_names)))


def pinned(foreign: Iterable[str]) -> list[str]:
    """The distributions that hold these packages, at the versions that are installed here."""
    known = importlib.metadata.packages_distributions()
    names = {known[name][0] for name in foreign if known.get(name)}
    return sorted(f"{name}=={importlib.metadata.version(name)}" for name in names)


def _file_of(module: str) -> Path | None:
    path = root().joinpath(*module.split("."))
    if (path / "__init__.py").is_file():
        return path / "__init__.py"
    alone = path.with_suffix(".py")
    return alone if alone.is_file() else None


def _is_ours(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] == PACKAGE


def _imported(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (item.name for item in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from _from(node.module, [item.name for item in node.names])


def _from(module: str, names: list[str]) -> Iterator[str]:
    yield module
    if module.split(".", maxsplit=1)[0] != PACKAGE:
        return
    path = _file_of(module)
    places = _places(path) if path is not None and path.name == "__init__.py" else {}
    for name in names:
        if _file_of(f"{module}.{name}") is not None:
            yield f"{module}.{name}"
        elif name in places:
            yield f"{module}.{places[name]}"


def _reached(body: list[ast.stmt], *, deep: bool = True) -> Iterator[ast.AST]:
    """Every import that may run: what stands under TYPE_CHECKING never does.

    Unless `deep`, those inside of functions are left out.
    """
    for statement in body:
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test):
            yield from _reached(statement.orelse, deep=deep)
            continue
        if not deep and isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if not deep and isinstance(statement, ast.ClassDef):
            yield from _reached(statement.body, deep=False)
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield node


def _places(path: Path) -> dict[str, str]:
    """The table of a front door that loads its names when they are asked for."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "lazily"
            and len(node.args) > 1
        ):
            told = node.args[1]
            if isinstance(told, ast.Call):  # dict.fromkeys(__all__, "module")
                return dict.fromkeys(_offered(tree), ast.literal_eval(told.args[1]))
            table: dict[str, str] = ast.literal_eval(told)
            return table
    return {}


def _offered(tree: ast.Module) -> list[str]:
    """What `__all__` lists."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return names
    return []
