"""Messages between server, zygote and worker: MessagePack behind a length of four bytes.

MessagePack and not JSON, because NaN, infinities and bytes survive it.
"""

import os
import socket
import struct
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import msgspec

_LENGTH = struct.Struct(">I")
MAX_FRAME_BYTES = 1 << 30
_MAX_FDS = 4


def _plain(value: Any) -> Any:
    """What MessagePack has no word for: paths as text, numpy's scalars as Python's."""
    if isinstance(value, PurePath):
        return str(value)
    if hasattr(value, "dtype") and getattr(value, "ndim", None) == 0:
        return value.item()
    raise NotImplementedError(f"a value of type {type(value).__qualname__} can't be sent")


_encoder = msgspec.msgpack.Encoder(enc_hook=_plain)
_decoder = msgspec.msgpack.Decoder()


def encode(message: Mapping[str, Any]) -> bytes:
    """A frame. Raises TypeError or ValueError for what can't be sent."""
    try:
        body = _encoder.encode(message)
    except NotImplementedError as error:
        raise TypeError(str(error)) from None
    if len(body) > MAX_FRAME_BYTES:
        raise ValueError(f"{len(body)} bytes are more than a message may have; use a file")
    return _LENGTH.pack(len(body)) + body


def send(channel: socket.socket, frame: bytes, fds: Sequence[int] = ()) -> None:
    """Write a whole frame; the file descriptors travel with its first byte."""
    sent = socket.send_fds(channel, [frame], list(fds)) if fds else 0
    channel.sendall(memoryview(frame)[sent:])


class Reader:
    """Frames and file descriptors out of a stream socket."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._buffer = bytearray()
        self._fds: list[int] = []

    def next(self) -> dict[str, Any] | None:
        """The next message, or None at the stream's end (a half frame counts as none)."""
        while (message := self.buffered()) is None:
            if not self.fill():
                return None
        return message

    def buffered(self) -> dict[str, Any] | None:
        """The next message if all of it has arrived; its descriptors stand under "fds"."""
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        end = _LENGTH.size + length
        if len(self._buffer) < end:
            return None
        message: dict[str, Any] = _decoder.decode(memoryview(self._buffer)[_LENGTH.size : end])
        del self._buffer[:end]
        if count := message.pop("fd_count", 0):
            message["fds"] = self._fds[:count]
            del self._fds[:count]
        return message

    def fill(self) -> bool:
        """Read once more; False at the stream's end."""
        try:
            data, fds, _flags, _address = socket.recv_fds(self._channel, 1 << 16, _MAX_FDS)
        except ConnectionResetError:
            return False
        for fd in fds:
            os.set_inheritable(fd, False)
        self._fds.extend(fds)
        self._buffer += data
        return bool(data)
