"""Pipelines run for real: each task a fork, its outputs in the store, its lineage in the graph."""

import signal
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Any

import pandas as pd
import pytest

from athanor.kernel import OWNER, Database, Principal
from athanor.kernel.outages import DatabaseFull
from athanor.kernel.workers import Workers
from athanor.lineage import LongOperation, NewArtifact, OperationCall, OperationResult
from athanor.pipelines import Submission, Task, operation, pipeline, step
from athanor.pipelines.engines.local.recording import Recorder
from athanor.pipelines.errors import RunCannotResume, RunIsOver, TaskNotFound
from athanor.pipelines.store import Ordered
from athanor.testing.pipelines import Room, pipelines_room, yaml_of
from tests.pipelines import flows


def _states(run: object) -> dict[str, str]:
    return {task.name: task.state for task in run.tasks}  # type: ignore[attr-defined]


def test_tables_and_numbers_go_from_step_to_step(room: Room) -> None:
    run = room.run(flows.sums, rows=20)
    assert run.state == "done"
    assert run.outputs == {"train": 145, "test": 45}
    assert set(_states(run).values()) == {"done"}


def test_an_equal_run_takes_everything_from_the_cache(room: Room) -> None:
    room.run(flows.sums, rows=20)
    run = room.run(flows.sums, rows=20)
    assert run.outputs == {"train": 145, "test": 45}
    assert set(_states(run).values()) == {"cached"}
    changed = room.run(flows.sums, rows=21)
    assert _states(changed)["make"] == "done"
    told = room.pipelines.explain(OWNER, changed.id, "make")
    assert told.differences == ["parameter rows changed: 20 -> 21"]


def test_without_the_cache_everything_runs_and_gives_equal_digests(room: Room) -> None:
    first = room.run(flows.long_work, folder=str(room.folder))
    yaml = yaml_of(flows.long_work)
    again = Submission(yaml=yaml, parameters={"folder": str(room.folder)}, cache=False)
    second = room.finished(room.pipelines.submit(OWNER, again))
    assert set(_states(second).values()) == {"done"}
    assert first.outputs["Output"]["digest"] == second.outputs["Output"]["digest"]


def test_all_kinds_of_values_pass(room: Room) -> None:
    run = room.run(flows.kinds, word="hey")
    assert run.state == "done", run.error
    assert run.outputs["rows"] == 7
    assert run.outputs["shout"] == "HEY" * 6
    assert run.outputs["file"] == "hey"
    report = room.lineage.artifact(OWNER, run.outputs["report"]["id"])
    assert report.type == "report"
    names = [entry.path for entry in room.storage.entries(report.metadata["blob"])]
    assert names == ["report.html", "report.json"]


def test_what_a_step_prints_is_its_log(room: Room) -> None:
    run = room.run(flows.kinds, word="hey")
    assert room.pipelines.logs(OWNER, run.id, "shout") == "shouting hey\n"
    with pytest.raises(TaskNotFound, match="shoot"):
        room.pipelines.logs(OWNER, run.id, "shoot")


def test_random_numbers_start_at_the_same_place(room: Room) -> None:
    run = room.run(flows.draws)
    assert run.outputs["first"] == run.outputs["second"]


def test_lineage_goes_from_the_output_to_the_input(room: Room) -> None:
    blob = room.folder / "t.parquet"
    pd.DataFrame({"a": [1, 2, 3]}).to_parquet(blob)
    given = room.file(blob.read_bytes(), "t.parquet")
    submission = Submission(yaml=yaml_of(flows.summing), artifacts={"table": given})
    run = room.finished(room.pipelines.submit(OWNER, submission))
    assert run.state == "failed"  # a file is not a table
    assert "file" in run.error["message"]  # type: ignore[index]
    made = room.run(flows.long_work, folder=str(room.folder))
    graph = room.lineage.trace(OWNER, made.outputs["Output"]["id"], "up")
    names = {node.name for node in graph.nodes if node.kind == "run"}
    assert {"long-work/joined", "long-work/noted-table", "long-work/noted-table-2"} <= names


def test_a_failure_names_step_line_inputs_and_cause(room: Room) -> None:
    run = room.run(flows.failing, word="oops")
    assert run.state == "failed"
    assert _states(run) == {"fail": "failed", "shout": "skipped"}
    failed = next(task for task in run.tasks if task.name == "fail")
    assert failed.error is not None
    line = (
        Path(flows.__file__)
        .read_text()
        .splitlines()
        .index("    return str(number / (number - number))")
    )
    details = failed.error["details"]
    assert details["line"] == line + 1
    assert details["source"] == "return str(number / (number - number))"
    assert details["inputs"] == {"word": '"oops"'}
    assert "division by zero" in failed.error["message"]
    assert run.error is not None
    for error in (failed.error, run.error):
        assert error["hint"] == f"Read its log: athanor pipeline logs {run.id} fail"
    log = room.pipelines.logs(OWNER, run.id, "fail")
    assert "ZeroDivisionError: division by zero" in log
    assert "child.py" not in log


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no step is a fork")
def test_a_step_without_libraries_finds_what_it_imports_and_little_else(room: Room) -> None:
    run = room.run(flows.bare)
    assert run.outputs == {"Output": {"tarfile": True, "numpy": False, "storage": False}}


