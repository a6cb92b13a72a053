"""A file becomes a version: read, checked, and committed, or set apart, in one process."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from athanor.data.errors import NoRoomForTable, UnfitTable, UnknownColumn
from athanor.data.logic.expectations import suggested, typed_columns
from athanor.data.logic.inference import STORED, Kind
from athanor.data.logic.normalise import column_type, to_normal
from athanor.data.types import (
    CheckResult,
    Column,
    Expectation,
    Profile,
    ReadOptions,
    Roles,
    Source,
)
from athanor.data.work import delta
from athanor.data.work.first import first_of
from athanor.data.work.profile import connected, profile_of
from athanor.data.work.reading import Reading, look_through
from athanor.data.work.verify import Subject, verified
from athanor.kernel.errors import AthanorError
from athanor.lineage.logic.digests import table_digest

_BATCH_ROWS = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The version that a new one builds on."""

    table_uri: str
    delta_version: int
    files: tuple[str, ...]
    columns: tuple[Column, ...]

    def paths(self) -> list[str]:
        """Where its files lie."""
        return delta.located(self.table_uri, self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be done."""

    path: str
    file: str
    scratch: str
    """A folder of this task's own, on the tables' file system where possible."""
    stem: str
    """What its data files are called; never used twice."""
    table_uri: str
    quarantine_uri: str
    append: bool
    read: ReadOptions
    roles: Roles
    """All roles of the dataset, those of this version included."""
    named: Roles
    """The roles that were named with this file: their columns must exist."""
    expectations: tuple[Expectation, ...] | None
    """None: the first version, from whose profile they are suggested."""
    base: Base | None
    """The latest ready version."""
    table_version: int | None
    """The Delta version of the latest ready version; None if the table has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What came of it."""

    state: str
    digest: str
    rows: int
    columns: tuple[Column, ...]
    table_uri: str
    delta_version: int
    files: tuple[str, ...]
    size: int
    """Bytes of its files."""
    checks: tuple[CheckResult, ...]
    expectations: tuple[Expectation, ...]
    left_out: dict[str, str]
    notes: tuple[str, ...]
    profile: str
    """As JSON."""
    source: Source
    cpu_seconds: float


def ingest(task: dict[str, Any]) -> dict[str, Any]:
    """Do a `Task` (as plain data); returns a `Made` (as plain data).

    Raises: UnreadableFile and its kinds, UnknownColumn, UnfitTable, LostTheLease, NoRoomForTable.
    """
    began, asked = time.process_time(), msgspec.convert(task, Task)
    try:
        made = _made(asked)
    except Exception as error:
        # pyarrow, DuckDB and deltalake each have a class of their own for a full disk.
        if not isinstance(error, AthanorError) and "no space left" in str(error).lower():
            raise NoRoomForTable(asked.file) from error
        raise
    return asdict(made) | {"cpu_seconds": round(time.process_time() - began, 4)}


def _made(task: Task) -> Made:
    wanted = _wanted(task)
    reading = look_through(Path(task.path), task.file, Path(task.scratch), task.read, wanted)
    own = reading.rows.schema()
    _check_roles(task.named, own.names)
    if task.read.first < 1:
        reading = first_of(reading, task.read.first, task.roles.time)
    appends = task.append and task.base is not None
    schema, rewrites = own, False
    whole_columns = set(typed_columns(task.expectations or ())) <= set(own.names)
    if appends and whole_columns and not reading.mismatched and task.base is not None:
        schema, rewrites = merged(_schema_of(task.base), own)
    batches = (aligned(batch, schema) for batch in reading.rows.batches())
    files = delta.staged(batches, schema, Path(task.scratch), task.stem)
    paths = [str(file.path) for file in files]
    profile = _profile(paths, schema, reading.count, task.roles)
    expectations = task.expectations
    if expectations is None:
        expectations = tuple(suggested(profile, present(task.roles, own.names)))
    whole = profile
    if appends and whole_columns and not reading.mismatched and task.base is not None:
        everything = [*task.base.paths(), *paths]
        whole = _profile(everything, schema, _count(everything), task.roles)
    checks = _checks(task, reading, profile, whole, expectations, paths)
    failing = [check for check in checks if not check.passed and check.severity == "fail"]
    if failing and task.base is None:
        raise UnfitTable(task.file, [(check.message, list(check.rows)) for check in failing])
    if failing:
        return _set_apart(task, reading, files, schema, profile, checks, expectations)
    return _committed(task, reading, files, (schema, rewrites), whole, checks, expectations)


def _wanted(task: Task) -> dict[str, Kind]:
    """The types that columns must have, by the expectations and the base's stored types."""
    if task.base is None or task.expectations is None:
        return {}
    known = {column.name: column.type for column in task.base.columns}
    expected = typed_columns(task.expectations)
    return {
        name: known.get(name, kind)  # type: ignore[misc]
        for name, kind in expected.items()
        if known.get(name, kind) in STORED
    }


def _check_roles(named: Roles, names: Sequence[str]) -> None:
    asked = [("target", named.target), ("id", named.id), ("time", named.time)]
    for role, name in [*asked, *(("sensitive", item) for item in named.sensitive)]:
        if name and name not in names:
            raise UnknownColumn(role, name, names)


def present(roles: Roles, names: Sequence[str]) -> Roles:
    """The roles whose columns exist."""
    return Roles(
        target=roles.target if roles.target in names else "",
        id=roles.id if roles.id in names else "",
        time=roles.time if roles.time in names else "",
        sensitive=tuple(name for name in roles.sensitive if name in names),
    )


def merged(table: pa.Schema, new: pa.Schema) -> tuple[pa.Schema, bool]:
    """The schema of a table with rows of another schema, and whether its old rows must change.

    Whole numbers become numbers where either side has them, days become times; columns that only
    one side has are missing in the other's rows. The table's order comes first.
    """
    fields, rewrites = [], False
    for field in table:
        place = new.get_field_index(field.name)
        kind = field.type if place < 0 else _wider(field.type, new.field(place).type)
        rewrites = rewrites or kind != field.type
        fields.append(pa.field(field.name, kind))
    known = set(table.names)
    extra = [field for field in new if field.name not in known]
    return pa.schema([*fields, *extra]), rewrites or bool(extra)


def _wider(first: pa.DataType, second: pa.DataType) -> pa.DataType:
    if first == second:
        return first
    kinds = {column_type(first), column_type(second)}
    if kinds == {"integer"}:
        return pa.int64()
    if kinds in ({"integer", "number"}, {"number"}, {"decimal", "number"}, {"decimal", "integer"}):
        return pa.float64()
    if kinds == {"date", "timestamp"}:
        return first if column_type(first) == "timestamp" else second
    return first


def aligned(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch in another schema's order and types; absent columns are missing values."""
    arrays = []
    for field in schema:
        place = batch.schema.get_field_index(field.name)
        if place < 0:
            arrays.append(pa.nulls(batch.num_rows, field.type))
        else:
            arrays.append(to_normal(batch.column(place), field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _profile(paths: Sequence[str], schema: pa.Schema, rows: int, roles: Roles) -> Profile:
    with connected(paths) as connection:
        return profile_of(connection, schema, rows, present(roles, schema.names))


def _count(paths: Sequence[str]) -> int:
    return sum(pq.read_metadata(path).num_rows for path in paths)


def _checks(
    task: Task,
    reading: Reading,
    profile: Profile,
    whole: Profile,
    expectations: Sequence[Expectation],
    paths: Sequence[str],
) -> list[CheckResult]:
    appends = task.append and task.base is not None
    with connected(paths, earlier=task.base.paths() if appends and task.base else ()) as connection:
        subject = Subject(
            connection=connection,
            profile=profile,
            whole=whole,
            appended=appends,
            mismatched=reading.mismatched,
        )
        return verified(subject, expectations)


def _set_apart(
    task: Task,
    reading: Reading,
    files: Sequence[delta.StagedFile],
    schema: pa.Schema,
    profile: Profile,
    checks: Sequence[CheckResult],
    expectations: tuple[Expectation, ...],
) -> Made:
    """Keep the rows in a table of their own, beside the dataset's."""
    digest = _digest([str(file.path) for file in files], schema)
    names = tuple(file.path.name for file in files)
    version = delta.committed(task.quarantine_uri, files, schema, base=None, append=False)
    return Made(
        state="quarantined",
        digest=digest,
        rows=reading.count,
        columns=_columns(schema, reading),
        table_uri=task.quarantine_uri,
        delta_version=version,
        files=names,
        size=_size(delta.located(task.quarantine_uri, names)),
        checks=tuple(checks),
        expectations=expectations,
        left_out=_left_out(profile, checks),
        notes=reading.notes,
        profile=msgspec.json.encode(profile).decode(),
        source=_source(task, reading),
        cpu_seconds=0.0,
    )


def _committed(
    task: Task,
    reading: Reading,
    files: list[delta.StagedFile],
    schema: tuple[pa.Schema, bool],
    profile: Profile,
    checks: Sequence[CheckResult],
    expectations: tuple[Expectation, ...],
) -> Made:
    stored, rewrites = schema
    base = task.base if task.append else None
    notes = list(reading.notes)
    if base is not None and rewrites:
        files = _rewritten(task, base, files, stored)
        notes.append("Columns were added or widened: the earlier rows were written anew.")
    kept = base.files if base is not None and not rewrites else ()
    paths = [*(base.paths() if kept and base else []), *(str(file.path) for file in files)]
    digest = _digest(paths, stored)
    names = (*kept, *(file.path.name for file in files))
    version = delta.committed(
        task.table_uri, files, stored, base=task.table_version, append=bool(kept)
    )
    return Made(
        state="ready",
        digest=digest,
        rows=profile.rows,
        columns=_columns(stored, reading),
        table_uri=task.table_uri,
        delta_version=version,
        files=names,
        size=_size(delta.located(task.table_uri, names)),
        checks=tuple(checks),
        expectations=expectations,
        left_out=_left_out(profile, checks),
        notes=tuple(notes),
        profile=msgspec.json.encode(profile).decode(),
        source=_source(task, reading),
        cpu_seconds=0.0,
    )


def _rewritten(
    task: Task, base: Base, files: Sequence[delta.StagedFile], schema: pa.Schema
) -> list[delta.StagedFile]:
    old = (aligned(batch, schema) for batch in _batches(base.paths()))
    before = delta.staged(old, schema, Path(task.scratch), f"{task.stem}-before")
    return [*before, *files]


def _batches(paths: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for path in paths:
        with pq.ParquetFile(path) as parquet:
            yield from parquet.iter_batches(batch_size=_BATCH_ROWS)


def _size(paths: Sequence[str]) -> int:
    return sum(Path(path).stat().st_size for path in paths)


def _digest(paths: Sequence[str], schema: pa.Schema) -> str:
    batches = (aligned(batch, schema) for batch in _batches(paths))
    return table_digest(pa.RecordBatchReader.from_batches(schema, batches))


def _columns(schema: pa.Schema, reading: Reading) -> tuple[Column, ...]:
    notes = _notes_by_column(reading.notes)
    return tuple(
        Column(
            name=field.name,
            type=column_type(field.type),
            stored=str(field.type),
            note=notes.get(field.name, ""),
        )
        for field in schema
    )


def _notes_by_column(notes: Sequence[str]) -> Mapping[str, str]:
    found = {}
    for note in notes:
        if note.startswith("Column '"):
            name, _, rest = note.removeprefix("Column '").partition("' ")
            found[name] = rest
    return found


def _left_out(profile: Profile, checks: Sequence[CheckResult]) -> dict[str, str]:
    reasons = {leak.column: leak.reason for leak in profile.leaks}
    found = {
        column.name: "It is missing in every row."
        for column in profile.columns
        if column.semantic == "empty"
    }
    for check in checks:
        for name in check.left_out:
            found[name] = reasons.get(name, check.message)
    return found


def _schema_of(base: Base) -> pa.Schema:
    return pq.read_schema(base.paths()[-1]).remove_metadata()


def _source(task: Task, reading: Reading) -> Source:
    return Source(
        file=task.file,
        digest="",
        size=Path(task.path).stat().st_size,
        format=reading.format,
        encoding=reading.encoding,
        delimiter=reading.delimiter,
        decimal=reading.decimal,
        compression=reading.compression,
    )
