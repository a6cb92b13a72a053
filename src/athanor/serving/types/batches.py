"""The nouns of batch prediction: what goes in, how it is worked through, what came of it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from athanor.kernel import DEFAULT_PROJECT

BatchState = Literal["queued", "running", "done", "failed", "cancelled"]
BATCH_ENDED: frozenset[BatchState] = frozenset({"done", "failed", "cancelled"})
"""The states that a batch does not leave by itself; `resume` takes it out of the last two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFile:
    """A file that was sent to be predicted."""

    file: str
    """What its owner calls it; the ending tells the format: CSV, JSON, JSON lines, Parquet or
    Arrow, each maybe with `.gz`."""
    digest: str
    """`sha256:<hex>` of its bytes."""
    size: int = 0
    """Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """Rows to be predicted by a model version: one of `dataset`, `sql` and `files` is given."""

    model: str
    """A reference: `churn`, `churn@champion`, `churn@3`. Pinned when the batch is submitted."""
    to: str
    """The dataset whose next version the predictions become; made if it is not there."""
    dataset: str = ""
    """A dataset version: `customers`, `customers@latest`, `customers@3`. Pinned as well."""
    sql: str = ""
    """One SELECT over whatever SQL may read. It is run once; what it gave is kept for a resume."""
    files: tuple[BatchFile, ...] = ()
    """Files that were sent before."""
    keep: tuple[str, ...] | None = None
    """The input columns to stand beside the predictions; None keeps all, an empty tuple none."""
    mode: Literal["replace", "append"] = "replace"
    """Whether the predictions are the whole next version, or come after the latest one's rows."""
    chunk_rows: int = 250_000
    """Rows of a chunk, about: what a kill costs at most. 1,000 to 10,000,000."""
    workers: int = 0
    """Processes; 0 takes one a core. At most 64."""
    max_errors: int = 0
    """Rows that the model may refuse; they get a null prediction and the reason. One more fails
    the batch."""
    project: str = DEFAULT_PROJECT
    idempotency_key: str | None = None
    """A repetition with the same one returns the first one's batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch prediction, from its submission on."""

    id: str
    """Also the id of its run, of kind `batch`."""
    project: str
    state: BatchState
    model: str
    version: int
    artifact: str
    """The id of the model's artifact."""
    digest: str
    """Of the model's folder."""
    source: dict[str, Any]
    """What goes in: {dataset}, {sql} or {files}."""
    to: str
    settings: dict[str, Any]
    """keep, mode, chunk_rows, workers, max_errors, as they were asked for."""
    rows: int | None = None
    """Of the input; None until it is counted."""
    rows_done: int = 0
    chunks: int = 0
    chunks_done: int = 0
    errors: int = 0
    """Rows that the model refused."""
    attempts: int = 0
    """How often it was begun: 1 where nothing was killed and nothing resumed."""
    dataset_version: int | None = None
    """The version of `to` that holds the predictions, once it is done."""
    output: str | None = None
    """The id of that version's artifact."""
    error: dict[str, Any] | None = None
    """Why it failed: `error`, `message`, `hint`."""
    figures: dict[str, float] = field(default_factory=dict)
    """cpu_seconds, seconds, rows_per_second of the last attempt's scoring; workers."""
    created_by: str
    created_at: datetime
    started_at: datetime | None = None
    """When the first attempt began."""
    ended_at: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.state in BATCH_ENDED
