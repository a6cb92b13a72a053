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
from athanor.serving.commands.batches import commands as batches
from athanor.serving.commands.percents import OptionUnreadable, percent
from athanor.serving.commands.records import FileUnreadable, records_told
from athanor.serving.errors.deployments import RequirementsWithoutCode
from athanor.serving.logic import canary
from athanor.serving.logic.canary import Counts, Evidence
from athanor.serving.types import CanaryPlan, Deploy, Deployment, Endpoint, Signature
from athanor.serving.types.batches import Batch
from athanor.serving.types.endpoints import Canary
from athanor.serving.types.rollouts import CanaryStatus, DeploymentStatus, EndpointStatus
from athanor.serving.types.runtimes import RuntimeReport

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


def test_requirements_without_code_are_refused(given: Given) -> None:
    with pytest.raises(RequirementsWithoutCode):
        deploy("churn", "front", requirement=["emoji==2.14.0"])
    assert given.bodies == []


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


def canary_of(**measured: float) -> CanaryStatus:
    return CanaryStatus(
        endpoint="churn",
        deployment=2,
        champion=1,
        step=1,
        steps=2,
        share=0.1,
        action="wait",
        reason="waits for requests",
        measured=measured,
    )


def test_a_canary_tells_what_was_measured_and_no_shares_of_nothing(given: Given) -> None:
    nothing = canary.judge(CanaryPlan(), Evidence()).measured
    given.answers = {("GET", "/endpoints/churn/canary"): canary_of(**nothing)}
    assert "Nothing was measured yet." in printed("canary", "churn")
    some = Evidence(challenger=Counts(requests=40), compared=40, agreed=30)
    measured = canary.judge(CanaryPlan(), some).measured
    given.answers = {("GET", "/endpoints/churn/canary"): canary_of(**measured)}
    said = printed("canary", "churn")
    assert [word in said for word in ("agreement", "error rate at most", "right rate")] == [
        True, True, False,
    ]  # fmt: skip


def test_an_endpoint_is_shown_as_it_is(given: Given) -> None:
    proof = {"rows": 200}
    folded = RuntimeReport(kind="folded", proof=proof)
    live = deployment(3, version=1, runtime=folded)
    before = deployment(1, "standby", version=1)
    endpoint = Endpoint(
        name="churn", created_at=NOW, deployments=(live, before), earlier={"d1": 1.0}
    )
    runs = DeploymentStatus(
        number=3, model="churn", version=1, state="live", share=1.0, runtime="folded", workers=1,
        wanted=1,
    )  # fmt: skip
    given.answers = {
        ("GET", "/endpoints"): [endpoint],
        ("GET", "/endpoints/churn"): endpoint,
        ("GET", "/endpoints/churn/status"): EndpointStatus(
            endpoint="churn", running=True, ready=True, deployments=(runs,)
        ),
        ("GET", "/models/churn"): {"aliases": {"champion": 3}},
    }
    assert "churn@1 (deployment 1)" in printed("list")
    said = " ".join(printed("show", "churn").split())
    assert ("none needed" in said, "1 of 1" in said) == (True, False)
    assert (
        "Endpoint churn is pinned to churn@1, and churn@champion is version 3. To serve the "
        "champion: athanor deploy churn@champion --endpoint churn. To have version 1 be the "
        "champion: athanor model promote churn@1"
    ) in said


def test_records_are_taken_as_json_in_place_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    file.write_text('[{"a": 1}]', "utf-8")
    for text, rows in (
        ('{"a": "x//y"}', [{"a": "x//y"}]),
        (' [{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        ('{"records": [{"a": 1}]}', [{"a": 1}]),
        (str(file), [{"a": 1}]),
    ):
        assert list(records_told(text)) == rows
    for text in ("{'a': 1}", "[1, 2]", '{"records": 1}'):
        with pytest.raises(FileUnreadable, match="The JSON that was given can't be read"):
            list(records_told(text))


def test_a_finished_batch_tells_its_rows(given: Given) -> None:
    """One whose result was there already when it was gone on with counted no input."""
    done = Batch(
        id="b", project="default", state="done", model="churn", version=1, artifact="a",
        digest="sha256:00", source={"dataset": "t@1"}, to="scores", settings={}, rows_done=1234,
        dataset_version=1, created_by="owner", created_at=NOW,
    )  # fmt: skip
    given.answers = {("GET", "/batches"): [done]}
    result = CliRunner().invoke(batches, ["list"], env={"COLUMNS": "300"})
    assert ("1234" in result.stdout, "100%" in result.stdout) == (True, True)
