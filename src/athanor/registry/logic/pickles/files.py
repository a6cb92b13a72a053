"""Looking into the files of a model folder, whatever they are called."""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import IO, Any

import yaml

from athanor.data import PREPARING
from athanor.kernel.documents import read_yaml
from athanor.registry.logic.pickles.machine import (
    Name,
    Read,
    Reader,
    Source,
    Unreadable,
    read_pickle,
    rendered,
)
from athanor.registry.logic.pickles.names import level_of
from athanor.registry.scans import LEVELS, Finding, Level, Scan, ScannedFile

MOST_FINDINGS = 500
MOST_INFLATED = 8 << 30
"""Bytes that a compressed file may hold; more is not looked through."""
_DEEPEST = 2
_MOST_MEMBERS = 10_000
_CODE_NAMES = frozenset({"__import__", "eval", "exec", "popen", "system", "subprocess", "socket"})
_CODE = frozenset({Name("types", "CodeType"), Name("cloudpickle.cloudpickle", "_builtin_type")})
_LAMBDA = b'"class_name": "Lambda"'
_KNOWN_LOADERS = ("mlflow.", "athanor.serving.runtimes.python")
"""What they run is judged by the files that they load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderFile:
    """A file to be looked into."""

    path: str
    size: int
    open: Callable[[], IO[bytes]]


@dataclass(slots=True)
class _Notes:
    files: list[ScannedFile] = field(default_factory=list)
    findings: dict[tuple[str, str, str], Finding] = field(default_factory=dict)
    left_out: int = 0

    def note(self, finding: Finding) -> None:
        key = (finding.file, finding.module, finding.name)
        harmless = finding.level == "usual" and len(self.findings) >= MOST_FINDINGS
        if harmless or len(self.findings) >= 2 * MOST_FINDINGS:
            self.left_out += 1
            return
        self.findings[key] = finding


def scan(files: Iterable[FolderFile]) -> Scan:
    """What loading these files would import and run; nothing of them is loaded.

    Memory stays small whatever their sizes are. What can't be read to its end is dangerous: the
    rest of it is not known.
    """
    notes = _Notes()
    for file in files:
        with file.open() as stream:
            _look(notes, stream, file.path, file.size, 0)
        if PurePosixPath(file.path).name == "MLmodel":
            with file.open() as stream:
                _description(notes, file.path, stream.read(1 << 20))
    found = sorted(
        notes.findings.values(),
        key=lambda item: (-LEVELS.index(item.level), item.file, item.module),
    )
    worst: Level = "safe"
    for level in (*(_of_file(file) for file in notes.files), *(item.level for item in found)):
        worst = max(worst, level, key=LEVELS.index)
    return Scan(level=worst, files=notes.files, findings=found, left_out=notes.left_out)


def _of_file(file: ScannedFile) -> Level:
    return "dangerous" if file.problem else "usual"


def _look(notes: _Notes, stream: IO[bytes], path: str, size: int, depth: int) -> None:
    """Tell a file's kind by its first bytes, and look into it."""
    head = stream.read(16)
    suffix = PurePosixPath(path).suffix.lower()
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        _archive(notes, stream, path, size, depth)
    elif opener := _inflater(head):
        _inflated(notes, opener, (stream, head), path, size)
    elif head.startswith(b"\x93NUMPY"):
        _numpy(notes, Reader(stream, head), path, size)
    elif head.startswith(b"\x89HDF") or suffix in {".keras", ".h5"}:
        _keras(notes, stream, path, size)
    elif suffix == ".py":
        if head + stream.read(len(PREPARING)) != PREPARING.encode():
            _code(notes, path, size)
    elif head[:1] == b"\x80" and head[1:2] <= b"\x05":
        _pickles(notes, Reader(stream, head), path, size, sure=True)
    else:
        _pickles(notes, Reader(stream, head), path, size, sure=False)


