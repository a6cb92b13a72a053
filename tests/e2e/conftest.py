"""The platform as its users meet it: commands, files and HTTP; nothing of ours is imported."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal


@pytest.fixture(scope="module", autouse=True)
def _no_workspace_from_outside() -> Iterator[None]:
    """For fixtures of a module too: the developer's own settings do not reach the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith("ATHANOR_") and not name.startswith("ATHANOR_TEST_"):
                patch.delenv(name)
        yield


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal in an empty folder; a server that was started there ends with the test."""
    opened = Terminal(tmp_path)
    yield opened
    opened.down()


@pytest.fixture(scope="module")
def open_terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Terminal]]:
    """The same, for what a whole module shares."""
    opened: list[Terminal] = []

    def open_one(name: str) -> Terminal:
        opened.append(Terminal(tmp_path_factory.mktemp(name)))
        return opened[-1]

    yield open_one
    for one in opened:
        one.down()
