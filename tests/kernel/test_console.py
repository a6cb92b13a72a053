"""What the terminal shows is what was said."""

import pytest
from rich.console import Console

from athanor.kernel.console import console, escaped, say


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
