"""What a source gives, brought to a file of this machine: URLs, queries, Delta tables, DVC files.

Each kind answers an `Arrival`; whoever asked takes its file in as any other.
"""

import errno
import http.client
import os
import shutil
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from string import punctuation
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from athanor.data.errors import BadSource, EmptyFile, SourceUnreachable
from athanor.data.logic import orders
from athanor.data.logic.forms import archive_kind
from athanor.data.records import NewSource
from athanor.data.work import dvc, folders, parts
from athanor.data.work.archives import unpacked_archive
from athanor.data.work.delta import opened
from athanor.data.work.duckfile import from_duckdb
from athanor.data.work.foreign_delta import copied, unread, why_copied
from athanor.data.work.reach import check_source, is_query, is_web, local_path, opener, settled
from athanor.kernel.foreign import duckdb_file, rows_of, without_secrets
from athanor.kernel.remote import filesystem_of

_CHUNK_ROWS = 50_000
_BLOCK = 1 << 20
_SECONDS = 60.0
_AGENT = "athanor"
_UNREACHED = (OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError,
              http.client.HTTPException)  # fmt: skip
"""What file systems and connections raise of an address that leads nowhere, or says too little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What arrived."""

    path: str = ""
    """The file to be read; empty for a table that stays in place."""
    file: str
    """What it is called."""
    kind: str
    uri: str
    """Without secrets."""
    keep: bool = True
    """Whether the file is worth keeping as it is."""
    in_place: dict[str, Any] | None = None
    packs: tuple[str, ...] = ()
    """Files that hold the contents of a folder's files."""
    notes: tuple[str, ...] = field(default=())


def arrive(
    *, source: dict[str, Any], scratch: str, known: dict[str, Any], near: bool
) -> dict[str, Any]:
    """Bring what a `NewSource` (as plain data) names.

    `known` is what there is of the latest version: the `notes` of its columns, and the path of the
    `index` of its packs, where it has some.

    `near` is whether it was named on this machine.
    Raises: BadSource, SourceRefused, SourceUnreachable, ForeignDatabaseRefused, UnreadableFile.
    """
    new = msgspec.convert(source, NewSource)
    check_source(new, near=near)
    place = settled(new, near=near)
    try:
        found = _arrived(place, Path(scratch), known, near=near)
        if place.uri != new.uri:
            found = replace(found, uri=(without_secrets if new.sql else shown_url)(new.uri))
        return asdict(found)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        shown = shown_url(new.uri) if "://" in new.uri else new.uri
        raise SourceUnreachable(shown, f"it can't be read: {_said(error)}") from error


def _arrived(new: NewSource, into: Path, known: dict[str, Any], *, near: bool) -> Arrival:
    kind = _kind_of(new)
    if kind == "query":
        return _query(new, into)
    if kind == "delta":
        return _delta(new, into)
    if kind == "files":
        return _matching(new, into, known)
    if kind == "folder":
        return _folder(new, into, known)
    if kind == "dvc":
        return _dvc(new, into, known)
    return _url(new, into, near=near)


def _kind_of(new: NewSource) -> str:
    if is_query(new):
        return "query"
    if not new.uri:
        raise BadSource("The source has no address.", "Give a URL, a path on the server, or SQL.")
    if new.kind:
        return new.kind
    path = local_path(new.uri)
    if path is not None and path.is_file() and _is_packed(path):
        return "folder"  # whatever its name says: an upload's is its sender's
    if new.uri.rstrip("/").endswith(".dvc"):
        return "dvc"
    if parts.is_pattern(new.uri) and not (path and path.exists()) and not is_web(new.uri):
        return "files"
    if path is None:
        last = urlsplit(new.uri).path.rstrip("/").rsplit("/", 1)[-1]
        return "delta" if "." not in last and _is_delta(new.uri) else "url"
    if path.is_dir():
        return "delta" if (path / "_delta_log").is_dir() else "folder"
    if not path.exists():
        raise SourceUnreachable(
            new.uri, "there is no such file or folder on the machine that the server runs on."
        )
    if not path.is_file():
        raise SourceUnreachable(
            new.uri, "it is neither a file nor a folder (a device, a pipe, a socket?)."
        )
    return "url"


def _is_packed(path: Path) -> bool:
    with path.open("rb") as stream:
        return bool(archive_kind(stream.read(1 << 16)))


def _is_delta(uri: str) -> bool:
    if is_web(uri):
        return False
    try:
        return DeltaTable.is_deltatable(uri)
    except (DeltaError, OSError, ValueError):
        return False


