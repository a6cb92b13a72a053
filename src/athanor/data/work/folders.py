"""Folders of images and texts: a table that describes the files, and packs that hold them.

The table (path, label, media type, size in pixels and bytes, digest, the text of text files) is a
dataset's version like any other: SQL, diff and time travel come with it. The files' bytes lie one
after the other in packs of some 64 MB; an index tells where the bytes of a digest begin. Bytes that
an earlier version has are not written again.
"""

import csv
import hashlib
import io
import os
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from athanor.data.errors import EmptyFile, UnreadableFile
from athanor.data.logic.images import HEAD_BYTES, image_size, media_type
from athanor.data.work.places import located
from athanor.kernel.wording import counted

_PACK_BYTES = 64 << 20
_TEXT_BYTES = 1 << 20
_BLOCK = 1 << 20
_SPLITS = frozenset({"train", "training", "val", "valid", "validation", "dev", "test", "testing"})
_LABEL_FILES = ("metadata.csv", "metadata.jsonl", "labels.csv", "labels.jsonl", "annotations.csv")
_NAMES = ("file_name", "filename", "file", "path", "image", "name", "id")
_OWN = frozenset({"path", "media_type", "width", "height", "text", "size", "digest", "split"})

INDEX = pa.schema(
    [("digest", pa.string()), ("pack", pa.string()), ("offset", pa.int64()), ("size", pa.int64())]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What came of a folder."""

    manifest: Path
    """The table, as a Parquet file."""
    packs: tuple[Path, ...]
    """The index, then the new packs."""
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Packer:
    """Writes the bytes of files one after the other, each content once."""

    into: Path
    known: dict[str, tuple[str, int, int]]
    """Where contents lie: pack, offset and size by digest."""
    packs: list[Path] = field(default_factory=list)
    waiting: list[tuple[str, int, int]] = field(default_factory=list)
    stream: Any = None
    hash: Any = None
    offset: int = 0

    def put(self, digest: str, data: bytes) -> None:
        if digest in self.known:
            return
        if self.stream is None:
            self.packs.append(self.into / f"pack-{len(self.packs)}")
            self.stream, self.hash, self.offset = self.packs[-1].open("wb"), hashlib.sha256(), 0
        self.stream.write(data)
        self.hash.update(data)
        self.waiting.append((digest, self.offset, len(data)))
        # The pack's own digest is known when it is full.
        self.known[digest] = ("", self.offset, len(data))
        self.offset += len(data)
        if self.offset >= _PACK_BYTES:
            self.close()

    def close(self) -> None:
        if self.stream is None:
            return
        self.stream.close()
        pack = f"sha256:{self.hash.hexdigest()}"
        for digest, offset, size in self.waiting:
            self.known[digest] = (pack, offset, size)
        self.waiting, self.stream = [], None


def manifest(root: Path, into: Path, labels: str, known: Mapping[str, Any]) -> Manifest:
    """Describe and pack the files below a folder, in the order of their paths.

    `known["index"]` is the path of the latest version's index, if there is one. Hidden files and
    links are left out.

    Raises: EmptyFile, UnreadableFile.
    """
    names = sorted(files_below(root))
    labelling = _label_file(root, labels, names)
    names = [name for name in names if name != labelling]
    if not names:
        raise EmptyFile(root.name, "there is no file in the folder.")
    packer = _Packer(into=into, known=read_index(known.get("index") or ""))
    rows = [_described(root, name, packer) for name in names]
    packer.close()
    columns, notes = _labelled(root, rows, root / labelling if labelling else None)
    target, index = into / "manifest.parquet", into / "index.parquet"
    pq.write_table(_table(rows, columns), target, compression="zstd")
    used = {row["digest"] for row in rows}
    kept = [(digest, *place) for digest, place in packer.known.items() if digest in used]
    _write_index(kept, index)
    return Manifest(manifest=target, packs=(index, *packer.packs), notes=tuple(notes))


def files_below(root: Path, under: str = "") -> Iterator[str]:
    """The paths below a folder, relative to it; without hidden files and links."""
    with os.scandir(root / under) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.is_symlink():
                continue
            name = f"{under}/{entry.name}" if under else entry.name
            if entry.is_dir():
                yield from files_below(root, name)
            elif entry.is_file() and entry.name != "Thumbs.db":
                yield name


def _described(root: Path, name: str, packer: _Packer) -> dict[str, Any]:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise UnreadableFile(
            root.name, f"the name of the file {name!r} is no UTF-8.", hint="Rename the file."
        ) from error
    # Paths as text: of small files, building the objects takes longer than reading.
    with open(f"{root}/{name}", "rb", buffering=0) as stream:  # noqa: PTH123
        data = stream.readall()
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    packer.put(digest, data)
    suffix = os.path.splitext(name)[1]  # noqa: PTH122
    media, size = media_type(data[:16], suffix), image_size(data[:HEAD_BYTES])
    if size is None and media == "image/jpeg":
        size = image_size(data)
    text = None
    if media.startswith("text/") and len(data) <= _TEXT_BYTES:
        text = _text(data)
    return {
        "path": name,
        "media_type": media,
        "width": None if size is None else size[0],
        "height": None if size is None else size[1],
        "text": text,
        "size": len(data),
        "digest": digest,
    }


def _text(data: bytes) -> str:
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _label_file(root: Path, labels: str, names: Sequence[str]) -> str | None:
    if labels:
        if labels not in names:
            raise UnreadableFile(
                root.name,
                f"there is no file {labels!r} in the folder.",
                hint="Name the labels' file by its path in the folder.",
            )
        return labels
    return next((name for name in _LABEL_FILES if name in names), None)


def _labelled(
    root: Path, rows: Sequence[Mapping[str, Any]], labelling: Path | None
) -> tuple[dict[str, list[Any]], list[str]]:
    """The columns of labels, by a file where there is one, else by the folders' names."""
    names = [str(row["path"]) for row in rows]
    if labelling is not None:
        return _by_file(root, names, labelling)
    parts = [name.split("/")[:-1] for name in names]
    found: dict[str, list[Any]] = {}
    if all(part and part[0].lower() in _SPLITS for part in parts):
        found["split"] = [part[0].lower() for part in parts]
        parts = [part[1:] for part in parts]
    if any(parts):
        found["label"] = [part[-1] if part else None for part in parts]
    return found, []


def _by_file(
    root: Path, names: Sequence[str], labelling: Path
) -> tuple[dict[str, list[Any]], list[str]]:
    table = _label_rows(labelling)
    columns = list(dict.fromkeys(key for row in table for key in row))
    key, places = _joining(root, names, table, columns)
    told: dict[int, Mapping[str, Any]] = {}
    strange = 0
    for row in table:
        place = places.get(str(row.get(key)))
        if place is None:
            strange += 1
        else:
            told[place] = row
    found = {}
    for column in columns:
        if column != key:
            name = f"{column}_label" if column in _OWN - {"split"} else column
            found[name] = [told.get(place, {}).get(column) for place in range(len(names))]
    notes = []
    if bare := len(names) - len(told):
        notes.append(f"{bare} files have no row in {labelling.name}.")
    if strange:
        notes.append(f"{counted(strange, 'row')} of {labelling.name} without a file in the folder.")
    return {name: _typed(values) for name, values in found.items()}, notes


def _label_rows(path: Path) -> list[dict[str, Any]]:
    try:
        if path.suffix == ".jsonl":
            return [orjson.loads(line) for line in path.read_bytes().splitlines() if line.strip()]
        text = _text(path.read_bytes())
        dialect = (
            csv.Sniffer().sniff(text[:4096], delimiters=",;\t|") if text.strip() else csv.excel
        )
        return list(csv.DictReader(io.StringIO(text), dialect=dialect))
    except (ValueError, csv.Error) as error:
        raise UnreadableFile(
            path.name, f"the labels can't be read: {error}.", hint="A CSV with a header, or JSONL."
        ) from error


def _joining(
    root: Path, names: Sequence[str], table: Sequence[Mapping[str, Any]], columns: Sequence[str]
) -> tuple[str, dict[str, int]]:
    """The labels' column that names the files, and the place of each file by such a name."""
    ways = [
        {name: place for place, name in enumerate(names)},
        {name.rsplit("/", 1)[-1]: place for place, name in enumerate(names)},
        {Path(name).stem: place for place, name in enumerate(names)},
    ]
    ordered = sorted(columns, key=lambda name: name.lower() not in _NAMES)
    for places in ways:
        if len(places) < len(names):
            continue  # two files have this name
        for column in ordered:
            hits = sum(1 for row in table if str(row.get(column)) in places)
            if hits and hits >= len(table) / 2:
                return column, places
    raise UnreadableFile(
        root.name,
        "no column of the labels' file names the files of the folder.",
        hint="Give it a column file_name with the files' paths in the folder.",
    )


def _typed(values: list[Any]) -> list[Any]:
    """Numbers where every text is one; "" is missing."""
    known = [value for value in values if value not in {None, ""}] if _plain(values) else values
    for kind in (int, float):
        try:
            converted = {str(value): kind(value) for value in known if isinstance(value, str)}
        except ValueError:
            continue
        if converted:
            return [None if v in {None, ""} else converted[str(v)] for v in values]
    return [None if _plain([v]) and v == "" else v for v in values]


def _plain(values: Sequence[Any]) -> bool:
    return all(value is None or isinstance(value, (str, int, float, bool)) for value in values)


def _table(rows: Sequence[Mapping[str, Any]], labels: Mapping[str, list[Any]]) -> pa.Table:
    columns: dict[str, pa.Array] = {"path": pa.array([row["path"] for row in rows], pa.string())}
    for name, values in labels.items():
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowException, TypeError):
            columns[name] = pa.array([None if v is None else str(v) for v in values], pa.string())
    counts = Counter(str(row["media_type"]).split("/")[0] for row in rows)
    columns["media_type"] = pa.array([row["media_type"] for row in rows], pa.string())
    if counts["image"]:
        for name in ("width", "height"):
            columns[name] = pa.array([row[name] for row in rows], pa.int32())
    if counts["text"]:
        columns["text"] = pa.array([row["text"] for row in rows], pa.string())
    columns["size"] = pa.array([row["size"] for row in rows], pa.int64())
    columns["digest"] = pa.array([row["digest"] for row in rows], pa.string())
    return pa.table(columns)


