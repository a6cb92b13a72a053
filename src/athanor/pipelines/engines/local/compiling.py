"""A step's source as code whose lines are those of the author's file."""

import ast
import gc
import importlib
import linecache
import marshal
import sys
from collections.abc import Iterator
from types import CodeType

from athanor.pipelines.logic.embedding import Embedded


def file_of(embedded: Embedded) -> str:
    """The file that a step's code says it is from."""
    return embedded.file or f"<{embedded.function}>"


def compiled_ahead(embedded: Embedded) -> bytes | None:
    """The code of a step for all its processes, which then need not compile it.

    None where that is left to them: so that what can't be compiled fails there, and is told there.
    """
    lines = _spread(embedded)
    if lines is None:
        return None
    try:
        code = compile("\n".join(lines), file_of(embedded), "exec", dont_inherit=True)
        return marshal.dumps(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


_ready: dict[tuple[bytes, str], tuple[CodeType, list[str], int]] = {}
"""Code that a zygote has made ready, with its lines and their length."""
_MOST_READY = 16
_SHARED = frozenset(
    {
        "base64",
        "bisect",
        "bz2",
        "calendar",
        "concurrent.futures",
        "csv",
        "decimal",
        "difflib",
        "fractions",
        "glob",
        "gzip",
        "hashlib",
        "heapq",
        "hmac",
        "html",
        "json",
        "logging",
        "lzma",
        "pickle",
        "queue",
        "secrets",
        "shutil",
        "sqlite3",
        "statistics",
        "struct",
        "subprocess",
        "tarfile",
        "tempfile",
        "textwrap",
        "threading",
        "urllib.parse",
        "uuid",
        "xml.etree.ElementTree",
        "zipfile",
        "zlib",
        "zoneinfo",
    }
)
"""Modules of the standard library that a zygote may load for its forks: nothing happens by it."""


def make_ready(embedded: Embedded, ahead: bytes) -> None:
    """Have a step's code ready for all forks of this process, and modules that it imports."""
    key = (ahead, embedded.source)
    if key in _ready or (lines := _spread(embedded)) is None:
        return
    if len(_ready) >= _MOST_READY:
        _ready.clear()
    text = [f"{line}\n" for line in lines]
    code = marshal.loads(ahead)  # noqa: S302 - from our own engine, by our own pipe
    _ready[key] = (code, text, sum(map(len, text)))
    for name in _SHARED.intersection(_names(code)):
        if name not in sys.modules:
            importlib.import_module(name)
            gc.freeze()  # as the zygote does with what it loads at first


def _names(code: CodeType) -> Iterator[str]:
    """What code calls by name, modules too, its functions' code included."""
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


def compiled(embedded: Embedded, file: str, ahead: bytes | None = None) -> CodeType:
    """The source compiled, if that was not done ahead; tracebacks find its lines."""
    if ahead is not None and (ready := _ready.get((ahead, embedded.source))) is not None:
        code, text, length = ready
        linecache.cache[file] = (length, None, text, file)
        return code
    lines = _spread(embedded)
    tree: ast.Module | str
    if lines is not None:
        tree = "\n".join(lines)
    else:
        tree, lines = _moved(embedded)
    text = [f"{line}\n" for line in lines]
    linecache.cache[file] = (sum(map(len, text)), None, text, file)
    if ahead is not None:
        made: CodeType = marshal.loads(ahead)  # noqa: S302 - from our own engine, by our own pipe
        return made
    return compile(tree, file, "exec", dont_inherit=True)


def _spread(embedded: Embedded) -> list[str] | None:
    """The source with empty lines between its blocks, so that each stands where it stood.

    None where the blocks do not stand in the order of their file.
    """
    source = embedded.source.splitlines()
    starts = sorted(embedded.lines)
    if not starts or starts[0][0] != 1:
        return None
    lines: list[str] = []
    ends = [start - 1 for start, _ in starts[1:]]
    for (start, place), end in zip(starts, [*ends, len(source)], strict=True):
        while lines and not lines[-1].strip():
            lines.pop()
        if len(lines) >= place:
            return None
        lines += [""] * (place - 1 - len(lines))
        lines += source[start - 1 : end]
    return lines


def _moved(embedded: Embedded) -> tuple[ast.Module, list[str]]:
    """The same where blocks stand elsewhere, or before each other: by their trees."""
    tree = ast.parse(embedded.source)
    starts = sorted(embedded.lines)
    lines: list[str] = []
    source = embedded.source.splitlines()
    for node in tree.body:
        first = min([node.lineno, *(item.lineno for item in getattr(node, "decorator_list", ()))])
        block = max((pair for pair in starts if pair[0] <= first), default=(first, first))
        shift = block[1] - block[0]
        if shift:
            ast.increment_lineno(node, shift)
        last = (node.end_lineno or node.lineno) - shift
        lines += [""] * (last + shift - len(lines))
        lines[first - 1 + shift : last + shift] = source[first - 1 : last]
    return tree, lines
