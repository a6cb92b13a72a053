"""The sources that go along with what is exported: ours, without what only their readers need."""

import ast
from functools import cache
from pathlib import Path

_ENGINES = Path(__file__).parents[1] / "engines"


@cache
def source_of(name: str) -> str:
    """One of the runtimes in `engines/`, without docstrings and comments."""
    tree = ast.parse((_ENGINES / f"{name}.py").read_text("utf-8"))
    for node in ast.walk(tree):
        kinds = ast.FunctionDef | ast.ClassDef | ast.Module
        if isinstance(node, kinds) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree) + "\n"
