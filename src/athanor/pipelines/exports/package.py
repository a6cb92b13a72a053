"""The part of this package that a step with models needs where we are not installed."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parents[2]
_ROOTS = ("athanor.registry.packaging.materializer", "athanor.lineage.logic.digests")
_NAMING = "athanor/registry/packaging/"
_OWN = re.compile(r"athanor(\.\w+)+")


@cache
def models_package() -> dict[str, str]:
    """Our modules that read and write models, as files by their place: `athanor/...`.

    Found by what they import, in turn; what only type checkers see is left out.
    """
    found: dict[str, str] = {}
    waiting = list(_ROOTS)
    while waiting:
        module = waiting.pop()
        file = _file_of(module)
        if file is None or file in found:
            continue
        text = found[file] = (_PACKAGE.parent / file).read_text("utf-8")
        waiting += [module.rpartition(".")[0], *_own_imports(text, named=file.startswith(_NAMING))]
    return dict(sorted(found.items()))


def _file_of(module: str) -> str | None:
    place = module.replace(".", "/")
    names = (f"{place}.py", f"{place}/__init__.py") if module else ()
    return next((name for name in names if (_PACKAGE.parent / name).is_file()), None)


def _own_imports(text: str, *, named: bool) -> Iterator[str]:
    """The modules of ours that a source loads; `named`: those that stand in it as texts, too."""
    for node in _at_runtime(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and _OWN.match(f"{node.module}.x"):
            lazy = _lazy_of(node.module)
            for alias in node.names:
                yield f"{node.module}.{lazy.get(alias.name, alias.name)}"
            yield node.module
        elif named and isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value.partition(":")[0]
            if _OWN.fullmatch(name):
                yield name


def _at_runtime(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from _at_runtime(node)


@cache
def _lazy_of(module: str) -> dict[str, str]:
    """Where a front door that loads lazily finds its names: the part of the package by name."""
    file = _file_of(module)
    text = (_PACKAGE.parent / file).read_text("utf-8") if file else ""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "lazily":
            for value in node.args:
                if isinstance(value, ast.Dict):
                    return {str(k): str(v) for k, v in ast.literal_eval(value).items()}
    return {}
