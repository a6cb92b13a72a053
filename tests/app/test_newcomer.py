"""What a newcomer is told: how to go on, in words that can be pasted as they stand."""

import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest

from athanor.app import cli
from athanor.app.asking import told_at, workspace_served_at
from athanor.app.commands import DidNotStart, NoServer
from athanor.app.demo.loop import Loop
from athanor.app.demo.stage import Stage
from athanor.app.lock import WorkspaceBusy
from athanor.app.server import PortInUse
from athanor.pipelines.commands.showing import shown
from athanor.serving.commands.telling import tell_notes
from athanor.serving.types import Deployment, DeploymentState, Endpoint, InputColumn, Signature

_PLACE = Path("/tmp/Käse Ordner/.athanor")


def test_a_background_servers_error_is_told_once_with_its_own_hint() -> None:
    refused = PortInUse("127.0.0.1", 8700, "Address already in use", workspace=str(_PLACE))
    assert str(_PLACE) in refused.message
    assert f"athanor down --workspace {shlex.quote(str(_PLACE))}." in refused.hint
    assert "athanor up --port" in refused.hint
    told = DidNotStart(f"warning: slow\nError: {refused.message}\n  {refused.hint}\n")
    assert told.message == f"The server did not start: {refused.message}"
    assert told.hint == refused.hint
    assert DidNotStart("").message.endswith("it said nothing")


@pytest.mark.parametrize(
    "told",
    [
        NoServer(_PLACE).hint,
        WorkspaceBusy(_PLACE, {"pid": 1, "url": "http://127.0.0.1:8700"}).hint,
        PortInUse("127.0.0.1", 8700, "in use", workspace=str(_PLACE)).hint,
    ],
)
def test_a_hint_with_a_path_can_be_pasted(told: str) -> None:
    assert f"--workspace {shlex.quote(str(_PLACE))}" in told


def test_where_nothing_answers_nothing_is_said() -> None:
    assert told_at("http://127.0.0.1:9/readyz") == {}
    assert workspace_served_at("127.0.0.1", 9) == ""


def test_ctrl_c_ends_the_demo_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that Ctrl-C ended gives 130; the demo ends with it, and leaves no traceback."""

    def interrupted(*words: str) -> int:
        assert words[0] == "status"
        return 130

    def play(loop: Loop, port: int | None) -> dict[str, object]:
        assert port is None
        with monkeypatch.context() as inside, loop.stage.act("Look"):
            inside.setattr(cli, "call", interrupted)
            loop.stage.athanor("status")
        raise AssertionError

    running = {"url": "http://127.0.0.1:8700"}
    monkeypatch.setattr("athanor.app.demo.commands.read_server", lambda _: running)
    monkeypatch.setattr(Loop, "play", play)
    monkeypatch.setenv("ATHANOR_WORKSPACE", "restored afterwards")
    monkeypatch.delenv("ATHANOR_URL", raising=False)
    place = tmp_path / "two words"
    data = tmp_path / "rows.csv"
    data.write_text("a,b\n" + "".join(f"{n % 7}.5,{n % 2}\n" for n in range(1000)))
    code = cli.call("demo", "--data", str(data), "--target", "b", "--workspace", str(place))
    said = capsys.readouterr().out
    assert code == 130
    assert "Interrupted.\nThe server still runs: http://127.0.0.1:8700." in said
    assert f"athanor down --workspace '{place}'" in said


def test_a_demos_stage_hands_ctrl_c_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "call", lambda *_: 130)
    with pytest.raises(KeyboardInterrupt):
        Stage().quietly("status")


def test_an_artifact_is_shown_by_the_name_that_commands_take() -> None:
    told = {"id": "01", "type": "model", "digest": "sha256:1", "uri": "/blobs/1"}
    assert shown(told) == "artifact:01 (model)"
    assert shown({"ü": 1}) == '{"ü": 1}'


def test_a_canary_of_the_live_version_is_told_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    def deployed(number: int, version: int, state: DeploymentState) -> Deployment:
        return Deployment(
            id=f"{number:032x}",
            number=number,
            endpoint="churn",
            model="churn",
            version=version,
            artifact="01",
            digest="sha256:1",
            signature=Signature(columns=(InputColumn(name="age", type="double"),)),
            state=state,
            share=0.5,
            created_at=datetime.now(UTC),
        )

    for version, told in ((1, True), (2, False)):
        canary = deployed(2, version, "canary")
        found = Endpoint(
            name="churn",
            created_at=datetime.now(UTC),
            deployments=(canary, deployed(1, 1, "live")),
        )
        tell_notes(found, canary)
        said = capsys.readouterr().out
        assert ("churn@1 is live already (deployment 1)" in said) is told, said
