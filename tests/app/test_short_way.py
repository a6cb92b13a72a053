"""The short way of the protocol: what comes again takes it, and what is out of the ordinary not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from athanor.app.api import Known
from athanor.app.short_way import Headers, ShortWay
from athanor.kernel import OWNER
from athanor.tracking import Answer, Head, Route

PATH = "/api/2.0/mlflow/runs/log-metric"
LIMIT = 60.0


class Entrance:
    """Lets in who names the right host; answers `short` with what was sent, once it is let."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.counted: list[int] = []

    def know(self, scope: Scope) -> Known | None:
        if (b"host", b"here") not in scope["headers"]:
            return None
        return Known(Head(scope), cast("Route", None), OWNER)

    async def answer(self, known: Known, body: bytes) -> Answer:
        assert known.head.url == PATH
        await asyncio.ensure_future(self.gate.wait())
        return Answer(body=b"short " + body, status=400 if body == b"bad" else 200)

    def count(self, _known: Known, status: int, _seconds: float) -> None:
        self.counted.append(status)


async def long_way(_scope: Scope, receive: Receive, send: Send) -> None:
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message["more_body"]:
            break
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % (5 + len(body)))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"long " + body})


class Line:
    """A client's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, *pieces: bytes) -> None:
        self.writer.writelines(pieces)

    async def hear(self) -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(LIMIT):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            first, *rest = head.strip().split("\r\n")
            headers = dict(line.split(": ", 1) for line in rest)
            body = await self.reader.readexactly(int(headers["content-length"]))
        return int(first.split()[1]), headers, body

    async def ask(self, *pieces: bytes) -> bytes:
        self.say(*pieces)
        return (await self.hear())[2]


class Server:
    """One listener."""

    def __init__(self) -> None:
        self.entrance = Entrance()
        self.state = ServerState()
        self.port = 0

    @contextlib.asynccontextmanager
    async def line(self) -> AsyncIterator[Line]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield Line(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()

    class Way(ShortWay):
        entrance = server.entrance
        known_headers = Headers()

    loop = asyncio.get_running_loop()
    config = uvicorn.Config(long_way, log_config=None, access_log=False, lifespan="off")

    def connected() -> Way:
        return Way(config, server.state, {}, loop)

    listening = await loop.create_server(connected, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for connection in list(server.state.connections):
            connection.transport.close()
        await asyncio.sleep(0)


def request(
    body: bytes, *, host: str = "here", line: str = f"POST {PATH} HTTP/1.1", more: str = ""
) -> bytes:
    head = f"{line}\r\nHost: {host}\r\n{more}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def run(test: Callable[[Server], Any]) -> None:
    async def whole() -> None:
        async with serving() as server:
            await test(server)

    asyncio.run(whole())


def test_what_comes_again_goes_the_short_way_whatever_its_length() -> None:
    async def test(server: Server) -> None:
        async with server.line() as line, server.line() as another:
            assert await line.ask(request(b"a")) == b"long a"
            assert await line.ask(request(b"bcd" * 100)) == b"short " + b"bcd" * 100
            assert await another.ask(request(b"e")) == b"short e"
            polite = request(b"f", more="Connection: keep-alive\r\n")
            assert [await line.ask(polite) for _ in "12"] == [b"long f", b"short f"]
            line.say(request(b"bad"))
            status, headers, body = await line.hear()
            assert (status, headers["content-type"], body) == (
                400,
                "application/json",
                b"short bad",
            )
            assert server.entrance.counted == [200, 200, 200, 400]

    run(test)


@pytest.mark.parametrize(
    "odd",
    [
        request(b"x", host="elsewhere"),
        request(b"x", more="Connection: keep-alive, x-other\r\n"),
        request(b"x", more="Expect: nothing\r\n"),
        request(b"x", more="X-Request-Id: 7\r\n"),
        request(b"x", more="X-Twice: 1\r\nX-Twice: 2\r\n"),
        request(b"x", line=f"PUT {PATH} HTTP/1.1"),
        request(b"x").replace(b"Content-Length", b"CONTENT-LENGTH"),
        request(b""),
        f"POST {PATH} HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
        "1\r\nx\r\n0\r\n\r\n".encode(),
    ],
)
def test_what_is_out_of_the_ordinary_goes_the_long_way_each_time(odd: bytes) -> None:
    async def test(server: Server) -> None:
        async with server.line() as line:
            for _ in range(3):
                assert (await line.ask(odd)).startswith(b"long")

    run(test)


def test_a_request_in_pieces_and_several_at_once_are_answered_in_order() -> None:
    async def test(server: Server) -> None:
        async with server.line() as line:
            assert await line.ask(request(b"0")) == b"long 0"
            whole = request(b"in pieces")
            for cut in (len(whole) - 9, len(whole) - 4):
                line.say(whole[:cut])
                await line.writer.drain()
                await asyncio.sleep(0.01)
                assert await line.ask(whole[cut:]) == b"short in pieces"
            line.say(request(b"1") + request(b"2") + request(b"3", line="GET /other HTTP/1.1"))
            line.say(*(request(b"%d" % number) for number in range(4, 300)))
            heard = [(await line.hear())[2].split() for _ in range(299)]
            assert [number for _, number in heard] == [b"%d" % number for number in range(1, 300)]
            assert [way for way, _ in heard[:3]] == [b"short", b"short", b"long"]

    run(test)


def test_what_comes_in_masses_is_read_on_whatever_stands_between() -> None:
    async def test(server: Server) -> None:
        async with server.line() as line:
            assert await line.ask(request(b"0")) == b"long 0"
            server.entrance.gate.clear()
            line.say(request(b"1"), b"\r\n" * 1_000_000)
            await until(lambda: any(way.flow.read_paused for way in _ways(server)))
            server.entrance.gate.set()
            assert (await line.hear())[2] == b"short 1"
            assert (await line.ask(request(b"2"))).endswith(b" 2")
            sent = [b"%d" % number * 200_000 for number in range(3, 9)] + [b"x" * (1 << 20), b"9"]
            line.say(*(request(body) for body in sent))
            assert [(await line.hear())[2].split()[1] for _ in sent] == sent

    run(test)


def test_a_server_that_ends_answers_first() -> None:
    async def test(server: Server) -> None:
        async with server.line() as line:
            assert await line.ask(request(b"0")) == b"long 0"
            server.entrance.gate.clear()
            line.say(request(b"1"))
            await until(lambda: any(way._answering for way in _ways(server)))
            for way in _ways(server):
                way.shutdown()
            server.entrance.gate.set()
            status, headers, body = await line.hear()
            assert (status, body, headers["connection"]) == (200, b"short 1", "close")
            assert await line.reader.read() == b""

    run(test)


def test_a_client_that_leaves_disturbs_nobody() -> None:
    async def test(server: Server) -> None:
        async with server.line() as line:
            assert await line.ask(request(b"0")) == b"long 0"
            server.entrance.gate.clear()
            line.say(request(b"1") + request(b"2"))
            await until(lambda: any(way._answering for way in _ways(server)))
        await until(lambda: not server.state.connections)
        server.entrance.gate.set()
        async with server.line() as line:
            assert await line.ask(request(b"3")) == b"short 3"
        assert server.entrance.counted == [200, 200]

    run(test)


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not met():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.001)


def _ways(server: Server) -> list[ShortWay]:
    return [way for way in server.state.connections if isinstance(way, ShortWay)]