def _pickles(notes: _Notes, reader: Reader, path: str, size: int, *, sure: bool) -> None:
    """Every pickle of a file that holds one behind another.

    `sure` says that its first bytes are a pickle's; otherwise what can't be read is none.
    """
    found, problem, count = Read(), "", 0
    while True:
        try:
            read_pickle(reader, found)
        except Unreadable as error:
            # Behind a whole pickle may stand what is none: the arrays of old PyTorch files.
            problem = str(error) if sure and not count else ""
            break
        except RecursionError:
            problem = "it is nested too deeply"
            break
        count += 1
        if reader.peek(2)[:1] != b"\x80":
            break
    if not sure and not count and not found.calls:
        return  # text: pickles of the oldest protocols look like it, but call something
    kind = "joblib" if found.arrays else "pickle"
    notes.files.append(ScannedFile(path=path, format=kind, size=size, problem=problem))
    _told(notes, path, found)


def _told(notes: _Notes, path: str, found: Read) -> None:
    calls: dict[Name, str] = {}
    for call in found.calls:
        if isinstance(call.function, Name):
            calls.setdefault(call.function, rendered(call.function, call.args))
    for name, called in found.names.items():
        level = level_of(name.module, name.name)
        if name in _CODE and (evil := _evil(found)):
            level = "dangerous"
            calls[name] = f"code that names {', '.join(evil)}"
        notes.note(
            Finding(
                file=path,
                module=name.module,
                name=name.name,
                level=level,
                runs=called,
                call=calls.get(name, "") if level != "usual" else "",
            )
        )
    strange: tuple[tuple[int, Level, str], ...] = (
        (found.hidden, "dangerous", "a name that the file puts together itself"),
        (found.computed, "unknown", "a call of what another call gave"),
    )
    for count, level, words in strange:
        if count:
            notes.note(
                Finding(file=path, module="", name=words, level=level, runs=True, call=words)
            )


def _evil(found: Read) -> list[str]:
    """Names of ill repute in code that travels in the pickle."""
    told = {item for call in found.calls for item in _texts(call.args)}
    return sorted(told & _CODE_NAMES)


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _texts(item)


def _archive(notes: _Notes, stream: IO[bytes], path: str, size: int, depth: int) -> None:
    """The members of a zip archive: PyTorch, skops, NumPy and Keras keep models so."""
    problem, before = "", len(notes.files)
    kind = "archive"
    try:
        stream.seek(0)
        with zipfile.ZipFile(stream) as archive:
            members = [item for item in archive.infolist() if not item.is_dir()]
            names = {PurePosixPath(item.filename).name for item in members}
            kind = (
                "skops" if "schema.json" in names else "torch" if "data.pkl" in names else "archive"
            )
            problem = _too_much(members, size)
            if not problem:
                for item in members:
                    if depth >= _DEEPEST:
                        problem = "archives in it are nested too deeply"
                        break
                    with archive.open(item) as member:
                        place = f"{path}!{item.filename}"
                        _look(notes, member, place, item.file_size, depth + 1)
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
        zlib.error,
    ) as error:
        problem = f"it can't be unpacked ({error})"
    if problem or len(notes.files) > before:
        notes.files.insert(before, ScannedFile(path=path, format=kind, size=size, problem=problem))


def _too_much(members: list[zipfile.ZipInfo], size: int) -> str:
    total = sum(item.file_size for item in members)
    if len(members) > _MOST_MEMBERS:
        return f"it has {len(members):,} members"
    if total > MOST_INFLATED or total > 2000 * max(size, 1 << 10):
        return f"it would take {total:,} bytes unpacked"
    return ""


def _inflater(head: bytes) -> Callable[[IO[bytes]], IO[bytes] | Source] | None:
    """What opens a compressed file, by its first bytes: joblib compresses whole files."""
    if head.startswith(b"\x1f\x8b"):
        return lambda stream: gzip.GzipFile(fileobj=stream)
    if head.startswith(b"BZh"):
        return bz2.BZ2File
    if head.startswith((b"\xfd7zXZ", b"\x5d\x00\x00")):
        return lzma.LZMAFile
    if head[:1] == b"\x78" and head[1:2] in {b"\x01", b"\x5e", b"\x9c", b"\xda"}:
        return _Zlib
    return None


