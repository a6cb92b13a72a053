"""A file becomes a version: read, checked, and committed, or set apart, in one process."""

import importlib
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from athanor.data.errors import NoRoomForTable, UnfitTable, UnknownColumn
from athanor.data.logic import orders
from athanor.data.logic.expectations import suggested
from athanor.data.logic.normalise import column_type, normal_schema
from athanor.data.types import (
    CheckResult,
    Column,
    Expectation,
    Profile,
    ReadOptions,
    Roles,
    SchemaRule,
    Source,
)
from athanor.data.work import delta
from athanor.data.work.earlier import Base, aligned, batches_of, schema_of
from athanor.data.work.first import first_of
from athanor.data.work.growth import Growth
from athanor.data.work.places import located
from athanor.data.work.reading import NoRows, Reading, look_through, notes_by_column
from athanor.data.work.tablefile import TypedFile, open_parquet, pieces_of, within_calendar
from athanor.kernel.errors import AthanorError
from athanor.lineage.logic.digests import table_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class InPlace:
    """A version of a table that is somebody else's."""

    table_uri: str
    delta_version: int
    files: tuple[str, ...]


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
    rule: SchemaRule = "widen"
    look: bool = True
    """False: no profile, no checks."""
    ours: bool = False
    """Whether the file may be moved away."""
    in_place: InPlace | None = None
    """A Delta table that stays where it is."""
    size: int = 0
    """Bytes of the file."""
    told: tuple[str, ...] = ()
    """What is to be noted of the way here."""

    def growth(self) -> Growth:
        """How the file's columns may differ from the base's."""
        return Growth(
            base=self.base,
            table_uri=self.table_uri,
            rule=self.rule,
            append=self.append,
            look=self.look,
            expectations=self.expectations,
        )


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
    expectations: tuple[Expectation, ...] | None
    left_out: dict[str, str]
    notes: tuple[str, ...]
    profile: str
    """As JSON; "" where nobody looked."""
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
        if not isinstance(error, AthanorError):
            _check_taken(asked)
        raise
    return asdict(made) | {"cpu_seconds": round(time.process_time() - began, 4)}


