"""What starts pipelines by itself: each event once, by the clock, by hand."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import athanor
from athanor.kernel import OWNER, Database
from athanor.kernel.workers import Workers
from athanor.pipelines import NewTrigger, Submission, pipeline
from athanor.pipelines.errors import (
    BadSpecFile,
    BadTemplate,
    BadTrigger,
    MissingInput,
    TriggerExists,
    TriggerNotFound,
    UnknownInput,
)
from athanor.pipelines.logic.occasions import ACTIONS, FIELDS
from athanor.pipelines.logic.templates import check_action
from athanor.testing import FixedClock
from athanor.testing.pipelines import Room, pipelines_room, yaml_of
from tests.pipelines import flows


@pytest.fixture
def room(sqlite: Database, workers: Workers, tmp_path: Path, clock: FixedClock) -> Iterator[Room]:
    with pipelines_room(sqlite, tmp_path, workers, clock=clock) as found:
        found.watch.attach(found.jobs)
        found.events.settle()
        yield found


def _new(name: str = "retrain", **fields: Any) -> NewTrigger:
    parameters = {"rows": "{event.version}"}
    given: dict[str, Any] = {
        "action": "data.version.created",
        "match": {"dataset": "churn"},
        "submission": Submission(yaml=yaml_of(flows.sums), parameters=parameters),
    } | fields
    return NewTrigger(name=name, **given)


def _happens(room: Room, dataset: str = "churn", version: int = 4) -> None:
    room.events.tell(
        OWNER, "data.version.created", dataset, {"dataset": dataset, "version": version}
    )
    room.events.deliver()


def _runs(room: Room) -> list[Any]:
    return room.pipelines.runs(OWNER, trigger="retrain")


def _told(room: Room, action: str) -> list[Any]:
    return [event for event in room.events.latest(200) if event.action == action]


def test_an_event_that_matches_starts_the_pipeline_with_its_fields(room: Room) -> None:
    room.pipelines.add_trigger(OWNER, _new())
    _happens(room, "fraud")
    assert _runs(room) == []
    _happens(room, version=6)
    (run,) = _runs(room)
    ended = room.finished(run)
    assert ended.parameters["rows"] == 6
    assert ended.state == "done"
    room.events.deliver()
    room.events.deliver()
    assert len(_runs(room)) == 1
    (fired,) = _told(room, "pipelines.trigger.fired")
    assert fired.detail["run"] == run.id
    assert fired.detail["event"]["version"] == 6


def test_no_second_run_while_one_goes_on(room: Room) -> None:
    submission = Submission(
        yaml=yaml_of(flows.sleeping), parameters={"seconds": 30, "folder": str(room.folder)}
    )
    room.pipelines.add_trigger(OWNER, _new(submission=submission))
    _happens(room)
    _happens(room)
    (run,) = _runs(room)
    (skipped,) = _told(room, "pipelines.trigger.skipped")
    assert "goes on" in skipped.detail["reason"]
    room.pipelines.cancel(OWNER, run.id)
    room.finished(run)


def test_the_latest_event_is_made_up_for(room: Room) -> None:
    folder = str(room.folder)
    submission = Submission(
        yaml=yaml_of(flows.sleeping), parameters={"seconds": "{event.version}", "folder": folder}
    )
    room.pipelines.add_trigger(OWNER, _new(submission=submission, overlap="latest"))
    _happens(room, version=1)
    _happens(room, version=30)
    _happens(room, version=0)
    (first,) = _runs(room)
    room.finished(first)
    room.events.deliver()
    second = _runs(room)[0]
    assert second.id != first.id
    assert room.finished(second).parameters["seconds"] == 0
    room.events.deliver()
    assert len(_runs(room)) == 2


def test_a_trigger_rests_after_it_fired(room: Room, clock: FixedClock) -> None:
    room.pipelines.add_trigger(OWNER, _new(cooldown=60.0))
    _happens(room)
    room.finished(_runs(room)[0])
    _happens(room)
    assert len(_runs(room)) == 1
    clock.advance(61)
    _happens(room)
    assert len(_runs(room)) == 2


def test_a_trigger_that_cannot_fire_is_told_of_and_holds_up_nobody(room: Room) -> None:
    bad = Submission(yaml=yaml_of(flows.sums), parameters={"rows": "{event.digest}"})
    room.pipelines.add_trigger(OWNER, _new("bad", submission=bad))
    room.pipelines.add_trigger(OWNER, _new())
    _happens(room)
    assert len(_runs(room)) == 1
    (failed,) = _told(room, "pipelines.trigger.failed")
    assert "digest" in failed.detail["message"]


def test_the_clock_fires_each_time_once(room: Room, clock: FixedClock) -> None:
    submission = Submission(yaml=yaml_of(flows.sums))
    made = room.pipelines.add_trigger(
        OWNER, _new(action="", match={}, cron="*/5 * * * *", submission=submission)
    )
    assert made.next_fire is not None
    assert room.watch.tick() == []
    clock.advance((made.next_fire - clock.now()) / timedelta(seconds=1))
    assert room.watch.tick() == ["retrain"]
    assert room.watch.tick() == []
    room.finished(_runs(room)[0])
    clock.advance(3600)  # many times were missed: they are one
    assert room.watch.tick() == ["retrain"]
    assert len(_runs(room)) == 2


def test_the_clock_is_a_job_that_comes_again(room: Room, clock: FixedClock) -> None:
    assert room.jobs.run_next("me")
    assert not room.jobs.run_next("me")
    clock.advance(16)
    assert room.jobs.run_next("me")


def test_by_hand_it_fires_at_once(room: Room) -> None:
    room.pipelines.add_trigger(OWNER, _new(action="", match={}, cooldown=1000.0))
    run = room.pipelines.fire(OWNER, "retrain", {"version": 2})
    assert run.parameters["rows"] == 2
    with pytest.raises(BadTemplate):
        room.pipelines.fire(OWNER, "retrain")
    room.finished(run)


def test_triggers_are_listed_and_removed(room: Room) -> None:
    made = room.pipelines.add_trigger(OWNER, _new())
    assert room.pipelines.add_trigger(OWNER, _new()) == made
    with pytest.raises(TriggerExists):
        room.pipelines.add_trigger(OWNER, _new(cooldown=5.0))
    assert [item.name for item in room.pipelines.triggers(OWNER)] == ["retrain"]
    room.pipelines.remove_trigger(OWNER, "retrain")
    assert room.pipelines.triggers(OWNER) == []
    with pytest.raises(TriggerNotFound):
        room.pipelines.remove_trigger(OWNER, "retrain")
    _happens(room)
    assert _runs(room) == []


def test_a_trigger_that_could_never_work_is_refused(room: Room) -> None:
    with pytest.raises(BadTrigger, match="both"):
        room.pipelines.add_trigger(OWNER, _new(cron="* * * * *"))
    with pytest.raises(BadTrigger, match="schedule"):
        room.pipelines.add_trigger(OWNER, _new(action="", cron="every day"))
    with pytest.raises(BadTrigger, match="name"):
        room.pipelines.add_trigger(OWNER, _new(" "))
    with pytest.raises(BadSpecFile):
        room.pipelines.add_trigger(OWNER, _new(submission=Submission(yaml="- 1")))


@pytest.mark.parametrize("name", ["", " ", "a/b", "..", "x" * 81, "a\nb", "-x", "a "])
def test_a_name_that_no_address_carries_is_refused(room: Room, name: str) -> None:
    with pytest.raises(BadTrigger, match="can't name a trigger"):
        room.pipelines.add_trigger(OWNER, _new(name))


_NAME = r"[a-z]+\.[a-z_]+\.[a-z_]+"
_JOBS = {"serving.ticket.told"}
"""Kinds of jobs that look like names of events."""


@pipeline
def needy(rows: int) -> object:
    return flows.total(flows.make(rows))


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "new data"},
        {"action": "data.version.creatd"},
        {"action": "", "match": {}, "cron": "* * * * *"},
        {"submission": Submission(yaml=yaml_of(flows.sums), parameters={"row": "1"})},
        {"submission": Submission(yaml=yaml_of(flows.sums), artifacts={"table": "dataset:a@1"})},
        {"submission": Submission(pipeline="sums", parameters={"rows": "{event version}"})},
        {"submission": Submission(pipeline="sums", artifacts={"table": "dataset:{event.}"})},
        {"submission": Submission(pipeline="sums", parameters={"a": [{"b": "{event.version"}]})},
    ],
)
def test_what_could_never_fire_is_refused(room: Room, fields: dict[str, Any]) -> None:
    with pytest.raises((BadTrigger, UnknownInput)):
        room.pipelines.add_trigger(OWNER, _new(**fields))
    assert room.pipelines.triggers(OWNER) == []


def test_an_event_that_is_written_wrongly_is_told_with_the_nearest_one() -> None:
    with pytest.raises(BadTrigger, match=r"Did you mean .*'data\.version\.created'"):
        check_action("data.versions.created")


def test_a_field_that_an_event_never_has_is_refused_with_those_that_it_has(room: Room) -> None:
    told = {"action": "data.version.created"}
    for wrong in (
        {"match": {"datset": "bank"}},
        {"submission": Submission(pipeline="sums", artifacts={"table": "dataset:{event.name}"})},
    ):
        with pytest.raises(BadTrigger, match="has no field") as refused:
            room.pipelines.add_trigger(OWNER, _new(**told | wrong))
        assert "digest, file, mode, rows" in refused.value.hint
    run = room.run(flows.branching, number=1)
    for event in room.events.latest(50):
        assert {*event.detail} <= FIELDS[event.action], event.action
    assert run.state == "done"


def test_the_fields_of_events_are_those_that_the_source_tells() -> None:
    texts = [file.read_text("utf-8") for file in Path(athanor.__file__).parent.rglob("*.py")]
    for action, fields in FIELDS.items():
        tellers = [text for text in texts if f'"{action}"' in text and "FIELDS = {" not in text]
        for field in fields - {"action", "subject"}:
            assert any(f'"{field}"' in text for text in tellers), (action, field)


def test_a_trigger_that_lacks_what_its_pipeline_needs_is_refused(room: Room) -> None:
    with pytest.raises(MissingInput, match="'rows'"):
        room.pipelines.add_trigger(OWNER, _new(submission=Submission(yaml=yaml_of(needy))))


def test_the_names_of_events_are_those_that_the_source_tells() -> None:
    told: set[str] = set()
    begun: set[str] = set()
    for file in Path(athanor.__file__).parent.rglob("*.py"):
        if file.name == "occasions.py" and "pipelines" in file.parts:
            continue
        text = file.read_text("utf-8")
        told |= set(re.findall(rf'(?<!f)"({_NAME})"', text))
        begun |= set(re.findall(r'f"([a-z]+\.[a-z_]+\.)\{', text))
    whole = {name for name in ACTIONS if not name.startswith(tuple(begun))}
    rooms = {name.partition(".")[0] for name in ACTIONS}
    assert whole - told == set()
    assert {name for name in told - ACTIONS if name.partition(".")[0] in rooms} == _JOBS
    assert {name.rpartition(".")[0] + "." for name in ACTIONS - whole} == begun
