"""Ten thousand tasks in one run: the last costs what the first did, and the run stays readable."""

import itertools
import time

import pytest

from athanor.kernel import OWNER
from athanor.pipelines import Collected, ParallelFor, Pipeline, Submission, pipeline, step
from athanor.testing.pipelines import Room, yaml_of

TASKS = 10_000
_PARTS = 5


@step(cache=False)
def one_more(value: int) -> int:
    return value + 1


@step(cache=False)
def total(values: list[int]) -> int:
    return sum(values)


def fan_of(count: int) -> Pipeline[[], int]:
    def many() -> int:
        with ParallelFor(list(range(count))) as item:
            made = one_more(item)
        return total(Collected(made))

    return pipeline(many)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_ten_thousand_tasks_cost_the_same_each(room: Room) -> None:
    run = room.pipelines.submit(OWNER, Submission(yaml=yaml_of(fan_of(TASKS))))
    marks, looks = [(0, time.process_time())], [0.0]
    while (found := room.pipelines.run(OWNER, run.id, limit=0)).state in {"waiting", "running"}:
        done = found.counts.get("done", 0)
        if done >= len(marks) * TASKS // _PARTS:
            marks.append((done, time.process_time()))
            began = time.thread_time()
            page = room.pipelines.run(OWNER, run.id, limit=100)
            looks.append(time.thread_time() - began)
            assert len(page.tasks) == 100
        time.sleep(0.5)
    assert found.state == "done", found.error
    assert found.outputs == {"Output": TASKS * (TASKS + 1) // 2}
    assert found.counts == {"done": TASKS + 1}
    costs = [
        (after[1] - before[1]) / (after[0] - before[0])
        for before, after in itertools.pairwise(marks)
    ]
    assert max(costs[1:]) < 1.5 * costs[0], costs
    assert max(looks) < 0.5, looks