def _write_index(entries: Sequence[tuple[str, str, int, int]], path: Path) -> None:
    columns = list(zip(*entries, strict=True))
    arrays = [pa.array(column, kind.type) for column, kind in zip(columns, INDEX, strict=True)]
    pq.write_table(pa.Table.from_arrays(arrays, schema=INDEX), path, compression="zstd")


def read_index(path: str) -> dict[str, tuple[str, int, int]]:
    """Where each content lies: pack, offset and size by digest; {} without an index."""
    if not path:
        return {}
    found = pq.read_table(path)
    columns = [found[name].to_pylist() for name in INDEX.names]
    return {
        digest: (pack, offset, size) for digest, pack, offset, size in zip(*columns, strict=True)
    }


def files_of(version: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The paths and digests of a version that describes a folder."""
    found: list[tuple[str, str]] = []
    for path in located(version["table_uri"], version["files"]):
        table = pq.read_table(path, columns=["path", "digest"])
        found += zip(table["path"].to_pylist(), table["digest"].to_pylist(), strict=True)
    return found


def place(version: dict[str, Any], index: str, path: str) -> dict[str, Any] | None:
    """Where the bytes of one file of a folder lie; None if the version has no such file."""
    digest = dict(files_of(version)).get(path)
    if digest is None:
        return None
    pack, offset, size = read_index(index)[digest]
    return {"pack": pack, "offset": offset, "size": size}


def contents(
    version: Mapping[str, Any], index: str, packs: Mapping[str, str]
) -> Iterator[tuple[str, bytes]]:
    """Every file of a folder, in the order of their paths; `packs` are paths by digest."""
    places, streams = read_index(index), {}
    try:
        for path, digest in files_of(version):
            pack, offset, size = places[digest]
            if pack not in streams:
                streams[pack] = Path(packs[pack]).open("rb")  # noqa: SIM115 - closed below
            streams[pack].seek(offset)
            yield path, streams[pack].read(size)
    finally:
        for stream in streams.values():
            stream.close()


def archive(version: dict[str, Any], index: str, packs: dict[str, str], target: str) -> int:
    """Write the files of a folder as a tar archive; returns how many they are."""
    count = 0
    with tarfile.open(target, "w") as tar:
        for path, data in contents(version, index, packs):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
            count += 1
    return count


def repacked(
    version: dict[str, Any], index: str, packs: dict[str, str], kept: str, into: str
) -> list[str]:
    """New packs of the files that a table still names; the paths of their index and of them."""
    wanted = set(pq.read_table(kept, columns=["path"])["path"].to_pylist())
    packer = _Packer(into=Path(into), known={})
    for path, data in contents(version, index, packs):
        if path in wanted:
            packer.put(f"sha256:{hashlib.sha256(data).hexdigest()}", data)
    packer.close()
    target = Path(into) / "index.parquet"
    _write_index([(digest, *place) for digest, place in packer.known.items()], target)
    return [str(target), *(str(pack) for pack in packer.packs)]
