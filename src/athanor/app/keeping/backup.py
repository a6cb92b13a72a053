"""`athanor backup`: a workspace as it is at one moment, while it is served.

Every part is copied after what may point at it, so that nothing in a backup points at what is not
there. Blobs and table files never change under their names and are written before the row that
names them; so the order is:

1. the logs' segments (predictions, labels), up to their last whole line;
2. the logs' Delta tables: a segment that was moved into its table meanwhile is in both, and told
   apart by the table's transactions, as always;
3. the metadata, by SQLite's backup or in one transaction of Postgres: this is the moment of the
   backup, and whatever was acknowledged before the command began is in it;
4. the datasets' Delta tables: each table's log first, then the data files;
5. the blobs, and the logs of tasks.

What came to tables and blobs after step 3 is in the backup as well, and no row names it: the next
writer of the table passes over it, `athanor clean` removes it.
"""

import hashlib
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata as distributions
from pathlib import Path
from typing import Any

import orjson

from athanor.app.keeping import rows
from athanor.app.keeping.errors import NothingToBackUp
from athanor.app.keeping.places import DATABASE, TASK_LOG, Places, Tree, keeping
from athanor.app.keeping.sinks import (
    ABOUT,
    FORMAT_VERSION,
    Entry,
    Sink,
    add_bytes,
    add_manifest,
    sink_for,
)
from athanor.kernel import Database
from athanor.kernel.schema import revision_of
from athanor.kernel.settings import FILE
from athanor.kernel.storage import BlobDamaged
from athanor.registry import KEY_FILE

_CHUNK = 1 << 20
_LOGS = ("predictions", "labels")
_OF_LOGS = "serving_"
"""How the names of the logs' own tables begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp:
    """What a backup holds."""

    path: str
    created_at: datetime
    """The moment that it shows."""
    schema: str
    files: int
    blobs: int
    size: int
    """Bytes."""
    damaged: list[str]
    """Blobs whose bytes are not those that they should be: they are not in it."""


def backup(places: Places, target: Path) -> BackedUp:
    """Write a backup of a workspace to a folder, or to a file named `.tar` or `.tar.gz`.

    Raises: NothingToBackUp, BackupExists, KeepingBusy, DatabaseUnavailable.
    """
    if places.sqlite is not None and not places.sqlite.is_file():
        raise NothingToBackUp(places.workspace)
    sink = sink_for(target)
    try:
        with keeping(places.workspace, alone=False):
            made = _written(places, sink, target)
        sink.finish()
    except BaseException:
        sink.discard()
        raise
    return made


def _written(places: Places, sink: Sink, target: Path) -> BackedUp:
    storage = Tree(places.storage_url)
    schema = _schema(places)
    entries = [add_bytes(sink, ABOUT, orjson.dumps(_about(places, schema)))]
    entries += _segments(places, sink)
    tables = _tables(storage)
    entries += _tables_files(storage, sink, [name for name in tables if _is_log(name)])
    at = datetime.now(UTC)
    entries.append(_metadata(places, sink, target))
    tables = _tables(storage)
    entries += _tables_files(storage, sink, [name for name in tables if not _is_log(name)])
    blobs, damaged = _blobs(storage, sink)
    entries += blobs
    entries += _beside(places, sink)
    add_manifest(sink, entries)
    return BackedUp(
        path=str(target),
        created_at=at,
        schema=schema,
        files=len(entries),
        blobs=len(blobs),
        size=sum(entry.size for entry in entries),
        damaged=damaged,
    )


def _about(places: Places, schema: str) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "athanor": distributions.version("athanor-ml"),
        "schema": schema,
        "created_at": datetime.now(UTC).isoformat(),
        "workspace": str(places.workspace),
        "storage": places.storage_url,
        "database": "sqlite" if places.sqlite else "postgresql",
    }


def _schema(places: Places) -> str:
    database = Database.open(places.database_url)
    try:
        found = revision_of(database)
    finally:
        database.close()
    if found is None:
        raise NothingToBackUp(places.workspace)
    return found


def _segments(places: Places, sink: Sink) -> list[Entry]:
    """The logs' segments; one that is written now, up to its last whole line."""
    entries = []
    for kind in _LOGS:
        tree = Tree(str(places.workspace / kind))
        for name in tree.files():
            try:
                with tree.open(name) as stream:
                    data = stream.read()
            except FileNotFoundError:
                continue  # it is in its table, which comes next
            whole = data[: data.rfind(b"\n") + 1]
            entries.append(add_bytes(sink, f"{kind}/{name}", whole))
    return entries


def _is_log(table: str) -> bool:
    return table.startswith(f"tables/{_OF_LOGS}")


def _tables(storage: Tree) -> list[str]:
    """The folders of the Delta tables, by where their logs are."""
    marks = (name.partition("/_delta_log/") for name in storage.files("tables"))
    return sorted({before for before, mark, _ in marks if mark})


def _tables_files(storage: Tree, sink: Sink, tables: Iterable[str]) -> list[Entry]:
    """Each table's log, then its data files: all that the log names is there by then."""
    entries = []
    for table in tables:
        log = f"{table}/_delta_log"
        entries += [_copied(storage, sink, name) for name in storage.files(log)]
        entries += [
            _copied(storage, sink, name)
            for name in storage.files(table)
            if "/_delta_log/" not in name
        ]
    return entries


def _copied(storage: Tree, sink: Sink, name: str) -> Entry:
    with storage.open(name) as stream:
        size = stream.seek(0, 2)
        stream.seek(0)
        return sink.add(f"storage/{name}", stream, size)


def _metadata(places: Places, sink: Sink, target: Path) -> Entry:
    """The database, as one SQLite file."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".athanor-") as folder:
        copy = Path(folder) / DATABASE
        if places.sqlite is not None:
            rows.copy_sqlite(places.sqlite, copy)
        else:
            rows.copy_server(places.database_url, copy)
        with copy.open("rb") as stream:
            return sink.add(DATABASE, stream, copy.stat().st_size)


def _blobs(storage: Tree, sink: Sink) -> tuple[list[Entry], list[str]]:
    """Every blob whose bytes are those that its name promises, and the names of the others."""
    entries, damaged = [], []
    for name in storage.files("blobs"):
        digest = name.rsplit("/", 1)[-1]
        found = hashlib.sha256()
        with storage.open(name) as stream:
            while chunk := stream.read(_CHUNK):
                found.update(chunk)
        if found.hexdigest() != digest:
            damaged.append(BlobDamaged(f"sha256:{digest}").message)
            continue
        entries.append(_copied(storage, sink, name))
    entries += [_copied(storage, sink, name) for name in storage.files("erased")]
    return entries, damaged


def _beside(places: Places, sink: Sink) -> list[Entry]:
    """The settings' file, the key of webhooks' secrets, and what tasks printed."""
    home = Tree(str(places.workspace))
    names = [name for name in home.files("work") if name.endswith(f"/{TASK_LOG}")]
    names += [name for name in (FILE, KEY_FILE) if (places.workspace / name).is_file()]
    entries = []
    for name in names:
        try:
            with home.open(name) as stream:
                entries.append(add_bytes(sink, name, stream.read()))
        except FileNotFoundError:
            continue  # its run was cleaned away meanwhile
    return entries
