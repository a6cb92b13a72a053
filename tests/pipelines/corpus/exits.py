"""Exit tasks, retries, and tasks that run whatever happened before."""

# What stands for an output while a pipeline is written down is Any to a type checker.
# mypy: disable-error-code="no-any-return,call-arg,arg-type,attr-defined,deprecated"

import pathlib

from athanor import ExitHandler, FinalStatus, pipeline, step
from tests.pipelines.corpus.blocks import double, fails, joined, number, word
from tests.pipelines.corpus.cases import Case


@step(cache=False)
def told(note: str, status: FinalStatus) -> str:
    return f"{note} {status.state} {status.pipeline_task_name}"


@pipeline
def an_exit_task_after_success() -> int:
    with ExitHandler(told("ended")):
        found = double(4)
    return found  # noqa: RET504 - the task is of the block


@pipeline
def an_exit_task_after_a_failure() -> None:
    with ExitHandler(told("ended")):
        fails("on purpose")


@pipeline
def an_exit_task_without_a_status() -> int:
    with ExitHandler(word("bye")):
        found = number(3)
    return found  # noqa: RET504 - the task is of the block


@pipeline
def a_task_regardless_of_failure() -> str:
    bad = fails("on purpose")
    return word("still here").after(bad).ignore_upstream_failure()


@step
def maybe_joined(left: str, right: str = "nothing") -> str:
    return f"{left} and {right}"


@pipeline
def a_default_in_place_of_a_failed_output() -> str:
    bad = fails("on purpose")
    return maybe_joined("left", bad).ignore_upstream_failure()


@step(retries=2, backoff=0.01, cache=False)
def unsteady(folder: str) -> int:
    tries = pathlib.Path(folder, "tries")
    tries.parent.mkdir(parents=True, exist_ok=True)
    done = tries.read_text() if tries.exists() else ""
    tries.write_text(done + "x")
    if len(done) < 2:
        raise RuntimeError("not yet")
    return len(done)


@pipeline
def a_step_tried_again(folder: str) -> int:
    return unsteady(folder)


@pipeline
def independent_branches_go_on() -> None:
    fails("on purpose")
    joined("a", "b")


@pipeline
def what_follows_a_failure_is_skipped() -> str:
    return joined(fails("on purpose"), "b")


CASES = [
    Case(
        pipeline=an_exit_task_after_success,
        gives={"Output": 8},
        states={"told": "done", "exit-handler-1": "done"},
    ),
    Case(
        pipeline=an_exit_task_after_a_failure,
        state="failed",
        states={"told": "done", "exit-handler-1/fails": "failed"},
    ),
    Case(pipeline=an_exit_task_without_a_status, gives={"Output": 3}, states={"word": "done"}),
    Case(
        pipeline=a_task_regardless_of_failure,
        state="failed",
        states={"fails": "failed", "word": "done"},
    ),
    Case(
        pipeline=a_default_in_place_of_a_failed_output,
        state="failed",
        states={"fails": "failed", "maybe-joined": "done"},
    ),
    Case(
        pipeline=independent_branches_go_on,
        state="failed",
        states={"fails": "failed", "joined": "done"},
    ),
    Case(
        pipeline=what_follows_a_failure_is_skipped,
        state="failed",
        states={"fails": "failed", "joined": "skipped"},
    ),
]
