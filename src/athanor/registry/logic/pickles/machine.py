"""A pickle machine that moves symbols instead of objects: it imports nothing and calls nothing.

It keeps what the names and calls of a pickle can be told by (short texts, numbers, tuples) and
forgets the rest, so that memory stays small whatever the file's size. Opcodes: `pickletools` in
Python's library. joblib writes the bytes of arrays between the opcodes: their length is worked out
from the wrapper's own shape and dtype, as `joblib.numpy_pickle` does.
"""

import math
import pickletools
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

LONGEST_TEXT = 4096
LONGEST_LINE = 1 << 16
MOST_OPCODES = 30_000_000
MOST_MEMO = 3_000_000
_MOST_STACK = 3_000_000
_MOST_ITEMS = 64
_MOST_CALLS = 200
_DEEPEST = 8
_SHOWN = 80

_LENGTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: "<B",
    pickletools.TAKEN_FROM_ARGUMENT4: "<i",
    pickletools.TAKEN_FROM_ARGUMENT4U: "<I",
    pickletools.TAKEN_FROM_ARGUMENT8U: "<Q",
}
_OPCODES = {ord(opcode.code): opcode for opcode in pickletools.opcodes}
_ARRAY = ("joblib.numpy_pickle", "NumpyArrayWrapper")
_WIDTH = re.compile(r"[<>|=]?([a-zA-Z])(\d*)")


class Unreadable(Exception):
    """The bytes are no pickle, or not one that ends."""


class Source(Protocol):
    """Bytes that are read once, front to back."""

    def read(self, count: int) -> bytes:
        """Up to `count` bytes."""
        ...


class Reader:
    """Exact reads from a source; what is not needed is passed over in pieces."""

    def __init__(self, source: Source, head: bytes = b"") -> None:
        self._source = source
        self._buffer = head
        self.at = 0

    def peek(self, count: int) -> bytes:
        """Up to `count` bytes that stay to be read."""
        while len(self._buffer) < count and (more := self._source.read(1 << 16)):
            self._buffer += more
        return self._buffer[:count]

    def take(self, count: int) -> bytes:
        """`count` bytes."""
        found = self.peek(count)
        if len(found) < count:
            raise Unreadable("it ends too early")
        self._buffer = self._buffer[count:]
        self.at += count
        return found

    def skip(self, count: int) -> None:
        """Pass over `count` bytes."""
        here = min(count, len(self._buffer))
        self._buffer = self._buffer[here:]
        left = count - here
        while left:
            piece = self._source.read(min(left, 1 << 20))
            if not piece:
                raise Unreadable("it ends too early")
            left -= len(piece)
        self.at += count

    def line(self) -> bytes:
        """The bytes up to the next end of line, without it."""
        count = 64
        while True:
            found = self.peek(count)
            end = found.find(b"\n")
            if end >= 0:
                return self.take(end + 1)[:-1]
            if len(found) < count or count >= LONGEST_LINE:
                raise Unreadable("a line in it does not end")
            count *= 4


class Unknown:
    """A value that nothing is kept of."""

    def __repr__(self) -> str:
        """As three dots."""
        return "..."


UNKNOWN = Unknown()
_MARK = object()


@dataclass(frozen=True, slots=True)
class Name:
    """Something that is imported."""

    module: str
    name: str

    def __repr__(self) -> str:
        """As it is written in code."""
        return f"{self.module}.{self.name}"


@dataclass(slots=True)
class Made:
    """What a call gives."""

    by: Any
    args: tuple[Any, ...]
    state: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        """As the call."""
        return rendered(self.by, self.args)


@dataclass(frozen=True, slots=True)
class Call:
    """One call that the pickle makes."""

    function: Any
    args: tuple[Any, ...]