def _made(task: Task) -> Made:
    if task.in_place is not None:
        return _in_place(task, task.in_place)
    growth = task.growth()
    path, scratch = Path(task.path), Path(task.scratch)
    wanted, dates = growth.wanted(), growth.orders()
    reading = look_through(path, task.file, scratch, task.read, wanted, dates)
    reading = replace(reading, notes=(*task.told, *reading.notes))
    own = reading.rows.schema()
    _check_roles(task.named, own.names)
    if task.read.first < 1:
        reading = first_of(reading, task.read.first, task.roles.time)
    task = replace(task, expectations=growth.relaxed(own))
    growth = task.growth()
    appends = task.append and task.base is not None
    schema, rewrites = growth.joined(reading)
    with growth.fitting(own):
        files = _staged(task, reading, schema)
    if not task.look:
        return _committed(task, reading, files, (schema, rewrites), Seen())
    paths = [str(file.path) for file in files]
    profile = _profile(paths, schema, reading.count, task.roles)
    expectations = task.expectations
    if expectations is None:
        expectations = tuple(suggested(profile, present(task.roles, own.names)))
    whole = profile
    if appends and task.base is not None and not growth.is_apart(reading):
        everything = [*task.base.paths(), *paths]
        whole = _profile(everything, schema, _count(everything), task.roles)
    checks = _checks(task, reading, profile, whole, expectations, paths)
    failing = [check for check in checks if not check.passed and check.severity == "fail"]
    if failing and task.base is None:
        raise UnfitTable(task.file, [(check.message, list(check.rows)) for check in failing])
    if failing:
        return _set_apart(task, reading, files, schema, Seen(profile, tuple(checks), expectations))
    if appends and task.base is not None:
        known = schema_of(task.base).names
        with _sql("profile").connected(paths, task.base.paths()) as connection:
            again = _sql("findings").ids_again(connection, profile, whole, known)
        reading = replace(reading, notes=(*reading.notes, *again))
    return _committed(
        task, reading, files, (schema, rewrites), Seen(whole, tuple(checks), expectations)
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """What looking at the rows has shown; nothing where nobody looked."""

    profile: Profile | None = None
    checks: tuple[CheckResult, ...] = ()
    expectations: tuple[Expectation, ...] | None = None

    def as_json(self) -> str:
        """The profile."""
        return "" if self.profile is None else msgspec.json.encode(self.profile).decode()

    def left_out(self) -> dict[str, str]:
        """The columns that training should leave out, each with the reason."""
        return {} if self.profile is None else _left_out(self.profile, self.checks)


def _staged(task: Task, reading: Reading, schema: pa.Schema) -> list[delta.StagedFile]:
    """The rows as files of the table's form; a Parquet file that is one already is moved."""
    rows = reading.rows
    if (
        task.ours
        and isinstance(rows, TypedFile)
        and rows.format == "parquet"
        and not reading.compression
        and rows.given == schema
        and all(within_calendar(path) for path in pieces_of(rows.path))
        and (rows.path.is_dir() or reading.count <= delta.ROWS_A_FILE)
    ):
        taken: list[delta.StagedFile] = []
        for path in pieces_of(rows.path):
            target = Path(task.scratch) / f"{task.stem}-{len(taken):04d}.parquet"
            path.replace(target)
            taken.append(delta.StagedFile(path=target, rows=_count([str(target)])))
        return taken
    batches = (aligned(batch, schema) for batch in rows.batches())
    return delta.staged(batches, schema, Path(task.scratch), task.stem)


def _check_taken(task: Task) -> None:
    """See whether a file that was taken as it is can't be read: it was damaged when it came.

    Raises: UnreadableFile.
    """
    for path in sorted(Path(task.scratch).glob(f"{task.stem}-*.parquet")):
        for _ in open_parquet(path, task.file, {}, ReadOptions()).batches():
            pass


def _in_place(task: Task, found: InPlace) -> Made:
    """A version of a table that stays where it is: its files are read, none is written."""
    paths = located(found.table_uri, found.files)
    schema = normal_schema(pq.read_schema(paths[0]))
    _check_roles(task.named, schema.names)
    count = _count(paths)
    reading = Reading(
        rows=NoRows(),
        count=count,
        format="delta",
        compression="",
        notes=task.told,
        mismatched={},
    )
    profile = _profile(paths, schema, count, task.roles)
    expectations = task.expectations
    if expectations is None:
        expectations = tuple(suggested(profile, present(task.roles, schema.names)))
    checks = _checks(replace(task, append=False), reading, profile, profile, expectations, paths)
    failing = [check for check in checks if not check.passed and check.severity == "fail"]
    if failing and task.base is None:
        raise UnfitTable(task.file, [(check.message, list(check.rows)) for check in failing])
    seen = Seen(profile, tuple(checks), expectations)
    return Made(
        state="quarantined" if failing else "ready",
        digest=_digest(paths, schema),
        rows=count,
        columns=_columns(schema, reading),
        table_uri=found.table_uri,
        delta_version=found.delta_version,
        files=found.files,
        size=_size(paths),
        checks=seen.checks,
        expectations=expectations,
        left_out=seen.left_out(),
        notes=reading.notes,
        profile=seen.as_json(),
        source=Source(file=task.file, digest="", size=_size(paths), format="delta"),
        cpu_seconds=0.0,
    )


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


def _profile(paths: Sequence[str], schema: pa.Schema, rows: int, roles: Roles) -> Profile:
    work = _sql("profile")
    with work.connected(paths) as connection:
        found: Profile = work.profile_of(connection, schema, rows, present(roles, schema.names))
    return found


def _sql(name: str) -> ModuleType:
    """A module beside this one that takes DuckDB with it: who looks at no rows does without."""
    return importlib.import_module(f"athanor.data.work.{name}")


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
    if not expectations:
        return []
    # It takes a reader of SQL with it, too, which a version without expectations needs not.
    verify = _sql("verify")
    appends = task.append and task.base is not None
    earlier = task.base.paths() if appends and task.base else ()
    with _sql("profile").connected(paths, earlier) as connection:
        subject = _sql("findings").Subject(
            connection=connection,
            profile=profile,
            whole=whole,
            appended=appends,
            mismatched=reading.mismatched,
            files=tuple(paths),
        )
        checked: list[CheckResult] = verify.verified(subject, expectations)
    return checked


def _set_apart(
    task: Task,
    reading: Reading,
    files: Sequence[delta.StagedFile],
    schema: pa.Schema,
    seen: Seen,
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
        size=_size(located(task.quarantine_uri, names)),
        checks=seen.checks,
        expectations=seen.expectations,
        left_out=seen.left_out(),
        notes=reading.notes,
        profile=seen.as_json(),
        source=_source(task, reading),
        cpu_seconds=0.0,
    )


def _committed(
    task: Task,
    reading: Reading,
    files: list[delta.StagedFile],
    schema: tuple[pa.Schema, bool],
    seen: Seen,
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
        rows=reading.count + (0 if base is None else _count(base.paths())),
        columns=_columns(stored, reading, () if base is None else base.columns),
        table_uri=task.table_uri,
        delta_version=version,
        files=names,
        size=_size(located(task.table_uri, names)),
        checks=seen.checks,
        expectations=seen.expectations,
        left_out=seen.left_out(),
        notes=tuple(notes),
        profile=seen.as_json(),
        source=_source(task, reading),
        cpu_seconds=0.0,
    )


def _rewritten(
    task: Task, base: Base, files: Sequence[delta.StagedFile], schema: pa.Schema
) -> list[delta.StagedFile]:
    old = (aligned(batch, schema) for batch in batches_of(base.paths()))
    with task.growth().fitting(schema):
        before = delta.staged(old, schema, Path(task.scratch), f"{task.stem}-before")
    return [*before, *files]


def _size(paths: Sequence[str]) -> int:
    return sum(Path(path).stat().st_size for path in paths)


def _digest(paths: Sequence[str], schema: pa.Schema) -> str:
    batches = (aligned(batch, schema) for batch in batches_of(paths))
    return table_digest(pa.RecordBatchReader.from_batches(schema, batches))


def _columns(
    schema: pa.Schema, reading: Reading, before: Sequence[Column] = ()
) -> tuple[Column, ...]:
    notes = notes_by_column(reading.notes)
    kept = {column.name: (column.stored, column.given) for column in before}
    told = {column.name: column.note for column in before}
    own = set(reading.rows.schema().names)

    def given(field: pa.Field) -> str:
        """What all its rows came as; of rows that came differently, nothing."""
        stored, earlier = kept.get(field.name, ("", ""))
        new = reading.changed.get(field.name, "")
        if not stored or field.name not in own:
            return new or (earlier if stored == str(field.type) else "")
        return new if stored == str(field.type) and new == earlier else ""

    return tuple(
        Column(
            name=field.name,
            type=column_type(field.type),
            stored=str(field.type),
            note=orders.kept(notes.get(field.name, ""), told.get(field.name, "")),
            given=given(field),
        )
        for field in schema
    )


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


def _source(task: Task, reading: Reading) -> Source:
    return Source(
        file=task.file,
        digest="",
        size=task.size,
        format=reading.format,
        encoding=reading.encoding,
        delimiter=reading.delimiter,
        decimal=reading.decimal,
        compression=reading.compression,
    )
