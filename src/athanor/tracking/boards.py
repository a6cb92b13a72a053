"""TensorBoard's event files among a run's artifacts become its metrics."""

import logging
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from athanor.kernel import SYSTEM, Job, Jobs, Storage
from athanor.tracking.errors import BadArtifactPath, RunDeleted, TrackedRunNotFound
from athanor.tracking.files import FileEntry
from athanor.tracking.logic.boards.events import Reading, is_event_file, key_of, read_scalars
from athanor.tracking.logic.paths import place_of
from athanor.tracking.service.tracking import Tracking
from athanor.tracking.types import Batch, NewMetric

_KIND = "tracking.board"
_TOGETHER = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE = re.compile(r"(?:.+/)?([0-9a-f]{32})/artifacts/.+")

_log = logging.getLogger(__name__)


class BoardWatch:
    """Reads event files as they are uploaded; one that has grown is read again."""

    def __init__(self, tracking: Tracking, jobs: Jobs, storage: Storage) -> None:
        self._tracking = tracking
        self._jobs = jobs
        self._storage = storage
        jobs.handle(_KIND, self._read)

    def note(self, entry: FileEntry) -> None:
        """Have an event file read that stands among the artifacts of a run. Others are no matter.

        Called in the transaction that puts it there: what is shown is what was kept.
        """
        found = _PLACE.fullmatch(entry.path)
        if found is None or not is_event_file(entry.path):
            return
        payload = {"run": found[1], "path": entry.path, "digest": entry.digest}
        self._jobs.submit(_KIND, payload, key=f"{_KIND}:{entry.digest}:{found[1]}")

    def _read(self, job: Job) -> Mapping[str, Any]:
        run_id, path = str(job.payload["run"]), str(job.payload["path"])
        reading, points = Reading(), 0
        try:
            below = self._below(run_id, path)
            for batch in self._batches(str(job.payload["digest"]), below, reading):
                self._tracking.log(SYSTEM, run_id, Batch(metrics=batch))
                points += len(batch)
        except (TrackedRunNotFound, RunDeleted, BadArtifactPath) as gone:
            return {"points": points, "stopped": gone.message}
        if reading.damaged or reading.cut:
            _log.warning(
                "%s: %d damaged records were passed over%s",
                path,
                reading.damaged,
                "; its end can't be read" if reading.cut else "",
            )
        return {"points": points, "damaged": reading.damaged, "cut": reading.cut}

    def _below(self, run_id: str, path: str) -> str:
        """The file's path below the run's artifacts."""
        root = place_of(self._tracking.run(SYSTEM, run_id).info.artifact_uri).path
        _, anchor, below = path.partition(f"{root}/")
        if not anchor:
            raise BadArtifactPath("it is no artifact of the run")
        return below

    def _batches(self, digest: str, below: str, reading: Reading) -> Iterator[list[NewMetric]]:
        batch: list[NewMetric] = []
        with self._storage.open(digest) as stream:
            for scalar in read_scalars(stream, reading):
                point = NewMetric(
                    key=key_of(below, scalar.tag),
                    value=scalar.value,
                    step=scalar.step,
                    at=_EPOCH + timedelta(microseconds=scalar.at),
                )
                batch.append(point)
                if len(batch) == _TOGETHER:
                    yield batch
                    batch = []
        if batch:
            yield batch
