"""Every command that a message names exists."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import typer

from athanor.app.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
_NAMED = re.compile(r"(?:: |`|\()athanor ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?")


def texts() -> Iterator[tuple[Path, int, str]]:
    for path in sorted((ROOT / "src" / "athanor").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield path.relative_to(ROOT), node.lineno, node.value
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if line.startswith("athanor "):
                yield path.relative_to(ROOT), number, f"`{line}"


def subcommands(name: str) -> set[str]:
    """The subcommands of a group; empty for a single command."""
    module, _, attribute = COMMANDS[name].target.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        return set()
    return {
        item.name or (item.callback.__name__.replace("_", "-") if item.callback else "")
        for item in found.registered_commands
    } | {item.name or "" for item in found.registered_groups}


def test_every_command_that_a_message_names_exists() -> None:
    unknown = []
    for path, line, text in texts():
        for name, sub in _NAMED.findall(text):
            known = subcommands(name) if name in COMMANDS else None
            alone = name == "run"  # a file may stand where a subcommand could
            if known is None or (sub and known and not alone and sub not in known):
                unknown.append(f"{path}:{line}: athanor {name} {sub}".rstrip())
    assert unknown == []
