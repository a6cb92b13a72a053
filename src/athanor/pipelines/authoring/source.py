"""The source of a function with all that it uses, cut out of its file.

What goes along: the function without our decorators, and of its module the statements that bind
the names that it uses, and those that these use in turn. The author's own modules go along as
whole files. Libraries are imported where the step runs.
"""

import ast
import inspect
import site
import sys
import sysconfig
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from athanor.pipelines.errors import StepWithoutSource

_OURS = "athanor"
_GUARD = "__name__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Source that can run anywhere."""

    text: str
    file: str
    lines: list[tuple[int, int]]
    """Pairs (line in `text`, line in `file`), one per block."""
    modules: dict[str, str] = field(default_factory=dict)
    """The author's own modules: relative path to text."""


@dataclass(slots=True)
class _Block:
    node: ast.stmt
    text: str
    line: int  # in the file
    names: set[str]


def source_of(function: Callable[..., Any]) -> Source:
    """Cut out a function's source.

    Raises: StepWithoutSource for lambdas, builtins, and functions that use variables of an
    enclosing one.
    """
    plain = inspect.unwrap(function)
    name = getattr(plain, "__name__", str(plain))
    if not isinstance(plain, FunctionType):
        raise StepWithoutSource(name, "it is not a function written in Python.")
    if name == "<lambda>":
        raise StepWithoutSource(name, "it is a lambda.")
    if plain.__closure__:
        free = ", ".join(plain.__code__.co_freevars)
        raise StepWithoutSource(name, f"it uses variables of the function around it: {free}.")
    try:
        lines, start = inspect.getsourcelines(plain)
        file = inspect.getsourcefile(plain) or ""
    except (OSError, TypeError):
        raise StepWithoutSource(name, "there is no file or cell that holds it.") from None
    text = textwrap.dedent("".join(lines))
    module = sys.modules.get(plain.__module__)
    blocks = _module_blocks(module, plain.__globals__)
    own = _block(ast.parse(text).body[0], text, plain.__globals__, shift=start - 1)
    kept = _closure(own, [block for block in blocks if block.line != own.line], plain)
    return _assemble(kept, file, plain.__globals__)


def returns_value(function: Callable[..., Any]) -> bool:
    """Whether a function has a `return` with a value (True where its source is not at hand)."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return True
    return any(isinstance(node, ast.Return) and node.value for node in ast.walk(tree))


def _module_blocks(module: ModuleType | None, names: Mapping[str, Any]) -> list[_Block]:
    """The top-level statements of a module, or of all cells of a notebook."""
    try:
        text = inspect.getsource(module) if module is not None else ""
    except (OSError, TypeError):
        return list(_blocks_of_values(names))
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return []
    return [_block(node, text, names) for node in tree.body if not _is_guard(node)]


def _blocks_of_values(names: Mapping[str, Any]) -> Iterator[_Block]:
    """Statements that rebuild the names of a namespace without a file (a notebook)."""
    for name, value in list(names.items()):
        if name.startswith("_"):
            continue
        text = ""
        if isinstance(value, ModuleType):
            text = f"import {value.__name__} as {name}"
        elif isinstance(value, FunctionType | type):
            text = _text_of_definition(name, value)
        elif isinstance(value, bool | int | float | str | list | tuple | dict | None):
            text = f"{name} = {value!r}"
        if text:
            try:
                node = ast.parse(text).body[0]
            except SyntaxError:  # a value whose repr is no expression
                continue
            yield _block(node, text, names)


def _text_of_definition(name: str, value: Any) -> str:
    if value.__module__ not in {"__main__", None}:
        return f"from {value.__module__} import {value.__name__} as {name}"
    try:
        return textwrap.dedent(inspect.getsource(value))
    except (OSError, TypeError):
        return ""


def _block(node: ast.stmt, text: str, names: Mapping[str, Any], shift: int = 0) -> _Block:
    """A statement with its text, without our decorators."""
    lines = text.splitlines()
    first, last = node.lineno, node.end_lineno or node.lineno
    kept: list[str] = []
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        theirs = [item for item in node.decorator_list if not _is_ours(item, names)]
        for item in theirs:
            kept += lines[item.lineno - 1 : item.end_lineno]
        first_line = first - len(kept)
        node.decorator_list = theirs
    else:
        first_line = first
    body = "\n".join([*kept, *lines[first - 1 : last]])
    return _Block(node, body, first_line + shift, _bound(node))


def _closure(own: _Block, blocks: list[_Block], function: FunctionType) -> list[_Block]:
    """The function's block and those that it needs, in the order of the file."""
    needed = _used(own.node)
    chosen: list[_Block] = []
    while True:
        more = [
            block
            for block in blocks
            if block not in chosen and (block.names & needed or _always(block, function))
        ]
        if not more:
            break
        for block in more:
            chosen.append(block)
            if not isinstance(block.node, ast.Import | ast.ImportFrom):
                needed |= _used(block.node)
    for block in chosen:
        _trim_import(block, needed)
    order = sorted(chosen, key=lambda block: block.line)
    return [*order, own]


