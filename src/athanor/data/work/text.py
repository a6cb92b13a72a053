"""Text files of any compression and encoding, as plain UTF-8 that a CSV parser can read."""

import bz2
import codecs
import gzip
import lzma
from pathlib import Path
from typing import IO, cast

import pyarrow as pa

from athanor.data.errors import EmptyFile, UnreadableFile
from athanor.data.logic.forms import (
    compression_of,
    encoding_of,
    foreign_kind,
    looks_binary,
    marked_up,
)

_QUERY = "Name what you want of it: athanor data add NAME sqlite:///FILE --sql 'SELECT ...'"
_BLOCK = 1 << 20
_HEAD = 1 << 16
_BOMB_BYTES = 256 << 20
_BOMB_RATIO = 200


def unpacked(path: Path, file: str, into: Path) -> tuple[Path, str]:
    """The file without its compression, and which it was ("" for none).

    Raises: EmptyFile, UnreadableFile (broken, or swelling without measure).
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    if not head:
        raise EmptyFile(file)
    compression = compression_of(head)
    if not compression:
        return path, ""
    target = into / "unpacked"
    limit = max(_BOMB_BYTES, path.stat().st_size * _BOMB_RATIO)
    written = 0
    try:
        with _opened(path, compression) as source, target.open("wb") as out:
            while block := source.read(_BLOCK):
                written += len(block)
                if written > limit:
                    raise UnreadableFile(
                        file,
                        f"it swells to more than {_BOMB_RATIO} times its size.",
                        hint="Unpack it yourself if you trust it, and hand in the plain file.",
                    )
                out.write(block)
    except (OSError, EOFError, lzma.LZMAError, pa.ArrowException) as error:
        raise UnreadableFile(
            file,
            f"the {compression} data is damaged or cut off ({error}).",
            hint="Copy or compress it again.",
        ) from error
    if not written:
        raise EmptyFile(file, f"there is nothing in the {compression} file.")
    return target, compression


def plain_text(path: Path, file: str, into: Path, encoding: str = "") -> tuple[Path, str]:
    """A UTF-8 twin of a text file without its byte order mark, and the encoding that it had.

    A file that is plain already is its own twin. Where no encoding is given, a byte order mark or
    the pattern of zero bytes tells it; else UTF-8 is tried, and Windows-1252 where that fails and
    the file holds no UTF-8 beyond ASCII.

    Raises: UnreadableFile.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    found, mark = encoding_of(head)
    foreign = foreign_kind(head) or marked_up(head[mark:])
    if not foreign and not found and not looks_binary(head.replace(b"\0", b"")):
        raise _with_zeros(file, head)
    if foreign or not found or (found == "utf-8" and looks_binary(head)):
        what = foreign or "binary data"
        raise UnreadableFile(
            file,
            f"this is {what}, not a table, whatever its name says.",
            hint=_QUERY
            if "SQLite" in what
            else "Hand in a CSV, JSON-lines or Parquet file (an archive: unpack it first).",
        )
    chosen = encoding or found
    if not _is_encoding(chosen):
        raise UnreadableFile(
            file, f"there is no encoding {chosen!r}.", hint="Say utf-8, latin-1, cp1252, utf-16 ..."
        )
    if codecs.lookup(chosen).name == "utf-8":
        bad, beyond_ascii = _first_bad_byte(path)
        if bad is None and not mark:
            return path, "utf-8"
        if bad is not None:
            if beyond_ascii or encoding:
                raise _mixed(path, file, bad)
            chosen = "cp1252"
    return _transcoded(path, file, into / "text", chosen, mark), chosen


def _with_zeros(file: str, head: bytes) -> UnreadableFile:
    place = head.index(b"\0")
    line = head.count(b"\n", 0, place) + 1
    return UnreadableFile(
        file,
        f"line {line} (byte {place}) holds a zero byte, which is no text.",
        hint="Take the zero bytes out: tr -d '\\000' < FILE; or say the encoding: --encoding",
        row=max(line - 1, 1),
    )


def _is_encoding(name: str) -> bool:
    """Whether bytes are read as text by this name; rot13 and zip are codecs of other kinds."""
    try:
        return isinstance(b" ".decode(name, "replace"), str)
    except (LookupError, ValueError):
        return False


def _opened(path: Path, compression: str) -> IO[bytes]:
    if compression == "gzip":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    if compression == "bzip2":
        return cast("IO[bytes]", bz2.open(path, "rb"))
    if compression == "xz":
        return cast("IO[bytes]", lzma.open(path, "rb"))
    return cast("IO[bytes]", pa.CompressedInputStream(pa.OSFile(str(path)), "zstd"))


def _first_bad_byte(path: Path) -> tuple[int | None, bool]:
    """Where UTF-8 first fails, and whether good UTF-8 beyond ASCII stands anywhere before."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    position, beyond = 0, False
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(block)
            except UnicodeDecodeError as error:
                good = block[: max(error.start - pending, 0)]
                return position - pending + error.start, beyond or not good.isascii()
            beyond = beyond or not text.isascii()
            position += len(block)
    pending = len(decoder.getstate()[0])
    return (position - pending if pending else None), beyond


def _mixed(path: Path, file: str, position: int) -> UnreadableFile:
    with path.open("rb") as stream:
        lines = 0
        left = position
        while left > 0 and (block := stream.read(min(_BLOCK, left))):
            lines += block.count(b"\n")
            left -= len(block)
        byte = stream.read(1)
    return UnreadableFile(
        file,
        f"line {lines + 1} (byte {position}) holds 0x{byte.hex()}, which is no UTF-8, although "
        "the file is UTF-8 elsewhere.",
        hint="Two encodings were mixed: write the file in one; or say which it is: --encoding",
        row=max(lines, 1),
    )


def _transcoded(path: Path, file: str, target: Path, encoding: str, mark: int) -> Path:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as stream, target.open("wb") as out:
        stream.seek(mark)
        position = mark
        try:
            while block := stream.read(_BLOCK):
                out.write(decoder.decode(block).encode("utf-8"))
                position += len(block)
            out.write(decoder.decode(b"", final=True).encode("utf-8"))
        except (UnicodeDecodeError, UnicodeEncodeError) as error:
            if encoding == "cp1252":
                # Five bytes mean nothing in Windows-1252; Latin-1 has a meaning for every one.
                return _transcoded(path, file, target, "latin-1", mark)
            raise UnreadableFile(
                file,
                f"near byte {position} the file is not {encoding} ({error.__class__.__name__}).",
                hint="Say which encoding it has: --encoding",
            ) from error
    return target
