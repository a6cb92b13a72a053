"""The part of the environment that a step's result depends on."""

import ast
import importlib.metadata
import platform
import sys
from functools import cache

from athanor.pipelines.ir.spec import ContainerSpec
from athanor.pipelines.logic.embedding import Embedded, read_embedded
from athanor.pipelines.logic.libraries import DISTRIBUTIONS

_BELOW = {
    "pandas": ("numpy", "pyarrow"),
    "sklearn": ("numpy", "scipy"),
    "lightgbm": ("numpy", "sklearn"),
    "xgboost": ("numpy",),
    "scipy": ("numpy",),
}
"""Libraries whose versions matter to those above them."""


def environment_of(container: ContainerSpec) -> dict[str, str]:
    """The interpreter, and each library that a step imports with its version.

    A library that the step does not import may change without its results being made anew.
    """
    found = {"python": platform.python_version()}
    embedded = read_embedded(container)
    if embedded is None:
        return found
    names: set[str] = set()
    for text in (embedded.source, *embedded.modules.values()):
        names |= _imported(text)
    for name in sorted(names):
        for part in (name, *_BELOW.get(name, ())):
            version = _version(part)
            if version:
                found[part] = version
    return found


def is_bare(embedded: Embedded) -> bool:
    """Whether a function imports the standard library alone."""
    texts = (embedded.source, *embedded.modules.values())
    own = {name.partition("/")[0].removesuffix(".py") for name in embedded.modules}
    return not embedded.packages and all(
        _imported(text) <= sys.stdlib_module_names | own for text in texts
    )


@cache
def _imported(text: str) -> frozenset[str]:
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return frozenset(names)


@cache
def _version(name: str) -> str:
    try:
        return importlib.metadata.version(DISTRIBUTIONS.get(name, name))
    except importlib.metadata.PackageNotFoundError:
        return ""
