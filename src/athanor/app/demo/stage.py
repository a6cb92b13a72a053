"""Runs the platform's public commands for the demo, and shows what it runs."""

import contextlib
import io
import json
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from athanor.app import cli
from athanor.kernel import Internal, Invalid
from athanor.kernel.console import progress, say

_LOOK_SECONDS = 0.2


class DemoFailed(Internal):
    """A step of the demo did not come out as it must."""

    def __init__(self, step: str, what: str) -> None:
        super().__init__(
            f"The demo's step {step!r} failed: {what}",
            hint="The server's log is in the workspace's folder logs.",
        )


class NothingLearnt(Invalid):
    """No model of the table is good enough to be registered."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"Nothing can be learnt from this table, so the loop ends here: {reason}",
            hint="Give a table whose columns tell something of the target, or another --target.",
        )


@dataclass(slots=True)
class Stage:
    """Where the demo plays: it prints each step and calls commands as a user would."""

    timings: dict[str, float] = field(default_factory=dict)
    """Seconds of each step, by its title."""
    step: str = ""
    number: int = 0

    @contextlib.contextmanager
    def act(self, title: str) -> Iterator[None]:
        """One step of the loop, with a progress bar and its time."""
        self.step, self.number = title, self.number + 1
        say(f"\n{self.number}. {title}", style="bold")
        began = time.perf_counter()
        with progress() as bar:
            bar.add_task(title, total=None)
            yield
        self.timings[title] = round(time.perf_counter() - began, 2)
        say(f"   {self.timings[title]:.1f} s", style="dim")

    def athanor(self, *args: object, ok: tuple[int, ...] = (0,)) -> Any:
        """Call `athanor ARGS --json` and return what it printed, read.

        Raises: DemoFailed where the exit code is not among `ok`; the command's own failure.
        """
        words = [str(arg) for arg in args]
        shown = " ".join(_quoted(word) for word in words)
        say(f"   $ athanor {shown}", style="dim")
        code, printed = _captured([*words, "--json"])
        if code not in ok:
            raise DemoFailed(self.step, f"athanor {shown} ended with {code}: {printed[-2000:]}")
        return json.loads(printed) if printed.strip() else None

    def tell(self, line: str) -> None:
        """One line of what came of it."""
        say(f"   {line}")

    def until(self, what: str, look: Any, seconds: float) -> Any:
        """Look again and again until `look()` gives something.

        Raises: DemoFailed after `seconds`.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = look()
            if found:
                return found
            time.sleep(_LOOK_SECONDS)
        raise DemoFailed(self.step, f"{what} did not happen within {seconds:.0f} s")

    def quietly(self, *args: object) -> Any:
        """Call a command without showing it: for looking again and again."""
        _, printed = _captured([*(str(arg) for arg in args), "--json"])
        return json.loads(printed) if printed.strip() else None


def called(*words: str) -> int:
    """A command's exit code.

    Raises: KeyboardInterrupt where Ctrl-C ended it; what the command told.
    """
    code = cli.call(*words)
    if code == cli.INTERRUPTED:
        raise KeyboardInterrupt
    return code


def _captured(words: list[str]) -> tuple[int, str]:
    held = io.BytesIO()
    with contextlib.redirect_stdout(io.TextIOWrapper(held, "utf-8", write_through=True)) as out:
        code = called(*words)
        out.flush()
        return code, held.getvalue().decode()


def _quoted(word: str) -> str:
    """A word as one would type it: double quotes around single ones."""
    if "'" in word and not set('"$`\\!') & set(word):
        return f'"{word}"'
    return shlex.quote(word)
