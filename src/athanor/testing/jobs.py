"""What every `JobStore` must do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from athanor.kernel.ids import new_id
from athanor.kernel.jobs import LEASE, Job, JobStore

_NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


def a_job(kind: str = "sweep", **fields: Any) -> Job:
    """A queued job, due since a moment ago."""
    values: dict[str, Any] = {
        "id": new_id(),
        "kind": kind,
        "payload": {"depth": 2, "names": ["ä"]},
        "run_at": _NOW,
        "created_at": _NOW,
    }
    return Job(**(values | fields))


class JobStoreContract:
    """Subclass it with a fixture `store`, an empty store."""

    def test_a_job_comes_back_whole(self, store: JobStore) -> None:
        job = a_job(key="k", project="p", max_attempts=5)
        assert store.append(job) == job
        assert store.find(job.id) == job
        assert store.find(new_id()) is None

    def test_an_unfinished_key_is_one_job(self, store: JobStore) -> None:
        first = store.append(a_job(key="nightly"))
        assert store.append(a_job(key="nightly")).id == first.id
        taken = store.lease("w", ("sweep",), _NOW)
        assert taken is not None
        assert store.append(a_job(key="nightly")).id == first.id
        assert store.finish(replace(taken, state="done", finished_at=_NOW), "w")
        second = store.append(a_job(key="nightly"))
        assert second.id != first.id
        assert store.append(a_job()).id != store.append(a_job()).id

    def test_only_what_is_due_and_known_is_leased(self, store: JobStore) -> None:
        later = store.append(a_job(run_at=_NOW + _SECOND))
        store.append(a_job("other"))
        assert store.lease("w", ("sweep",), _NOW) is None
        taken = store.lease("w", ("sweep",), _NOW + _SECOND)
        assert taken is not None
        assert taken.id == later.id
        assert (taken.state, taken.leased_by, taken.attempts) == ("running", "w", 1)
        assert taken.lease_until == _NOW + _SECOND + LEASE
        assert store.find(later.id) == taken

    def test_the_oldest_first_and_each_once(self, store: JobStore) -> None:
        jobs = [store.append(a_job(run_at=_NOW - number * _SECOND)) for number in range(4)]
        taken = [store.lease(f"w{number}", ("sweep",), _NOW) for number in range(5)]
        assert [job and job.id for job in taken] == [*(job.id for job in jobs[::-1]), None]

    def test_a_lease_ends_unless_renewed(self, store: JobStore) -> None:
        job = store.append(a_job())
        store.lease("dead", ("sweep",), _NOW)
        assert store.lease("next", ("sweep",), _NOW + LEASE) is None
        assert store.renew(job.id, "dead", _NOW + 2 * LEASE)
        assert store.lease("next", ("sweep",), _NOW + LEASE + _SECOND) is None
        taken = store.lease("next", ("sweep",), _NOW + 2 * LEASE + _SECOND)
        assert taken is not None
        assert (taken.leased_by, taken.attempts) == ("next", 2)

    def test_who_lost_the_lease_changes_nothing(self, store: JobStore) -> None:
        job = store.append(a_job())
        store.lease("slow", ("sweep",), _NOW)
        taken = store.lease("next", ("sweep",), _NOW + LEASE + _SECOND)
        assert not store.renew(job.id, "slow", _NOW + 9 * LEASE)
        assert not store.finish(replace(job, state="failed", finished_at=_NOW), "slow")
        assert store.find(job.id) == taken

    def test_an_outcome_is_kept(self, store: JobStore) -> None:
        job = store.append(a_job())
        taken = store.lease("w", ("sweep",), _NOW)
        assert taken is not None
        done = replace(taken, state="done", result={"removed": 3}, finished_at=_NOW + _SECOND)
        assert store.finish(done, "w")
        assert store.find(job.id) == replace(done, leased_by=None, lease_until=None)
        assert not store.finish(done, "w")
        assert not store.renew(job.id, "w", _NOW + LEASE)
        assert store.lease("w", ("sweep",), _NOW + 9 * LEASE) is None

    def test_one_to_be_tried_again_waits_until_then(self, store: JobStore) -> None:
        store.append(a_job())
        taken = store.lease("w", ("sweep",), _NOW)
        assert taken is not None
        again = replace(taken, state="queued", run_at=_NOW + 5 * _SECOND, error={"error": "busy"})
        assert store.finish(again, "w")
        assert store.lease("w", ("sweep",), _NOW + 4 * _SECOND) is None
        taken = store.lease("w", ("sweep",), _NOW + 5 * _SECOND)
        assert taken is not None
        assert (taken.attempts, taken.error) == (2, {"error": "busy"})

    def test_what_the_dead_held_is_released(self, store: JobStore) -> None:
        for number in range(3):
            store.append(a_job())
            store.lease(f"w{number}", ("sweep",), _NOW)
        assert store.release("w1") == 1
        assert store.release() == 2
        assert store.release() == 0
        taken = store.lease("next", ("sweep",), _NOW)
        assert taken is not None
        assert taken.attempts == 2

    def test_old_ends_are_forgotten(self, store: JobStore) -> None:
        jobs = [store.append(a_job()) for _ in range(3)]
        for number in range(2):
            taken = store.lease("w", ("sweep",), _NOW)
            assert taken is not None
            ended = replace(taken, state="done", finished_at=_NOW + number * _SECOND)
            assert store.finish(ended, "w")
        assert store.forget(_NOW + _SECOND) == 1
        assert sum(store.find(job.id) is not None for job in jobs) == 2