def test_a_failed_step_is_tried_again(room: Room) -> None:
    run = room.run(flows.retried, folder=str(room.folder))
    assert run.outputs == {"Output": 3}
    assert run.tasks[0].attempt == 3
    assert "--- attempt 2 ---" in room.pipelines.logs(OWNER, run.id, "unsteady")


def test_a_step_is_stopped_at_its_time_limit(room: Room) -> None:
    run = room.run(flows.too_slow)
    assert "time limit of 0.5 s" in run.error["message"]  # type: ignore[index]


def test_cancelling_reaches_what_runs_and_what_waits(room: Room) -> None:
    run = room.submit(flows.sleeping, seconds=60, folder=str(room.folder))
    while not list(room.folder.glob("pid-*")):
        time.sleep(0.01)
    room.pipelines.cancel(OWNER, run.id)
    ended = room.finished(run, 20)
    assert ended.state == "stopped"
    assert _states(ended) == {"sleeps": "stopped", "shout-after": "stopped"}
    pid = int(next(room.folder.glob("pid-*")).name.removeprefix("pid-"))
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(RunIsOver):
        room.pipelines.cancel(OWNER, run.id)


def test_a_failed_run_is_resumed_where_it_failed(room: Room) -> None:
    blocked = room.folder / "elsewhere"
    run = room.run(flows.long_work, folder=str(blocked), seconds=0.0)
    assert run.state == "failed"
    blocked.mkdir()
    room.pipelines.resume(OWNER, run.id)
    ended = room.finished(run)
    assert ended.state == "done"
    with pytest.raises(RunCannotResume):
        room.pipelines.resume(OWNER, run.id)


def test_a_crash_is_told_and_not_repeated(room: Room) -> None:
    run = room.run(flows.dying, folder=str(room.folder), number=int(signal.SIGSEGV))
    assert "SIGSEGV" in run.error["message"]  # type: ignore[index]
    assert (room.folder / "deaths").read_text() == "x"


def test_a_killed_step_is_run_again_and_given_up_at_the_third_time(room: Room) -> None:
    run = room.run(flows.dying, folder=str(room.folder), number=int(signal.SIGKILL))
    assert "SIGKILL" in run.error["message"]  # type: ignore[index]
    assert (room.folder / "deaths").read_text() == "xxx"


def test_a_step_that_forks_has_one_result(room: Room) -> None:
    run = room.run(flows.forking, folder=str(room.folder))
    assert run.outputs == {"Output": "parent"}
    assert (room.folder / "child").exists()


def test_what_nobody_can_store_is_refused_by_its_type(room: Room) -> None:
    run = room.run(flows.unstorable)
    assert run.error is not None
    assert "Odd" in run.error["message"]
    assert "not pickled" in run.error["message"]
    assert "materializer" in run.error["hint"]


def test_arrays_and_series_go_from_step_to_step(room: Room) -> None:
    run = room.run(flows.arrays)
    assert run.outputs == {"Output": ["float32", [2, 3], "visits", [3, 4], 17.0]}
    assert {task.state for task in room.run(flows.arrays).tasks} == {"cached"}


def test_a_file_that_is_not_where_the_step_runs_is_told_with_the_way_to_it(room: Room) -> None:
    run = room.run(flows.reading_beside)
    assert run.error is not None
    assert "Path(__file__).parent / 'customers.csv'" in run.error["hint"]


def test_a_forgotten_return_is_told_where_its_value_is_missed(room: Room) -> None:
    run = room.run(flows.returning_nothing)
    assert run.error is not None
    assert "'total' needs the input 'table'" in run.error["message"]
    assert "`return`" in run.error["hint"]


def test_a_result_must_be_what_the_hint_says(room: Room) -> None:
    run = room.run(flows.lying)
    assert '"three"' in run.error["message"]  # type: ignore[index]


def test_a_step_that_leaves_the_interpreter_has_failed(room: Room) -> None:
    run = room.run(flows.leaving)
    assert "sys.exit(3)" in run.error["message"]  # type: ignore[index]


@pytest.mark.parametrize(("number", "taken"), [(9, 0), (2, 1)])
def test_only_the_branch_whose_condition_holds_runs(room: Room, number: int, taken: int) -> None:
    run = room.run(flows.branching, number=number)
    assert run.state == "done", run.error
    states = [_states(run)["condition-1"], _states(run)["condition-2"]]
    assert states[taken] == "done"
    assert states[1 - taken] == "skipped"
    assert run.outputs == {"Output": number / 10}


