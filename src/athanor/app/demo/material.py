"""What the demo plays with: a simulated stream, or anyone's table, in three parts."""

import importlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from athanor.app.demo.truth import DriftTruth
from athanor.data import ReadOptions
from athanor.kernel import Invalid, NotFound, nearest

if TYPE_CHECKING:
    import pyarrow as pa

TRAIN_SHARE = 0.7
FEWEST_ROWS = 300
"""A table with fewer rows shows nothing: its parts are too small to judge by."""

# The stream: months to train on, healthy months of traffic, drifted months of traffic.
_TRAIN_MONTHS = 6
_HEALTHY_MONTHS = 1
_DRIFTED_MONTHS = 3


class TooFewRows(Invalid):
    """The table is too small for the loop."""

    def __init__(self, rows: int) -> None:
        super().__init__(
            f"The table has {rows} rows; the loop needs at least {FEWEST_ROWS}.",
            hint="Give a larger table, or none: the demo then simulates one.",
        )


class TableMissing(NotFound):
    """The table's file is not there."""

    def __init__(self, file: Path) -> None:
        super().__init__(f"There is no file {str(file)!r}.", hint="Give a CSV or Parquet file.")


class UnknownTableColumn(NotFound):
    """A column that the table does not have."""

    def __init__(self, option: str, name: str, known: list[str]) -> None:
        super().__init__(
            f"The table has no column {name!r} (given as {option}).",
            hint=nearest(name, known) or f"Its columns are: {', '.join(known)}.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What the columns of a table are for; "" where there is none."""

    target: str
    id: str = ""
    time: str = ""
    sensitive: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A table in three parts: to train on, healthy traffic, drifted traffic."""

    name: str
    file: Path
    """The raw file, as it was given or simulated."""
    first_rows: int
    """How many rows of the raw file (in order of time, if it has one) are for training."""
    first_share: float
    """The same as a share of the raw file's rows, 0 to 1."""
    columns: Columns
    header: list[str]
    healthy: list[dict[str, Any]]
    drifted: list[dict[str, Any]]
    truth: DriftTruth = field(repr=False)


def simulated(folder: Path, seed: int = 7) -> Material:
    """The bank-customer stream, written as a CSV file into `folder`."""
    stream = importlib.import_module("athanor.app.demo.stream")
    last_healthy = _TRAIN_MONTHS + _HEALTHY_MONTHS
    plan = stream.StreamPlan(
        seed=seed,
        months=last_healthy + _DRIFTED_MONTHS,
        rows_per_month=1000,
        drift_month=last_healthy + 1,
    )
    made = stream.bank_stream(plan)
    file = folder / "bank_customers.csv"
    train = made.months(1, _TRAIN_MONTHS)
    stream.write_csv(train, file)
    return Material(
        name="churn",
        file=file,
        first_rows=train.num_rows,
        first_share=1.0,
        columns=Columns(target=stream.TARGET, id=stream.ID, time=stream.TIME, sensitive="Gender"),
        header=made.table.column_names,
        healthy=made.months(_TRAIN_MONTHS + 1, last_healthy).to_pylist(),
        drifted=made.months(last_healthy + 1, plan.months).to_pylist(),
        truth=made.truth,
    )


def from_table(file: Path, columns: Columns) -> Material:
    """Anyone's table: the last 30 % of its rows, in order of time or of the file, are traffic.

    A synthetic shift of one column is applied to the second half of the traffic.
    Raises: UnknownTableColumn, TooFewRows, and what is wrong with the file.
    """
    shift = importlib.import_module("athanor.app.demo.shift")
    table = _read(file)
    for option in ("target", "id", "time", "sensitive"):
        name = getattr(columns, option)
        if name and name not in table.column_names:
            raise UnknownTableColumn(f"--{option}", name, table.column_names)
    if table.num_rows < FEWEST_ROWS:
        raise TooFewRows(table.num_rows)
    if columns.time:
        table = table.sort_by([(columns.time, "ascending")])
    first = int(table.num_rows * TRAIN_SHARE)
    traffic = table.slice(first)
    shifted = shift.shift_copy(
        traffic, target=columns.target, leave_out={columns.id, columns.time, columns.target} - {""}
    )
    half = traffic.num_rows // 2
    return Material(
        name=_name(file),
        file=file,
        first_rows=first,
        first_share=TRAIN_SHARE,
        columns=columns,
        header=table.column_names,
        healthy=traffic.slice(0, half).to_pylist(),
        drifted=shifted.table.slice(half).to_pylist(),
        truth=shifted.truth,
    )


def _read(file: Path) -> "pa.Table":
    """The table as the platform reads it."""
    arrow = importlib.import_module("pyarrow")
    reading = importlib.import_module("athanor.data.work.reading")
    if not file.is_file():
        raise TableMissing(file)
    with tempfile.TemporaryDirectory() as scratch:
        found = reading.look_through(file, file.name, Path(scratch), ReadOptions(), {})
        return arrow.Table.from_batches(found.rows.batches(), schema=found.rows.schema())


def _name(file: Path) -> str:
    stem = file.name.partition(".")[0].lower()
    kept = "".join(mark if mark.isalnum() and mark.isascii() else "-" for mark in stem).strip("-")
    return kept or "table"
