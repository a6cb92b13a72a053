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


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 110, 200])
def test_what_does_not_fit_is_left_out_and_named_and_no_header_is_broken(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    headers = ["deployment", "model", "cold start", *(f"metrics.figure_{n}" for n in range(9))]
    rows = [["1", "customers@1", "", *(f"0.{n}" for n in range(9))], ["2", "[red]", "0.3 s"]]
    table(headers, rows)
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= columns
    printed, _, note = " ".join(printed.split()).partition(" not fit: ")
    named = note.partition(". All of it: --json")[0].split(", ") if note else []
    shown = printed.split()
    for header in headers:
        assert header in [*named, " ".join(part for part in header.split() if part in shown)]
    assert "deployment" not in named
    assert bool(named) is (columns < 200)
    assert ("customers@1" in printed) is ("model" not in named)
