"""What the terminal shows is what was said."""

import pytest
from rich.console import Console

from athanor.kernel.console import console, escaped, say, table
from athanor.kernel.ids import new_id


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A console on this test's own standard output."""
    monkeypatch.setattr("athanor.kernel.console._consoles", [])


@pytest.mark.parametrize("text", ["[red]x.csv", "a step failed: [/red] oops", ":smile: [0]", "[/]"])
def test_brackets_of_others_are_no_markup(capsys: pytest.CaptureFixture[str], text: str) -> None:
    say(text)
    say(text, style="red")
    say(f"[bold]from[/bold] {escaped(text)}", markup=True)
    assert capsys.readouterr().out == f"{text}\n{text}\nfrom {text}\n"
    assert isinstance(console(), Console)


def test_in_a_pipe_a_row_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    reason = "because " * 30
    table(("id", "why"), [(new_id(), reason), (new_id(), "short")])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert reason.strip() in lines[1]


def test_an_id_is_never_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    ids = [new_id(), new_id()]
    table(("id", "name", "why"), [(id_, "a_long_name" * 3, "because " * 9) for id_ in ids])
    printed = capsys.readouterr().out
    assert all(id_ in printed for id_ in ids)
    assert max(map(len, printed.splitlines())) <= 60