def _url(new: NewSource, into: Path, *, near: bool) -> Arrival:
    shown, path = shown_url(new.uri), local_path(new.uri)
    name = unquote(urlsplit(new.uri).path).rstrip("/").rsplit("/", 1)[-1] or "download"
    target = into / "arrived"
    if path is not None:
        if not path.is_file():
            raise SourceUnreachable(
                new.uri, "there is no such file on the machine that the server runs on."
            )
        shutil.copyfile(path, target)
        return Arrival(path=str(target), file=path.name, kind="url", uri=str(path.absolute()))
    try:
        if is_web(new.uri):
            _download(new.uri, target, near=near)
        else:
            filesystem, place = filesystem_of(new.uri, new.options)
            filesystem.get_file(place, str(target))
    except ImportError as error:
        scheme = new.uri.partition("://")[0]
        raise SourceUnreachable(
            shown, f"the package for {scheme}:// is missing ({error}).", hint="Install it."
        ) from error
    except _UNREACHED as error:
        raise SourceUnreachable(shown, f"it can't be read: {_said(error)}") from error
    return Arrival(path=str(target), file=name, kind="url", uri=shown)


def _download(url: str, target: Path, *, near: bool) -> None:
    # Signs of other scripts, and blanks, as a browser sends them.
    request = urllib.request.Request(  # noqa: S310 - http(s)
        quote(url, safe=punctuation), headers={"User-Agent": _AGENT}
    )
    with (
        opener(near=near).open(request, timeout=_SECONDS) as answer,
        target.open("wb") as out,
    ):
        shutil.copyfileobj(answer, out, _BLOCK)
    # Read block by block, an answer that is cut off ends like one that is whole.
    if missing := getattr(answer, "length", None):
        raise OSError(f"the answer was cut off, {missing:,} bytes are missing")


def shown_url(url: str) -> str:
    """A URL without user, password, query and fragment: signatures and keys stand in them."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rsplit("@", 1)[-1], parts.path, "", ""))


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _query(new: NewSource, into: Path) -> Arrival:
    """The rows of a query; kept in pieces first, as a column's type may show late."""
    target, pieces = into / "arrived.parquet", []
    file = duckdb_file(new.uri)
    if file is not None:
        from_duckdb(new.uri, file, new.sql, target)
        return Arrival(path=str(target), file="query", kind="query", uri=new.uri, keep=False)
    schema = pa.schema([])
    with rows_of(new.uri, new.sql, _CHUNK_ROWS) as (names, chunks):
        for place, rows in enumerate(chunks):
            table = _as_table(names, rows)
            schema = _promoted(schema, table.schema)
            piece = into / f"piece-{place}.parquet"
            pq.write_table(table, piece, compression="zstd", compression_level=1)
            pieces.append(piece)
        if not pieces:
            schema = pa.schema([pa.field(name, pa.null()) for name in names])
    with pq.ParquetWriter(target, schema, compression="zstd", compression_level=1) as writer:
        for piece in pieces:
            writer.write_table(_cast(pq.read_table(piece), schema))
            piece.unlink()
    return Arrival(
        path=str(target), file="query", kind="query", uri=without_secrets(new.uri), keep=False
    )


def _as_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pa.Table:
    columns = [_array([row[place] for row in rows]) for place in range(len(names))]
    return pa.Table.from_arrays(columns, names=list(names))


def _array(values: list[Any]) -> pa.Array:
    try:
        if any(isinstance(value, Decimal) and not value.is_finite() for value in values):
            values = [None if value is None else float(value) for value in values]
        return pa.array([bytes(v) if isinstance(v, memoryview) else v for v in values])
    except (pa.ArrowException, TypeError, OverflowError):
        # Values of several types, or of one that Arrow does not know (UUID): as text.
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _promoted(first: pa.Schema, second: pa.Schema) -> pa.Schema:
    if not len(first):
        return second
    fields = []
    for before, after in zip(first, second, strict=True):
        try:
            pair = [pa.schema([before]), pa.schema([after])]
            fields.append(pa.unify_schemas(pair, promote_options="permissive").field(0))
        except pa.ArrowException:
            fields.append(pa.field(before.name, pa.string()))
    return pa.schema(fields)


def _cast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = []
    for column, field_ in zip(table.columns, schema, strict=True):
        try:
            columns.append(column.cast(field_.type))
        except pa.ArrowException:
            columns.append(pa.chunked_array([_texts(chunk) for chunk in column.chunks]))
    return pa.Table.from_arrays(columns, schema=schema)


def _texts(values: pa.Array) -> pa.Array:
    return pa.array([None if v is None else str(v) for v in values.to_pylist()], pa.string())


