"""The talk between plane and model worker: frames over a Unix stream socket.

A frame is its payload's length (u32, little-endian), the request's number (u64) and the payload in
MessagePack. The worker's first frame (number 0) is its `Hello`; after that each `Ask` is answered
by one `Reply` of the same number, in whatever order.
"""

import struct
from collections.abc import Iterator
from typing import Any

import msgspec

HEAD = struct.Struct("<IQ")
MAX_PAYLOAD = 1 << 30
"""A length beyond this is no frame of ours."""


class Hello(msgspec.Struct, array_like=True):
    """What a worker says when a plane connects."""

    classes: list[Any]
    """Of a classifier: its classes in the order of the probabilities; of a regressor: none."""
    batching: str
    """How requests share a call: `whole`, `final` or `none`."""
    outputs: list[str] = []
    """Of a model that tells several values for a row: their names, in the order of the numbers."""
    texts: bool = False
    """Whether its answers are `Reply.values`, as far as rows of its own sample showed."""
    bodies: str = ""
    """Which bodies of MLflow's `/invocations` the worker reads itself: `every` one, those that are
    `strange` to the plane, or none."""


class Body(msgspec.Struct, array_like=True):
    """A request as it came, for a worker that reads it."""

    content: bytes
    type: str
    """Its Content-Type."""
    most: int
    """How many rows it may hold."""
    names: list[str]
    """The signature's columns."""


class Ask(msgspec.Struct, array_like=True):
    """Rows to predict, or a body that holds them."""

    rows: list[list[Any]]
    """Values in the order of the signature's columns."""
    body: Body | None = None


class Reply(msgspec.Struct, array_like=True):
    """What the model said, or why it said nothing."""

    labels: list[int]
    """Of a classifier: each row's class, as its place in `Hello.classes`."""
    numbers: bytes
    """float64, little-endian: a row's probabilities, or its one value (or one for each of
    `Hello.outputs`); row after row. Empty where the model tells labels alone, or `values`."""
    error: str = ""
    values: list[Any] = []
    """Of a model whose answers are neither classes nor numbers: each row's answer, as JSON."""
    rows: list[list[Any]] = []
    """Of a body: the rows that it held."""
    text: bytes = b""
    """Of a body: the answer, as MLflow writes it."""
    code: str = ""
    """Of a body that was refused: MLflow's error code, or `TOO_MANY`, whose `error` is a count."""


TOO_MANY = "TOO_MANY"
EVERY, STRANGE = "every", "strange"
"""Words of `Hello.bodies`."""


class FrameError(Exception):
    """The bytes are no frames: the connection is of no more use."""


_encoder = msgspec.msgpack.Encoder()
ASKS = msgspec.msgpack.Decoder(Ask)
REPLIES = msgspec.msgpack.Decoder(Reply)
HELLOS = msgspec.msgpack.Decoder(Hello)


def framed(number: int, message: Hello | Ask | Reply) -> bytes:
    """One message as the bytes of its frame."""
    payload = _encoder.encode(message)
    return HEAD.pack(len(payload), number) + payload


class Frames:
    """Bytes in as they come, whole frames out."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The frames that are complete with these bytes: (number, payload).

        Raises: FrameError.
        """
        self._buffer += data
        start, size = 0, len(self._buffer)
        while size - start >= HEAD.size:
            length, number = HEAD.unpack_from(self._buffer, start)
            if length > MAX_PAYLOAD:
                raise FrameError(f"a frame of {length} bytes")
            end = start + HEAD.size + length
            if end > size:
                break
            yield number, bytes(self._buffer[start + HEAD.size : end])
            start = end
        del self._buffer[:start]
