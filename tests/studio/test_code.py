"""What the pages tell readers to type exists: each command, each option, each method."""

import ast
import contextlib
import io
import re
from functools import cache

import pytest

from athanor.app.cli import call
from athanor.client import Client
from athanor.kernel import Answer

from .conftest import ROOT

CODE = (ROOT / "web" / "src" / "code.ts").read_text("utf-8")
# From "athanor" to the quote or the end of the line.
COMMANDS = sorted(set(re.findall(r"""athanor ([a-z][^"'`\n\\]*)""", CODE)))
METHODS = sorted(set(re.findall(r"client\.([a-z]+)\.([a-z_]+)\(", CODE)))
IMPORTS = sorted(set(re.findall(r"from (athanor\.[a-z]+) import ([A-Za-z, ]+)", CODE)))
GROUPS = {"alert", "data", "endpoint", "model", "monitor", "pipeline", "run"}


class Nowhere:
    """A transport that is never used: the client's methods are looked at, not called."""

    def send(self, *_args: object, **_named: object) -> Answer:
        raise AssertionError

    def stream(self, *_args: object, **_named: object) -> None:
        raise AssertionError

    def close(self) -> None:
        raise AssertionError


@cache
def help_of(*command: str) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert call(*command, "--help") == 0
    return said.getvalue()


def test_there_is_code_to_check() -> None:
    assert len(COMMANDS) > 15
    assert len(METHODS) > 10


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_exist_with_their_options(command: str) -> None:
    words = command.split()
    is_file = words[0] == "run" and words[1].endswith(".py")
    path = words[:2] if words[0] in GROUPS and not is_file else words[:1]
    usage = help_of(*path)
    for option in (word for word in words if word.startswith("--")):
        assert option in usage, command


@pytest.mark.parametrize(("room", "method"), METHODS)
def test_methods_exist(room: str, method: str) -> None:
    client = Client(Nowhere())  # type: ignore[arg-type]
    assert callable(getattr(getattr(client, room), method))


@pytest.mark.parametrize(("module", "names"), IMPORTS)
def test_imports_exist(module: str, names: str) -> None:
    tree = ast.parse(f"from {module} import {names}")
    exec(compile(tree, "code.ts", "exec"), {})  # noqa: S102 - one import statement
