"""Jobs: one contract over every store, and what the queue promises on top."""

import threading
from datetime import timedelta

import pytest

from athanor.kernel.database import Database
from athanor.kernel.errors import Invalid, Unavailable
from athanor.kernel.jobs import LEASE, Job, JobNotFound, Jobs, JobStore, SqlJobStore
from athanor.testing import FixedClock
from athanor.testing.jobs import JobStoreContract
from athanor.testing.memory import MemoryJobStore


class TestMemoryJobStore(JobStoreContract):
    @pytest.fixture
    def store(self) -> JobStore:
        return MemoryJobStore()


class TestSqlJobStore(JobStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> JobStore:
        return SqlJobStore(database)


class TestJobs:
    @pytest.fixture
    def jobs(self, database: Database, clock: FixedClock) -> Jobs:
        return Jobs(SqlJobStore(database), clock)

    def test_a_job_is_done_once_and_keeps_its_result(self, jobs: Jobs) -> None:
        done: list[Job] = []

        def sweep(job: Job) -> dict[str, int]:
            done.append(job)
            return {"removed": 3}

        jobs.handle("sweep", sweep)
        job = jobs.submit("sweep", {"depth": 2})
        assert jobs.run_next("w")
        assert not jobs.run_next("w")
        assert [(item.id, item.payload) for item in done] == [(job.id, {"depth": 2})]
        ended = jobs.get(job.id)
        assert (ended.state, ended.result, ended.attempts) == ("done", {"removed": 3}, 1)

    def test_two_chains_that_end_at_once_go_on_as_one(self, jobs: Jobs, clock: FixedClock) -> None:
        every = timedelta(seconds=3)

        def again(_job: Job) -> None:
            jobs.submit_next("look", every)

        jobs.handle("look", again)
        jobs.submit_next("look", every)  # what the server before left
        jobs.submit("look", key="look")  # how a server begins
        clock.advance(every)
        both = [jobs.take(worker) for worker in ("a", "b")]
        for job in both:
            assert job is not None
            again(job)  # both are running while each queues the next
        for job, worker in zip(both, ("a", "b"), strict=True):
            assert job is not None
            jobs.work(job, worker)
        for _ in range(3):
            clock.advance(every)
            assert jobs.run_next("a")
            assert not jobs.run_next("b")

    def test_an_unknown_one_is_named(self, jobs: Jobs) -> None:
        with pytest.raises(JobNotFound):
            jobs.get("0" * 32)

    def test_it_is_queued_with_the_transaction_around_it(
        self, database: Database, jobs: Jobs
    ) -> None:
        jobs.handle("sweep", lambda _job: None)

        def lose() -> None:
            with database.transaction():
                jobs.submit("sweep")
                raise RuntimeError

        with pytest.raises(RuntimeError):
            lose()
        assert not jobs.run_next("w")

    def test_accidents_are_tried_again_later_and_later(self, jobs: Jobs, clock: FixedClock) -> None:
        def fail(_job: Job) -> None:
            raise Unavailable("Busy.")

        jobs.handle("sweep", fail, max_attempts=3)
        job = jobs.submit("sweep")
        for wait in (1.0, 2.0):
            assert jobs.run_next("w")
            assert jobs.get(job.id).state == "queued"
            clock.advance(wait - 0.1)
            assert not jobs.run_next("w")
            clock.advance(0.1)
        assert jobs.run_next("w")
        ended = jobs.get(job.id)
        assert (ended.state, ended.attempts) == ("failed", 3)
        assert ended.error is not None
        assert ended.error["message"] == "Busy."

    def test_a_callers_mistake_is_not_tried_again(self, jobs: Jobs) -> None:
        def fail(_job: Job) -> None:
            raise Invalid("Wrong.")

        jobs.handle("sweep", fail)
        job = jobs.submit("sweep")
        jobs.run_next("w")
        assert jobs.get(job.id).state == "failed"

    def test_an_unexpected_failure_is_kept_with_its_name(
        self, jobs: Jobs, clock: FixedClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        jobs.handle("sweep", lambda _job: {"x": 1 // 0}, max_attempts=1)
        job = jobs.submit("sweep")
        jobs.run_next("w")
        error = jobs.get(job.id).error
        assert error is not None
        assert "ZeroDivisionError" in error["message"]
        assert "failed" in caplog.text

    def test_the_dead_ones_job_is_taken_over(self, jobs: Jobs, clock: FixedClock) -> None:
        seen: list[int] = []

        def die_first(job: Job) -> None:
            seen.append(job.attempts)
            if job.attempts == 1:
                raise SystemExit  # as if the process ended here

        jobs.handle("sweep", die_first)
        job = jobs.submit("sweep")
        with pytest.raises(SystemExit):
            jobs.run_next("dead")
        assert not jobs.run_next("next")
        clock.advance(LEASE + timedelta(seconds=1))
        assert jobs.run_next("next")
        assert (seen, jobs.get(job.id).state) == ([1, 2], "done")

    def test_a_start_takes_back_what_was_held(self, jobs: Jobs) -> None:
        def die(job: Job) -> None:
            if job.attempts == 1:
                raise SystemExit

        jobs.handle("sweep", die)
        jobs.submit("sweep")
        with pytest.raises(SystemExit):
            jobs.run_next("dead")
        assert jobs.recover() == 1
        assert jobs.run_next("next")

    def test_a_handler_queues_itself_again_under_its_key(
        self, jobs: Jobs, clock: FixedClock
    ) -> None:
        """While it runs its key is taken; so the next one is submitted under the next time's."""
        times: list[str] = []

        def tick(job: Job) -> None:
            times.append(str(job.key))
            at = clock.now() + timedelta(hours=1)
            jobs.submit("tick", key=f"tick {at.isoformat()}", run_at=at)

        jobs.handle("tick", tick)
        jobs.submit("tick", key="tick")
        assert jobs.run_next("w")
        assert not jobs.run_next("w")
        clock.advance(timedelta(hours=1))
        assert jobs.run_next("w")
        assert times == ["tick", "tick 2026-01-01T01:00:00+00:00"]

    def test_the_same_key_at_the_same_moment_is_one_job(self, jobs: Jobs) -> None:
        found: list[str] = []
        together = threading.Barrier(8)

        def submit() -> None:
            for number in range(5):
                together.wait(20)
                found.append(f"{number} {jobs.submit('sweep', key=str(number)).id}")

        threads = [threading.Thread(target=submit) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 40
        assert len(set(found)) == 5
