"""What a file's first bytes say: its format, compression, encoding and dialect."""

import bz2
import csv
import lzma
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_COMPRESSED = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)
_FOREIGN = (
    (b"PK\x03\x04", "a ZIP archive or an Office document"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
    (b"SQLite format 3", "an SQLite database"),
    (b"ORC", "an ORC file"),
    (b"Obj\x01", "an Avro file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "an array of NumPy"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
)
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_STATED = re.compile(r'"?sep=([^\w"\r\n])"?(?:\r\n|\n|\r)', re.IGNORECASE)
_DELIMITERS = ",;\t|"
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_COMMA_NUMBER = re.compile(r"[+-]?\d{1,3}((\.\d{3})+|\d*),\d+([eE][+-]?\d+)?")
_POINT_NUMBER = re.compile(r"[+-]?\d+\.\d+([eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a CSV file is written."""

    delimiter: str
    decimal: str
    header: bool


def compression_of(head: bytes) -> str:
    """The compression: gzip, bzip2, xz, zstd, or "" for none."""
    return next((name for magic, name in _COMPRESSED if head.startswith(magic)), "")


def foreign_kind(head: bytes) -> str:
    """What a file is that is no table here, in words ("a PNG image"), or ""."""
    kind = next((name for magic, name in _FOREIGN if head.startswith(magic)), "")
    if kind == "a Windows program" and b"\x00" not in head[:512]:
        return ""
    return kind


def marked_up(head: bytes) -> str:
    """What a text is that begins as a page or as XML, in words; or ""."""
    start = head.lstrip()[:64].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "an HTML page"
    return "an XML document" if start.startswith(b"<?xml") else ""


def stated_delimiter(text: str) -> tuple[str, int]:
    """The delimiter that a first line `sep=;` names, as Excel writes it, and its length; or ""."""
    found = _STATED.match(text)
    return (found[1], found.end()) if found else ("", 0)


def is_parquet(head: bytes) -> bool:
    """Whether these are the first bytes of a Parquet file."""
    return head.startswith(b"PAR1")


def is_arrow(head: bytes) -> bool:
    """Whether these are the first bytes of an Arrow IPC file or stream."""
    return head.startswith((b"ARROW1", b"\xff\xff\xff\xff")) and not head.startswith(b"\xff" * 8)


def archive_kind(head: bytes) -> str:
    """The kind of an archive by its first kilobytes: zip, tar (compressed or not), or none ("")."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    start = head
    try:
        if head.startswith(b"\x1f\x8b"):
            start = zlib.decompressobj(31).decompress(head, 1024)
        elif head.startswith(b"BZh"):
            start = bz2.BZ2Decompressor().decompress(head, 1024)
        elif head.startswith(b"\xfd7zXZ\x00"):
            start = lzma.LZMADecompressor().decompress(head, 1024)
    except (zlib.error, OSError, lzma.LZMAError, EOFError):
        return ""
    return "tar" if start[257:262] == b"ustar" else ""


def encoding_of(head: bytes) -> tuple[str, int]:
    """The encoding that the first bytes show, and the length of the byte order mark.

    Returns "utf-8" where nothing shows another, and "" for bytes that are no text.
    """
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name, len(mark)
    if b"\x00" not in head:
        return "utf-8", 0
    pairs = max(len(head) // 2, 1)
    odd, even = head[1::2].count(0) / pairs, head[0::2].count(0) / pairs
    if odd > 0.7 and even < 0.1:
        return "utf-16-le", 0
    if even > 0.7 and odd < 0.1:
        return "utf-16-be", 0
    return "", 0


def looks_binary(head: bytes) -> bool:
    """Whether bytes without a byte order mark hold control characters that no text has."""
    controls = sum(
        head.count(bytes([code])) for code in (*range(9), *range(14, 27), *range(28, 32))
    )
    return controls > max(1, len(head) // 100)


def dialect_of(text: str, *, delimiter: str = "", decimal: str = "") -> Dialect:
    """The dialect of a CSV file by its first lines; what is given is taken as it is."""
    lines = _whole_lines(text)
    chosen = delimiter or _delimiter_of(lines)
    rows = [row for row in csv.reader(lines, delimiter=chosen) if row]
    return Dialect(
        delimiter=chosen,
        decimal=decimal or _decimal_of(rows, chosen),
        header=not rows or not _is_data(rows[0], rows[1:]),
    )


def column_names(cells: Sequence[str]) -> tuple[list[str], list[str]]:
    """Clean column names, and notes on those that were changed.

    Blanks around a name go; a column without a name is called `column_<position from 1>`.
    """
    names, notes = [], []
    for position, cell in enumerate(cells, 1):
        name = " ".join(cell.replace("\ufeff", "").split())
        if not name:
            name = f"column_{position}"
            notes.append(f"Column {position} has no name and is called {name!r}.")
        names.append(name)
    return names, notes


def repeated(names: Sequence[str]) -> list[str]:
    """Names that stand more than once, upper and lower case being the same."""
    counts = Counter(name.casefold() for name in names)
    seen: dict[str, None] = {name: None for name in names if counts[name.casefold()] > 1}
    return list(seen)


def _whole_lines(text: str) -> list[str]:
    lines = text.splitlines(keepends=True)
    if len(lines) > 1 and not lines[-1].endswith(("\n", "\r")):
        lines.pop()
    return lines[:500]


def _delimiter_of(lines: Sequence[str]) -> str:
    best, best_score = ",", (0.0, 0)
    for candidate in _DELIMITERS:
        try:
            widths = Counter(len(row) for row in csv.reader(lines, delimiter=candidate) if row)
        except csv.Error:
            continue
        if not widths:
            continue
        width, count = widths.most_common(1)[0]
        score = (count / widths.total() if width > 1 else 0.0, width)
        if score[0] > 0.5 and score > best_score:
            best, best_score = candidate, score
    return best


def _decimal_of(rows: Sequence[Sequence[str]], delimiter: str) -> str:
    if delimiter == ",":
        return "."
    cells = [cell.strip() for row in rows[1:] for cell in row]
    commas = sum(1 for cell in cells if _COMMA_NUMBER.fullmatch(cell))
    points = sum(1 for cell in cells if _POINT_NUMBER.fullmatch(cell))
    return "," if commas > points else "."


def _is_data(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Whether the first row holds values: a number stands in it, above a column of numbers."""
    for position, cell in enumerate(first):
        below = [row[position].strip() for row in rest[:50] if len(row) > position]
        numbers = sum(1 for value in below if _NUMBER.fullmatch(value))
        if _NUMBER.fullmatch(cell.strip()) and below and numbers > len(below) / 2:
            return not any(
                cell == other for place, other in enumerate(first) if place != position
            ) or len(first) > len(set(first))
    return False
