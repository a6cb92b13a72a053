"""A user's own Python as a model: which files it may have, what it defines, what is written of it.

Nothing of it is run here.
"""

import ast
import json
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Any

from athanor.registry.errors import BadCode
from athanor.registry.logic.mlmodel import (
    COLUMN_TYPES,
    FORMAT_VERSION,
    signature_text,
    written,
)
from athanor.registry.records import PythonCode
from athanor.registry.types import InputColumn, Signature

CODE, DESCRIPTION, INNER = "code", "code.json", "model"
"""Inside the model folder: the user's files, what they are, the model that they stand around."""
FLAVOR = "athanor_python"
HOOKS = ("load", "preprocess", "predict", "postprocess")
LOADER = "athanor.serving.runtimes.python"
_MOST_BYTES, _MOST_FILES = 4 << 20, 500
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_BOUND = r"(==|>=|<=|~=|!=|<|>)\s*[A-Za-z0-9.*+!_-]+"
_REQUIREMENT = re.compile(
    rf"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._, -]*\])?\s*({_BOUND}(\s*,\s*{_BOUND})*)?"
)
_ALWAYS = ("numpy", "pandas")
"""What the runtime itself needs."""


def check_inputs(inputs: Sequence[InputColumn]) -> None:
    """Return if these columns can be read. Raises: BadCode."""
    names = [column.name for column in inputs]
    for column in inputs:
        if not column.name or column.type not in COLUMN_TYPES - {"binary"}:
            known = ", ".join(sorted(COLUMN_TYPES - {"binary"}))
            raise BadCode(f"The column {column.name!r}: {column.type!r}", f"types are {known}")
        if names.count(column.name) > 1:
            raise BadCode(f"The column {column.name!r}", "it is named twice")


def checked(code: PythonCode) -> tuple[str, frozenset[str]]:
    """The file that begins, and which of the functions are defined; other code may define more.

    Raises: BadCode, naming file and line.
    """
    if not code.files or len(code.files) > _MOST_FILES:
        raise BadCode("The code", f"it has {len(code.files)} files; 1 to {_MOST_FILES} are taken")
    size = sum(len(text.encode("utf-8", "replace")) for text in code.files.values())
    if size > _MOST_BYTES:
        raise BadCode("The code", f"it has {size:,} bytes; {_MOST_BYTES:,} are taken at most")
    for line in code.requirements:
        if not _REQUIREMENT.fullmatch(line.strip()):
            raise BadCode(
                f"The requirement {line[:100]!r}", "give it as NAME, NAME==VERSION or NAME>=VERSION"
            )
    for name, text in code.files.items():
        if not all(_PART.fullmatch(part) for part in name.split("/")) or len(name) > 200:
            raise BadCode(repr(name[:100]), "its path is none of letters, digits, _, - and .")
        if name.endswith(".py"):
            _parsed(name, text)
    entry = _entry(code)
    defined = frozenset(_defined(_parsed(entry, code.files[entry])))
    if not defined:
        raise BadCode(entry, f"it defines none of {', '.join(HOOKS)}, nor a class with them")
    return entry, defined


def _entry(code: PythonCode) -> str:
    if code.entry:
        if code.entry not in code.files:
            raise BadCode(repr(code.entry[:100]), "the file that begins is not among the files")
        return code.entry
    scripts = [name for name in code.files if name.endswith(".py")]
    if len(scripts) == 1:
        return scripts[0]
    for wanted in ("__init__.py", "model.py"):
        found = [
            name
            for name in scripts
            if PurePosixPath(name).name == wanted and name.count("/") <= (wanted == "__init__.py")
        ]
        if len(found) == 1:
            return found[0]
    raise BadCode("The code", "name the file that begins: `entry`, or call it model.py")


def _parsed(name: str, text: str) -> ast.Module:
    try:
        return ast.parse(text, name)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        where = f"{name}, line {line}" if line else name
        why = getattr(error, "msg", None) or str(error)
        raise BadCode(where, f"it is no Python: {why}") from error


def _defined(tree: ast.AST) -> Iterator[str]:
    """Names of the functions that have a meaning, of the module or of a class in it."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.FunctionDef(name=name):
                found = [name]
            case ast.ImportFrom(names=names):
                found = [item.asname or item.name for item in names]
            case ast.Assign(targets=targets):
                found = [item.id for item in targets if isinstance(item, ast.Name)]
            case ast.ClassDef():
                found = list(_defined(node))
            case _:
                found = []
        yield from (name for name in found if name in HOOKS)


def signature_of(
    defined: frozenset[str], around: Signature | None, inputs: Sequence[InputColumn]
) -> Signature:
    """What the code reads and says: as the model that it stands around, as far as it keeps that."""
    base = around or Signature(task="")
    told = replace(base, inputs=tuple(inputs) or base.inputs)
    if around is not None and not defined & {"predict", "postprocess"}:
        return told
    return Signature(inputs=told.inputs, target=base.target, task="")


def requirements_text(own: Sequence[str], inner: str) -> str:
    """The requirements of the model around which the code stands, and its own in their place."""
    mine = [line.strip() for line in own]
    names = {_name(line) for line in mine}
    theirs = inner.splitlines() or [f"{name}=={version(name)}" for name in _ALWAYS]
    kept = [line for line in theirs if line.strip() and _name(line) not in names]
    return "".join(f"{line}\n" for line in [*kept, *mine])


def _name(line: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", line.strip(), maxsplit=1)[0].lower().replace("_", "-")


def describe(
    code: PythonCode, entry: str, signature: Signature, *, around: str, digest: str
) -> Mapping[str, str]:
    """The texts beside the code: `MLmodel`, `code.json`, `python_env.yaml`, by name."""
    told = {
        "format_version": FORMAT_VERSION,
        "entry": entry,
        "requirements": [line.strip() for line in code.requirements],
        "inputs": [asdict(column) for column in signature.inputs],
        "around": around,
    }
    mlmodel: dict[str, Any] = {
        "flavors": {
            FLAVOR: {"entry": entry, "around": around},
            "python_function": {
                "env": {"virtualenv": "python_env.yaml"},
                "loader_module": LOADER,
                "python_version": platform.python_version(),
            },
        },
        "metadata": {
            "athanor": {
                "format_version": FORMAT_VERSION,
                "target": signature.target,
                "task": signature.task,
                "classes": list(signature.classes),
                "positive": signature.positive,
            }
        },
        "model_uuid": digest[:32],
    }
    if signature.inputs:
        mlmodel["signature"] = signature_text(signature)
    environment = f"python: {platform.python_version()}\ndependencies:\n- -r requirements.txt\n"
    return {
        "MLmodel": written(mlmodel),
        DESCRIPTION: json.dumps(told, indent=1, sort_keys=True),
        "python_env.yaml": environment,
    }
