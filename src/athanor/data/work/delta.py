"""Delta tables whose files are written and ordered here, and committed as one.

Data files are written by pyarrow under names of their own and then named in one commit, so that
nothing is written twice, the order of the rows is known (the list of files, kept with the version),
and a process killed at any moment leaves at most a file or a commit that no version mentions.
"""

import json
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, Field, Schema, TableFeatures
from deltalake.exceptions import DeltaError
from deltalake.schema import PrimitiveType
from deltalake.transaction import (
    AddAction,
    CommitProperties,
    RemoveAction,
    create_table_with_add_actions,
)

from athanor.data.errors import LostTheLease
from athanor.data.work.places import is_local, repeating
from athanor.kernel.durable import sync_path
from athanor.kernel.remote import filesystem_of, table_options

ROWS_A_FILE = 5_000_000
_ROWS_A_GROUP = 122_880
"""What DuckDB scans as one unit."""

CONFIGURATION = {
    # By default a checkpoint removes the log of older versions, and time travel with it.
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    # Readers take the files as they are: no deletion vectors, no renamed columns.
    "delta.enableDeletionVectors": "false",
}
_NAIVE, _NAIVE_TYPE, _MAP = "timestampNtz", '"timestamp_ntz"', '"type":"map"'
"""The feature that a table must name before a schema may hold times without a zone, and the words
for such a time and for a map in a schema; tables without them stay readable to engines that know
no features."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedFile:
    """A Parquet file that no table mentions yet."""

    path: Path
    rows: int


def staged(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, folder: Path, stem: str
) -> list[StagedFile]:
    """Write rows to Parquet files named `<stem>-0000.parquet` ... in a folder."""
    files: list[StagedFile] = []
    writer: pq.ParquetWriter | None = None
    written = 0
    try:
        for batch in batches:
            if writer is None:
                path = folder / f"{stem}-{len(files):04d}.parquet"
                writer = pq.ParquetWriter(
                    path,
                    schema,
                    compression="zstd",
                    compression_level=1,
                    use_dictionary=repeating(schema),
                )
            writer.write_batch(batch, row_group_size=_ROWS_A_GROUP)
            written += batch.num_rows
            if written >= ROWS_A_FILE:
                writer.close()
                files.append(StagedFile(path=path, rows=written))
                writer, written = None, 0
    finally:
        if writer is not None:
            writer.close()
    if writer is not None:
        files.append(StagedFile(path=path, rows=written))
    return files


def version_of(uri: str) -> int | None:
    """The newest version of a table, or None if there is no table."""
    if not DeltaTable.is_deltatable(uri, storage_options=table_options(uri)):
        return None
    return int(opened(uri).version())


def opened(uri: str, version: int | None = None) -> DeltaTable:
    """A table, at its newest version or at a given one."""
    return DeltaTable(uri, version=version, storage_options=table_options(uri))


def committed(
    uri: str, files: Sequence[StagedFile], schema: pa.Schema, *, base: int | None, append: bool
) -> int:
    """Put staged files into a table and commit them; returns the new version.

    `base` is the version that the new one builds on, None for a new table. What a killed writer
    committed after it is undone first: no version of the dataset mentions it.

    Raises: LostTheLease if somebody else committed meanwhile.
    """
    adds = [_placed(file, uri) for file in files]
    stored = Schema.from_arrow(schema)
    about = CommitProperties(custom_metadata={"engine": "athanor"})
    text = stored.to_json()
    naive = _NAIVE_TYPE in text
    found = _newest(uri)
    if found is None and naive and _MAP in text:
        # The library sees such times in columns, lists and structs, and not in maps.
        _create(uri, Schema([Field("at", PrimitiveType("timestamp_ntz"))]), [], about)
        found = 0
    if found is None:
        _create(uri, stored, adds, about)
        expected = 0
    else:
        table = opened(uri)
        if append and base is not None and found != base:
            table.restore(base)
            table = opened(uri)
        if naive and not _names_naive(table):
            # First, as a commit of its own: nothing could open the table after the other order.
            table.alter.add_feature(
                TableFeatures.TimestampWithoutTimezone,
                allow_protocol_versions_increase=True,
                commit_properties=about,
            )
            table = opened(uri)
        expected = int(table.version()) + 1
        mode = "append" if append and base is not None else "overwrite"
        actions: list[AddAction | RemoveAction] = [*adds]
        table.create_write_transaction(actions, mode, stored, commit_properties=about)
    if is_local(uri):
        _synced_log(uri, expected)
    if version_of(uri) != expected:
        raise LostTheLease(uri.rstrip("/").rsplit("/", 1)[-1])
    return expected


def _create(uri: str, schema: Schema, adds: list[AddAction], about: CommitProperties) -> None:
    create_table_with_add_actions(
        uri,
        schema,
        adds,
        mode="error",
        configuration=CONFIGURATION,
        commit_properties=about,
        storage_options=table_options(uri),
    )


def _names_naive(table: DeltaTable) -> bool:
    return _NAIVE in (table.protocol().reader_features or ())


def _newest(uri: str) -> int | None:
    """The newest version of a table; one that nothing can open for want of a feature is mended.

    Earlier writers committed schemas whose times their protocol does not name. What they wrote is
    no version of a dataset, and is undone by whoever writes next.
    """
    try:
        return version_of(uri)
    except DeltaError as error:
        if _NAIVE not in str(error):
            raise
    _name_naive(uri)
    return version_of(uri)


def _name_naive(uri: str) -> None:
    """Raise the protocol by an entry of the log, as a table that can't be opened can't do it."""
    filesystem, log = filesystem_of(f"{uri.rstrip('/')}/_delta_log")
    names = [str(path).rsplit("/", 1)[-1] for path in filesystem.ls(log, detail=False)]
    newest = max(int(name[:20]) for name in names if _is_entry(name))
    protocol = _last_readable(uri, newest).protocol()
    features = {
        "readerFeatures": sorted({*(protocol.reader_features or ()), _NAIVE}),
        "writerFeatures": sorted({*(protocol.writer_features or ()), _NAIVE}),
    }
    actions: list[dict[str, Any]] = [
        {"commitInfo": {"timestamp": int(time.time() * 1000), "operation": "ADD FEATURE"}},
        {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7} | features},
    ]
    entry = f"{log}/{newest + 1:020d}.json"
    text = "".join(json.dumps(action) + "\n" for action in actions).encode()
    if is_local(uri):
        passing = Path(f"{entry}.part")
        passing.write_bytes(text)
        sync_path(passing)
        passing.replace(entry)
    else:
        filesystem.pipe_file(entry, text)


def _is_entry(name: str) -> bool:
    return name.endswith(".json") and name[:20].isdigit() and len(name) == len(f"{0:020d}.json")


def _last_readable(uri: str, newest: int) -> DeltaTable:
    for version in range(newest - 1, 0, -1):
        try:
            return opened(uri, version)
        except DeltaError:
            continue
    return opened(uri, 0)


def _placed(file: StagedFile, uri: str) -> AddAction:
    """Move a file into the table's folder, synced, and describe it for the commit."""
    size, name = file.path.stat().st_size, file.path.name
    if is_local(uri):
        _moved(file.path, Path(uri))
    else:
        filesystem, root = filesystem_of(uri)
        filesystem.put_file(str(file.path), f"{root.rstrip('/')}/{name}")
    told = json.dumps({"numRecords": file.rows})
    return AddAction(name, size, {}, int(time.time() * 1000), True, told)


def _moved(path: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    sync_path(path)
    target = folder / path.name
    try:
        path.replace(target)
    except OSError:
        # Another file system: copy, and let it appear whole.
        passing = target.with_name(f".{target.name}.part")
        shutil.copyfile(path, passing)
        sync_path(passing)
        passing.replace(target)


def _synced_log(uri: str, version: int) -> None:
    log = Path(uri) / "_delta_log"
    entry = log / f"{version:020d}.json"
    if entry.exists():
        sync_path(entry)
    for folder in (log, Path(uri), Path(uri).parent):
        sync_path(folder)