class _Zlib:
    """A zlib stream, inflated in pieces."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._inflate = zlib.decompressobj()

    def read(self, count: int) -> bytes:
        """Up to `count` bytes; b"" at the end."""
        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._stream.read(1 << 16)
            if not packed:
                return b""
            if piece := self._inflate.decompress(packed, count):
                return piece
        return b""


class _Bounded:
    """A source that ends where too much came out of it."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._left = MOST_INFLATED

    def read(self, count: int) -> bytes:
        """Up to `count` bytes."""
        try:
            piece: bytes = self._source.read(count)
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise Unreadable(f"it can't be unpacked ({error})") from error
        self._left -= len(piece)
        if self._left < 0:
            raise Unreadable(f"it would take more than {MOST_INFLATED:,} bytes unpacked")
        return piece


def _inflated(
    notes: _Notes,
    opener: Callable[[IO[bytes]], Any],
    told: tuple[IO[bytes], bytes],
    path: str,
    size: int,
) -> None:
    stream, _ = told
    stream.seek(0)
    reader = Reader(_Bounded(opener(stream)))
    try:
        head = reader.peek(2)
    except Unreadable as error:
        notes.files.append(ScannedFile(path=path, format="archive", size=size, problem=str(error)))
        return
    _pickles(notes, reader, path, size, sure=head[:1] == b"\x80")


def _numpy(notes: _Notes, reader: Reader, path: str, size: int) -> None:
    """A NumPy file: a pickle where its elements are objects (`numpy.lib.format`)."""
    try:
        version = reader.take(8)[6]
        length = int.from_bytes(reader.take(2 if version == 1 else 4), "little")
        header = reader.take(min(length, 1 << 16)) if length <= 1 << 16 else b""
    except Unreadable:
        return
    if b"'|O" in header or b"'O'" in header or not header:
        _pickles(notes, reader, path, size, sure=True)


def _keras(notes: _Notes, stream: IO[bytes], path: str, size: int) -> None:
    """Keras keeps the code of Lambda layers in its description of the model."""
    tail = b""
    while piece := stream.read(1 << 20):
        if _LAMBDA in tail + piece:
            notes.files.append(ScannedFile(path=path, format="keras", size=size))
            words = "a Lambda layer: code that travels in the file"
            notes.note(
                Finding(
                    file=path, module="keras", name="Lambda", level="unknown", runs=True, call=words
                )
            )
            return
        tail = piece[-len(_LAMBDA) :]


def _code(notes: _Notes, path: str, size: int) -> None:
    """Python files in a model folder are put on the import path, or run, when it is loaded."""
    notes.files.append(ScannedFile(path=path, format="python", size=size))
    notes.note(
        Finding(
            file=path,
            module=PurePosixPath(path).stem,
            name="*",
            level="unknown",
            runs=True,
            call=f"import of {path}",
        )
    )


def _description(notes: _Notes, path: str, text: bytes) -> None:
    """What `MLmodel` names as the loader of the model."""
    try:
        flavors = (read_yaml(text) or {}).get("flavors", {})
        loader = str(flavors.get("python_function", {}).get("loader_module", ""))
    except (yaml.YAMLError, AttributeError, TypeError, ValueError):
        return
    if loader and not loader.startswith(_KNOWN_LOADERS):
        notes.files.append(ScannedFile(path=path, format="loader", size=len(text)))
        judged = level_of(loader, "_load_pyfunc")
        level: Level = "dangerous" if judged == "dangerous" else "unknown"
        notes.note(
            Finding(
                file=path,
                module=loader,
                name="_load_pyfunc",
                level=level,
                runs=True,
                call=f"{loader}._load_pyfunc(...)",
            )
        )