@dataclass(slots=True)
class Read:
    """What a pickle turned out to do."""

    names: dict[Name, bool] = field(default_factory=dict)
    """Each imported name, and whether it is called."""
    calls: list[Call] = field(default_factory=list)
    """The first calls, in the order in which they would run."""
    hidden: int = 0
    """Imports whose name the pickle puts together itself."""
    computed: int = 0
    """Calls of what another call gave."""
    arrays: int = 0
    """Arrays that joblib wrote between the opcodes."""


def rendered(function: Any, args: tuple[Any, ...]) -> str:
    """A call as it would be written, shortened."""
    told = ", ".join(_short(item) for item in args[:4]) + (", ..." if len(args) > 4 else "")
    return f"{function!r}({told})"


def _short(item: Any) -> str:
    if isinstance(item, Made):
        return f"{item.by!r}(...)"
    text = repr(item)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def read_pickle(reader: Reader, found: Read) -> None:
    """Go through one pickle up to its end, noting what it does.

    Raises: Unreadable; what was found before stays in `found`.
    """
    _Machine(reader, found).run()


class _Machine:
    def __init__(self, reader: Reader, found: Read, depth: int = 0) -> None:
        self._depth = depth
        self._reader = reader
        self._found = found
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._steps: dict[str, Callable[[Any], None]] = self._table()

    def run(self) -> None:
        """Move through the opcodes until STOP."""
        steps, reader = self._steps, self._reader
        for _ in range(MOST_OPCODES):
            code = reader.take(1)[0]
            opcode = _OPCODES.get(code)
            if opcode is None:
                raise Unreadable(f"there is no opcode {code:#04x}")
            argument = None if opcode.arg is None else self._argument(opcode)
            if opcode.name == "STOP":
                return
            try:
                steps[opcode.name](argument)
            except (IndexError, ValueError) as error:
                raise Unreadable(f"its {opcode.name} has nothing to work on") from error
            if len(self._stack) > _MOST_STACK or len(self._memo) > MOST_MEMO:
                raise Unreadable("it holds too many objects to be looked through")
        raise Unreadable("it holds too many steps to be looked through")

    def _argument(self, opcode: pickletools.OpcodeInfo) -> Any:
        kind = opcode.arg
        if kind is None:
            return None
        if kind.n == pickletools.UP_TO_NEWLINE:
            if opcode.name in {"GLOBAL", "INST"}:
                return (_text(self._reader.line()), _text(self._reader.line()))
            return _text(self._reader.line())
        if kind.n >= 0:
            return self._reader.take(kind.n)
        form = _LENGTHS[kind.n]
        (length,) = struct.unpack(form, self._reader.take(struct.calcsize(form)))
        if length < 0:
            raise Unreadable("a length in it is negative")
        if length > LONGEST_TEXT:
            head = self._reader.take(_SHOWN)
            self._reader.skip(length - _SHOWN)
            return _Long(head)
        return self._reader.take(length)

    def _table(self) -> dict[str, Callable[[Any], None]]:
        push = self._stack.append
        nothing = ("PROTO", "FRAME", "READONLY_BUFFER")
        unknown = ("NEXT_BUFFER", "FLOAT", "BINFLOAT", "PERSID")
        texts = ("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8")
        raws = ("BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8")
        signed, unsigned = ("BININT", "LONG1", "LONG4"), ("BININT1", "BININT2")
        table: dict[str, Callable[[Any], None]] = {
            **dict.fromkeys(nothing, lambda _: None),
            **dict.fromkeys(unknown, lambda _: push(UNKNOWN)),
            **dict.fromkeys(texts, lambda told: push(_plain(told))),
            **dict.fromkeys(raws, lambda told: push(_raw(told))),
            **dict.fromkeys(signed, lambda told: push(_number(told, signed=True))),
            **dict.fromkeys(unsigned, lambda told: push(_number(told, signed=False))),
            **dict.fromkeys(("EXT1", "EXT2", "EXT4"), lambda _: self._extension()),
            **dict.fromkeys(("INT", "LONG"), lambda told: push(_digits(told))),
            "STRING": lambda told: push(_quoted(told)),
            "BYTEARRAY8": lambda _: push(UNKNOWN),
            "NONE": lambda _: push(None),
            "NEWTRUE": lambda _: push(True),
            "NEWFALSE": lambda _: push(False),
            "MARK": lambda _: push(_MARK),
            "EMPTY_LIST": lambda _: push([]),
            "EMPTY_TUPLE": lambda _: push(()),
            "EMPTY_DICT": lambda _: push({}),
            "EMPTY_SET": lambda _: push(UNKNOWN),
            "POP": lambda _: self._drop(),
            "DUP": lambda _: push(self._stack[-1]),
            "POP_MARK": lambda _: self._drop_since_mark(),
            "TUPLE": lambda _: push(_kept(self._since_mark())),
            "TUPLE1": lambda _: push(tuple(self._last(1))),
            "TUPLE2": lambda _: push(tuple(self._last(2))),
            "TUPLE3": lambda _: push(tuple(self._last(3))),
            "LIST": lambda _: push(self._since_mark()[:_MOST_ITEMS]),
            "DICT": lambda _: push(_pairs({}, self._since_mark())),
            "FROZENSET": lambda _: self._forget(self._since_mark()),
            "APPEND": lambda _: _extend(self._stack, self._last(1)),
            "APPENDS": lambda _: _extend(self._stack, self._since_mark()),
            "ADDITEMS": lambda _: self._drop_since_mark(),
            "SETITEM": lambda _: self._set(self._last(2)),
            "SETITEMS": lambda _: self._set(self._since_mark()),
            "GLOBAL": lambda told: push(self._name(*told)),
            "STACK_GLOBAL": lambda _: push(self._name(*self._last(2))),
            "INST": self._inst,
            "OBJ": lambda _: self._obj(),
            "REDUCE": lambda _: self._call(*self._last(2)),
            "NEWOBJ": lambda _: self._call(*self._last(2)),
            "NEWOBJ_EX": lambda _: self._call(*self._last(3)[:2]),
            "BUILD": lambda _: self._build(),
            "BINPERSID": lambda _: self._forget(self._last(1)),
            "PUT": lambda told: self._memorise(_digits(told)),
            "BINPUT": lambda told: self._memorise(told[0]),
            "LONG_BINPUT": lambda told: self._memorise(struct.unpack("<I", told)[0]),
            "MEMOIZE": lambda _: self._memorise(len(self._memo)),
            "GET": lambda told: push(self._memo.get(_digits(told), UNKNOWN)),
            "BINGET": lambda told: push(self._memo.get(told[0], UNKNOWN)),
            "LONG_BINGET": lambda told: push(self._memo.get(struct.unpack("<I", told)[0], UNKNOWN)),
        }
        return table

    def _last(self, count: int) -> list[Any]:
        if len(self._stack) < count or any(item is _MARK for item in self._stack[-count:]):
            raise IndexError
        found = self._stack[-count:]
        del self._stack[-count:]
        return found

    def _since_mark(self) -> list[Any]:
        for place in range(len(self._stack) - 1, -1, -1):
            if self._stack[place] is _MARK:
                found = self._stack[place + 1 :]
                del self._stack[place:]
                return found
        raise IndexError

    def _drop(self) -> None:
        self._stack.pop()

    def _drop_since_mark(self) -> None:
        self._since_mark()

    def _forget(self, _: list[Any]) -> None:
        """What these values were made into is not kept."""
        self._stack.append(UNKNOWN)

    def _extension(self) -> None:
        self._found.hidden += 1
        self._stack.append(UNKNOWN)

    def _memorise(self, key: Any) -> None:
        kept = self._stack[-1]
        if isinstance(kept, str) and len(kept) > LONGEST_TEXT // 16:
            kept = UNKNOWN
        self._memo[key] = kept

    def _set(self, items: list[Any]) -> None:
        if isinstance(self._stack[-1], dict):
            _pairs(self._stack[-1], items)

    def _name(self, module: Any, name: Any) -> Any:
        if not isinstance(module, str) or not isinstance(name, str):
            self._found.hidden += 1
            return UNKNOWN
        made = Name(module, name)
        self._found.names.setdefault(made, False)
        return made

    def _inst(self, told: tuple[str, str]) -> None:
        args = self._since_mark()
        self._call(self._name(*told), tuple(args))

    def _obj(self) -> None:
        function, *args = self._since_mark()
        self._call(function, tuple(args))

    def _call(self, function: Any, args: Any) -> None:
        given = args if isinstance(args, tuple) else (UNKNOWN,)
        if isinstance(function, Name):
            self._found.names[function] = True
        else:
            self._found.computed += 1
        if len(self._found.calls) < _MOST_CALLS:
            self._found.calls.append(Call(function, given))
        self._stack.append(Made(function, given))

    def _build(self) -> None:
        (state,) = self._last(1)
        made = self._stack[-1]
        if not isinstance(made, Made):
            return
        if isinstance(state, dict):
            made.state.update(state)
        if isinstance(made.by, Name) and (made.by.module, made.by.name) == _ARRAY:
            self._array(made.state)

    def _array(self, state: dict[str, Any]) -> None:
        """Pass over the array's bytes, or go through the pickle that stands in their place."""
        self._found.arrays += 1
        width = _width(state.get("dtype"))
        if width is None:
            if self._depth >= _DEEPEST:
                raise Unreadable("pickles in it are nested too deeply")
            _Machine(self._reader, self._found, self._depth + 1).run()
            return
        if state.get("numpy_array_alignment_bytes") is not None:
            self._reader.skip(self._reader.take(1)[0])
        shape = state.get("shape")
        if not isinstance(shape, tuple) or not all(isinstance(n, int) and n >= 0 for n in shape):
            raise Unreadable("an array in it does not tell its shape")
        self._reader.skip(math.prod(shape) * width)


