"""What the commands of endpoints take and print, over answers that are given."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from athanor.kernel import console
from athanor.kernel.errors import NotFound
from athanor.kernel.transport import Answer
from athanor.serving.commands import commands, deploy
from athanor.serving.commands.percents import OptionUnreadable, percent
from athanor.serving.types import CanaryPlan, Deploy, Deployment, Endpoint, Signature
from athanor.serving.types.endpoints import Canary

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Given:
    """A transport that answers what it was given, and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], object] = {}
        self.bodies: list[Any] = []

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: object = None,
        content: bytes | Path | None = None,
    ) -> Answer:
        self.bodies.append(body)
        if (method, path) not in self.answers:
            raise NotFound(f"Nothing is at {method} {path}.")
        told = self.answers[method, path]
        return Answer(status=200, content=msgspec.json.encode(told))

    def stream(self, path: str, *, query: Mapping[str, object] | None = None) -> Iterator[bytes]:
        yield self.send("GET", path, query=query).content


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    opened = Given()
    monkeypatch.setattr(console, "_connect", [lambda: opened])
    return opened


def printed(*words: str) -> str:
    result = CliRunner().invoke(commands, words, catch_exceptions=False, env={"COLUMNS": "300"})
    assert result.exit_code == 0, result.output
    return result.stdout


def deployment(number: int = 1, state: str = "live", **more: Any) -> Deployment:
    fields = {"share": 1.0, "version": number} | more
    return Deployment(
        id=f"d{number}",
        endpoint="churn",
        number=number,
        model="churn",
        artifact="a",
        digest="sha256:00",
        signature=Signature(),
        state=state,  # type: ignore[arg-type]
        created_at=NOW,
        **fields,
    )


def deployed(given: Given, *words: str) -> str:
    """What `athanor deploy` prints of a canary with the share that was asked for."""
    app = typer.Typer()
    app.command()(deploy)
    result = CliRunner().invoke(
        app, ["churn@2", "--endpoint", "churn", *words], env={"COLUMNS": "300"}
    )
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_percents_on_the_command_line_say_what_is_meant(given: Given) -> None:
    for words, told in (
        (("--canary", "0.1"), "percents: 10 for that part of 1, 0.1% for less"),
        (("--canary", "150"), "percents, 0 to 100"),
        (("--share", "-1"), "percents, 0 to 100"),
        (("--shadow", "nan"), "percents, 0 to 100"),
        (("--shadow", "half"), "percents, 0 to 100"),
    ):
        with pytest.raises(OptionUnreadable) as refused:
            deployed(given, *words)
        assert (words[0] in refused.value.message, told in refused.value.hint) == (True, True)
    assert given.bodies == []
    live = deployment()
    for words, share in (
        (("--canary", "0.5%"), 0.005),
        (("--canary", "10"), 0.1),
        (("--share", "0"), 0.0),
        (("--shadow", "100 %"), 1.0),
    ):
        plan = Canary(plan=CanaryPlan(steps=(share, 0.5)))
        new = deployment(2, "canary", share=share, canary=plan)
        given.answers = {
            ("POST", "/endpoints/churn/deployments"): new,
            ("GET", "/endpoints/churn"): Endpoint(
                name="churn", created_at=NOW, deployments=(new, live)
            ),
        }
        said = deployed(given, *words)
        asked = next(body for body in reversed(given.bodies) if isinstance(body, Deploy))
        assert getattr(asked, words[0].strip("-")) == share
        assert f"has {percent(share)} of endpoint churn's traffic" in " ".join(said.split())
    shares = (0.0, 0.00012, 0.005, 0.01, 1 / 3, 0.5, 0.995, 0.99999, 1.0)
    assert [percent(share) for share in shares] == [
        "0%", "0.012%", "0.5%", "1%", "33.3%", "50%", "99.5%", "99.999%", "100%",
    ]  # fmt: skip