def _always(block: _Block, function: FunctionType) -> bool:
    """Statements that matter without binding a name: `from __future__`, settings of libraries."""
    node = block.node
    if isinstance(node, ast.ImportFrom):
        return node.module == "__future__" or any(item.name == "*" for item in node.names)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        root: ast.expr = node.value.func
        while isinstance(root, ast.Attribute):
            root = root.value
        value = function.__globals__.get(root.id) if isinstance(root, ast.Name) else None
        return isinstance(value, ModuleType) and not value.__name__.startswith(_OURS)
    return False


def _trim_import(block: _Block, needed: set[str]) -> None:
    """Leave out the names of an import statement that nothing uses."""
    node = block.node
    if not isinstance(node, ast.Import | ast.ImportFrom) or block.names == {"*"}:
        return
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return
    kept = [item for item in node.names if (item.asname or item.name.split(".")[0]) in needed]
    if kept and len(kept) < len(node.names):
        node.names = kept
        block.text = ast.unparse(node)


def _assemble(blocks: list[_Block], file: str, names: Mapping[str, Any]) -> Source:
    package = str(names.get("__package__") or "")
    parts: list[str] = []
    lines: list[tuple[int, int]] = []
    modules: dict[str, str] = {}
    at = 1
    for block in blocks:
        text = _absolute(block, package)
        if parts and isinstance(block.node, ast.FunctionDef | ast.ClassDef):
            parts.append("\n")
            at += 2
        lines.append((at, block.line))
        parts.append(text)
        at += text.count("\n") + 1
        _collect_modules(block.node, package, modules)
    return Source(text="\n".join(parts) + "\n", file=file, lines=lines, modules=modules)


def _absolute(block: _Block, package: str) -> str:
    """A relative import written absolutely; other text as it is."""
    node = block.node
    if not isinstance(node, ast.ImportFrom) or not node.level:
        return block.text
    node.module = _resolve(node, package)
    node.level = 0
    return ast.unparse(node)


def _resolve(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    base = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
    return f"{base}.{node.module}" if node.module else base


def _collect_modules(node: ast.AST, package: str, found: dict[str, str]) -> None:
    """Take along the author's own modules that a statement imports, and theirs in turn."""
    for item in ast.walk(node):
        names: list[str] = []
        if isinstance(item, ast.Import):
            names = [alias.name for alias in item.names]
        elif isinstance(item, ast.ImportFrom):
            base = _resolve(item, package)
            names = [base, *(f"{base}.{alias.name}" for alias in item.names)]
        for name in names:
            for part in _with_parents(name):
                _collect_module(part, found)


def _collect_module(name: str, found: dict[str, str]) -> None:
    if name.split(".", maxsplit=1)[0] == _OURS or name in sys.stdlib_module_names:
        return
    module = sys.modules.get(name)
    path = getattr(module, "__file__", None)
    if module is None or path is None or not path.endswith(".py") or _is_installed(Path(path)):
        return
    is_package = hasattr(module, "__path__")
    relative = name.replace(".", "/") + ("/__init__.py" if is_package else ".py")
    if relative in found:
        return
    text = Path(path).read_text("utf-8")
    found[relative] = text
    package = name if is_package else name.rpartition(".")[0]
    try:
        _collect_modules(ast.parse(text), package, found)
    except SyntaxError:
        return


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        yield ".".join(parts[:length])


def _is_installed(path: Path) -> bool:
    places = {sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib", "platstdlib")}
    places |= {*site.getsitepackages(), site.getusersitepackages()}
    return any(path.resolve().is_relative_to(Path(place).resolve()) for place in places if place)


def _is_guard(node: ast.stmt) -> bool:
    """Whether a statement is `if __name__ == "__main__":`."""
    return isinstance(node, ast.If) and any(
        isinstance(item, ast.Name) and item.id == _GUARD for item in ast.walk(node.test)
    )


def _is_ours(decorator: ast.expr, names: Mapping[str, Any]) -> bool:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    path: list[str] = []
    while isinstance(target, ast.Attribute):
        path.insert(0, target.attr)
        target = target.value
    if not isinstance(target, ast.Name):
        return False
    value: Any = names.get(target.id)
    for part in path:
        value = getattr(value, part, None)
    return str(getattr(value, "__module__", "")).split(".")[0] == _OURS


def _bound(node: ast.stmt) -> set[str]:
    """The names that a top-level statement binds."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    names = set()
    for item in ast.walk(node):
        if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store):
            names.add(item.id)
        elif isinstance(item, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.split(".")[0] for alias in item.names}
        elif isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(item.name)
    return names


def _used(node: ast.AST) -> set[str]:
    """The names that a statement reads, those in quoted annotations included."""
    names = {
        item.id
        for item in ast.walk(node)
        if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Load)
    }
    for item in ast.walk(node):
        for hint in (getattr(item, "annotation", None), getattr(item, "returns", None)):
            if isinstance(hint, ast.AST):
                names |= _quoted(hint)
    return names


def _quoted(hint: ast.AST) -> set[str]:
    names: set[str] = set()
    for item in ast.walk(hint):
        if isinstance(item, ast.Constant) and isinstance(item.value, str):
            try:
                names |= {
                    part.id
                    for part in ast.walk(ast.parse(item.value, mode="eval"))
                    if isinstance(part, ast.Name)
                }
            except SyntaxError:
                continue
    return names