def test_two_steps_run_at_the_same_time(room: Room) -> None:
    run = room.run(flows.long_work, folder=str(room.folder), seconds=0.5)
    spans = {task.name: (task.started_at, task.ended_at) for task in run.tasks}
    first, second = spans["noted"], spans["noted-2"]
    assert first[0] < second[1]  # type: ignore[operator]
    assert second[0] < first[1]  # type: ignore[operator]


def test_the_platform_itself_does_a_step(
    sqlite: Database, workers: Workers, tmp_path: Path
) -> None:
    calls: list[OperationCall] = []

    def register(who: Principal, call: OperationCall) -> OperationResult:
        calls.append(call)
        return OperationResult(parameters={"version": 7})

    with pipelines_room(sqlite, tmp_path, workers, operations={"thing.register": register}) as room:
        run = room.run(flows.registering)
    assert run.outputs == {"Output": 107}
    assert calls[0].parameters == {"name": "churn"}
    assert [artifact.type for artifact in calls[0].artifacts["table"]] == ["table"]


def test_a_long_operation_holds_up_nobodys_writing(
    sqlite: Database, workers: Workers, tmp_path: Path
) -> None:
    waited: list[bool] = []

    def slow(who: Principal, call: OperationCall) -> OperationResult:
        def write() -> None:
            with sqlite.transaction():
                waited.append(True)

        other = Thread(target=write, daemon=True)
        other.start()
        other.join(20)
        assert (who, call.task) == (OWNER, "slow")
        return OperationResult(parameters={"number": len(waited)})

    @pipeline
    def at_length() -> object:
        return operation("slow", outputs={"number": int})()

    operations = {"slow": LongOperation(slow)}
    with pipelines_room(sqlite, tmp_path, workers, operations=operations) as room:
        run = room.run(at_length)
    assert (run.state, run.outputs) == ("done", {"Output": 1})


def test_a_failed_write_ends_its_run_alone_and_leaves_no_process(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = Recorder.launch

    def stumbling(self: Recorder, ordered: Ordered, task: Task, *rest: Any) -> None:
        launch(self, ordered, task, *rest)
        if ordered.run.pipeline == "sums":
            raise DatabaseFull

    monkeypatch.setattr(Recorder, "launch", stumbling)
    broken, whole = (
        room.submit(flows.sums, rows=5),
        room.submit(flows.long_work, folder=str(room.folder)),
    )
    assert room.finished(broken).state == "failed"
    assert room.finished(whole).state == "done"
    lines = (room.folder / "done").read_text().splitlines()
    assert sorted(lines) == ["first", "joined", "second", "table 5", "table 6"]


def test_an_unknown_operation_is_named(room: Room) -> None:
    run = room.run(flows.registering)
    assert "thing.register" in run.error["message"]  # type: ignore[index]


def test_an_artifact_is_loaded_by_its_own_type(room: Room) -> None:
    table = room.run(flows.long_work, folder=str(room.folder)).outputs["Output"]["id"]
    submission = Submission(yaml=yaml_of(flows.summing), artifacts={"table": f"artifact:{table}"})
    run = room.finished(room.pipelines.submit(OWNER, submission))
    assert run.outputs == {"Output": 0 + 1 + 2 + 3 + 4 + 0 + 1 + 2 + 3 + 4 + 5}
    assert run.artifacts == {"table": table}


def test_a_second_submission_with_the_same_key_is_the_first(room: Room) -> None:
    submission = Submission(yaml=yaml_of(flows.sums), key="once")
    first = room.pipelines.submit(OWNER, submission)
    assert room.pipelines.submit(OWNER, submission).id == first.id
    room.finished(first)


def test_a_function_is_wrapped_from_outside(room: Room) -> None:
    def composed() -> object:
        return step(flows.plain)("ab", 2)

    assert flows.plain("ab", 2) == "abab"
    run = room.run(pipeline(composed))
    assert run.outputs == {"Output": "abab"}


def test_lost_blobs_are_made_anew(room: Room) -> None:
    first = room.run(flows.long_work, folder=str(room.folder))
    artifact = room.lineage.artifact(OWNER, first.outputs["Output"]["id"])
    path = room.storage.path_of(artifact.metadata["blob"])
    assert path is not None
    path.unlink()
    second = room.run(flows.long_work, folder=str(room.folder))
    assert _states(second)["joined"] == "done"
    assert second.outputs["Output"]["digest"] == first.outputs["Output"]["digest"]


def test_the_record_of_an_input_that_is_no_table_is_clear(room: Room) -> None:
    new = NewArtifact(type="odd", name="odd", uri="", digest="sha256:00")
    odd = room.lineage.record(OWNER, new)
    submission = Submission(yaml=yaml_of(flows.summing), artifacts={"table": odd.id})
    run = room.finished(room.pipelines.submit(OWNER, submission))
    assert "'odd'" in run.error["message"]  # type: ignore[index]