def _width(dtype: Any) -> int | None:
    """Bytes an element, or None where elements are objects."""
    told = dtype.args[0] if isinstance(dtype, Made) and dtype.args else None
    if isinstance(told, Name):
        raise Unreadable("an array in it does not tell its type")
    match = _WIDTH.fullmatch(str(told))
    if match is None:
        raise Unreadable("an array in it does not tell its type")
    kind, digits = match.groups()
    if kind == "O":
        return None
    return int(digits or 1) * (4 if kind == "U" else 1)


@dataclass(frozen=True, slots=True)
class _Long:
    """The head of a text that is too long to be kept."""

    head: bytes


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _plain(told: Any) -> Any:
    if isinstance(told, _Long):
        return UNKNOWN
    return told if isinstance(told, str) else _text(told)


def _quoted(told: str) -> str:
    return told[1:-1] if len(told) > 1 and told[0] == told[-1] and told[0] in "'\"" else told


def _number(told: Any, *, signed: bool) -> Any:
    return UNKNOWN if isinstance(told, _Long) else int.from_bytes(told, "little", signed=signed)


def _raw(told: Any) -> Any:
    """Bytes: kept as text where they are short, since old pickles write names so."""
    return UNKNOWN if isinstance(told, _Long) or len(told) > 256 else _text(told)


def _digits(told: Any) -> Any:
    text = str(told).rstrip("L")
    if text in {"00", "01"}:
        return text == "01"
    return int(text) if len(text) < 20 else UNKNOWN


def _kept(items: list[Any]) -> Any:
    return tuple(items) if len(items) <= _MOST_ITEMS else (*items[:_MOST_ITEMS], UNKNOWN)


def _pairs(into: dict[str, Any], items: list[Any]) -> dict[str, Any]:
    for key, value in zip(items[::2], items[1::2], strict=False):
        if isinstance(key, str) and len(into) < _MOST_ITEMS:
            into[key] = value
    return into


def _extend(stack: list[Any], items: list[Any]) -> None:
    target = stack[-1]
    if isinstance(target, list):
        target.extend(items[: max(0, _MOST_ITEMS - len(target))])