def _delta(new: NewSource, into: Path) -> Arrival:
    """A Delta table where it is; one whose files alone do not tell its rows is copied."""
    path = local_path(new.uri)
    uri = str(path.absolute()) if path is not None else new.uri.rstrip("/")
    try:
        table = opened(uri, new.version)
    except TableNotFoundError as error:
        raise SourceUnreachable(uri, "there is no Delta table.") from error
    except (DeltaError, OSError, ValueError, OverflowError) as error:
        raise unread(uri, error) from error
    name, version = uri.rstrip("/").rsplit("/", 1)[-1], int(table.version())
    why = why_copied(table)
    if why:
        target = into / "arrived.parquet"
        copied(table, target, uri)
        note = f"Delta version {version} was copied: {why}."
        return Arrival(
            path=str(target), file=name, kind="delta", uri=uri, keep=False, notes=(note,)
        )
    files = [_relative(item, uri) for item in sorted(table.file_uris())]
    if not files:
        raise EmptyFile(name, f"version {version} of the Delta table holds no rows.")
    found = {"table_uri": uri, "delta_version": version, "files": files}
    note = f"The rows stay in the Delta table {uri}, version {version}: who vacuums it loses them."
    return Arrival(file=name, kind="delta", uri=uri, keep=False, in_place=found, notes=(note,))


def _relative(file: str, uri: str) -> str:
    bare = unquote(urlsplit(file).path) if file.startswith("file://") else file
    root = uri.rstrip("/") + "/"
    return bare.removeprefix(root)


def _matching(new: NewSource, into: Path, known: dict[str, Any]) -> Arrival:
    """The files that a pattern names, as one table."""
    pattern, shown = local_path(new.uri), shown_url(new.uri)
    if pattern is not None and pattern.is_dir():
        found = [(name, pattern / name) for name in sorted(folders.files_below(pattern))]
    elif pattern is not None:
        found = [(path, Path(path)) for path in parts.matching(str(pattern))]
    else:
        found = _fetched(new, into)
    if not found:
        raise SourceUnreachable(shown, "no file has such a name.")
    # The folders that all have in common say nothing.
    root = os.path.commonpath([os.path.dirname(name) for name, _ in found])  # noqa: PTH120
    told = [(os.path.relpath(name, root or "."), path) for name, path in found]
    uri = str(pattern.absolute()) if pattern is not None else shown
    whole = Arrival(file=Path(shown).name, kind="files", uri=uri)
    return _one_table(new, told, into, whole, known)


def _fetched(new: NewSource, into: Path) -> list[tuple[str, Path]]:
    shown = shown_url(new.uri)
    folder = into / "fetched"
    folder.mkdir()
    try:
        filesystem, place = filesystem_of(new.uri, new.options)
        found = []
        for number, name in enumerate(sorted(filesystem.glob(place))):
            target = folder / f"{number}"
            filesystem.get_file(name, str(target))
            found.append((str(name), target))
    except ImportError as error:
        raise SourceUnreachable(
            shown, f"the package for it is missing ({error}).", hint="Install it."
        ) from error
    except _UNREACHED as error:
        raise SourceUnreachable(shown, f"it can't be read: {_said(error)}") from error
    return found


def _one_table(
    new: NewSource,
    files: Sequence[tuple[str, Path]],
    into: Path,
    told: Arrival,
    known: dict[str, Any],
) -> Arrival:
    dates = orders.by_column(known["notes"]) if new.mode == "append" else {}
    path, notes = parts.one_table(told.file, files, into, new.read, dates)
    return replace(told, path=str(path), keep=False, notes=(*told.notes, *notes))


def _folder(new: NewSource, into: Path, known: dict[str, Any]) -> Arrival:
    path = local_path(new.uri)
    if path is None or not path.exists():
        raise SourceUnreachable(
            new.uri, "there is no such folder on the machine that the server runs on."
        )
    root = path
    if path.is_file():
        root = unpacked_archive(path, into / "unpacked")
        if root.is_file():
            uri = str(path.absolute())
            return Arrival(path=str(root), file=root.name, kind="url", uri=uri)
    names = sorted(folders.files_below(root))
    if not (new.kind or new.labels) and parts.all_tables(names):
        files = [(name, root / name) for name in names]
        found = Arrival(file=path.name, kind="files", uri=str(path.absolute()))
        return _one_table(new, files, into, found, known)
    made = folders.manifest(root, into, new.labels, known)
    return Arrival(
        path=str(made.manifest),
        file=path.name,
        kind="folder",
        uri=str(path.absolute()),
        keep=False,
        packs=tuple(str(pack) for pack in made.packs),
        notes=made.notes,
    )


def _dvc(new: NewSource, into: Path, known: dict[str, Any]) -> Arrival:
    path = local_path(new.uri)
    if path is None or not path.is_file():
        raise SourceUnreachable(
            new.uri, "there is no such .dvc file on the machine that the server runs on."
        )
    found = dvc.fetched(path, new.remote, new.options, into)
    if found.path.is_file():
        return Arrival(
            path=str(found.path), file=found.name, kind="dvc", uri=str(path.absolute()),
            notes=found.notes,
        )  # fmt: skip
    made = folders.manifest(found.path, into, new.labels, known)
    return Arrival(
        path=str(made.manifest),
        file=found.name,
        kind="dvc",
        uri=str(path.absolute()),
        keep=False,
        packs=tuple(str(pack) for pack in made.packs),
        notes=(*found.notes, *made.notes),
    )
