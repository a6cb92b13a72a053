"""ZIP and tar archives as folders: nothing leads out of them, and none swells without measure."""

import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from athanor.data.errors import EmptyFile, UnreadableFile
from athanor.data.logic.forms import archive_kind

_BLOCK = 1 << 20
_BOMB_BYTES = 256 << 20
_BOMB_RATIO = 200
_MOST_FILES = 2_000_000
_TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".arrow", ".feather", ".json")

_Member = tuple[str, IO[bytes]]


def unpacked_archive(path: Path, into: Path) -> Path:
    """The files of an archive below a folder; of a single table, that table's file.

    Raises: UnreadableFile (damaged, encrypted, leading elsewhere, a bomb), EmptyFile.
    """
    name = path.name
    with path.open("rb") as stream:
        kind = archive_kind(stream.read(1 << 16))
    limit = max(_BOMB_BYTES, path.stat().st_size * _BOMB_RATIO)
    into.mkdir()
    found: list[Path] = []
    written = 0
    try:
        for inner, source in _zipped(path) if kind == "zip" else _tarred(path):
            target = into / _checked(name, inner)
            if target.is_file():
                # Which of the two is meant nobody can tell, and the other's rows would be lost.
                raise UnreadableFile(
                    name, f"it holds {inner[:120]!r} twice.", hint="Pack each file once."
                )
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                while block := source.read(_BLOCK):
                    written += len(block)
                    if written > limit:
                        raise UnreadableFile(
                            name,
                            f"it swells to more than {_BOMB_RATIO} times its size (at {inner!r}).",
                            hint="Unpack it yourself if you trust it, and hand in the folder.",
                        )
                    out.write(block)
            found.append(target)
            if len(found) > _MOST_FILES:
                raise UnreadableFile(
                    name, f"it holds more than {_MOST_FILES:,} files.", hint="Split the archive."
                )
    except (OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError,
            NotImplementedError, RuntimeError) as error:  # fmt: skip
        # Of errors of the system without the path, which is the server's own.
        said = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
        raise UnreadableFile(
            name,
            f"the archive is damaged, encrypted or cut off ({said}).",
            hint="Pack it again as a plain .zip or .tar.gz.",
        ) from error
    if not found:
        raise EmptyFile(name, "there is no file in the archive.")
    if (into / "[Content_Types].xml").exists():
        raise UnreadableFile(
            name,
            "this is an Office document, not a table.",
            hint="Save it as CSV or Parquet and hand that in; or in Python: "
            "client.data.add(NAME, pandas.read_excel(FILE))",
        )
    if len(found) == 1 and found[0].suffix.lower() in _TABLES:
        return found[0]
    return _inner(into)


def _checked(name: str, inner: str) -> PurePosixPath:
    pure = PurePosixPath(inner.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or not pure.parts or ":" in pure.parts[0]:
        raise UnreadableFile(
            name,
            f"its entry {inner[:120]!r} leads out of the archive.",
            hint="Pack it with paths below one folder; nothing of it was unpacked outside.",
        )
    return pure


def _zipped(path: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if not entry.is_dir():
                with archive.open(entry) as source:
                    yield entry.filename, source


def _tarred(path: Path) -> Iterator[_Member]:
    with tarfile.open(path) as archive:
        for entry in archive:
            if entry.isdir():
                continue
            if not entry.isfile():
                # Links and devices are named, so that what is checked is what would be written.
                _checked(path.name, entry.linkname or entry.name)
                continue
            yield entry.name, archive.extractfile(entry) or io.BytesIO()


def _inner(root: Path) -> Path:
    """The folder itself, or the only one in it where everything lies below that."""
    children = [item for item in root.iterdir() if item.name != "__MACOSX"]
    return children[0] if len(children) == 1 and children[0].is_dir() else root
