"""What the machine allows: echoes without a model. `python limits.py raw|uvicorn PORT LOG`."""

import asyncio
import os
import re
import sys
from typing import Any

import uvloop

LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
ANSWER = (
    b'{"predictions":[{"id":"0192f0a3b4c57d8e9fa0b1c2d3e4f506","label":"stayed",'
    b'"probabilities":{"left":0.4273310953274,"stayed":0.5726689046726},"score":0.5726689046726}],'
    b'"model":"churn","version":1,"deployment":"0192f0a3b4c57d8e9fa0b1c2d3e4f506"}'
)
WIRE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(ANSWER)
    + ANSWER
)


class Log:
    """Bytes of a tick, appended by one write; then its answers leave."""

    def __init__(self, path: str) -> None:
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.lines: list[bytes] = []
        self.waiting: list[Any] = []

    def append(self, line: bytes, transport: Any) -> None:
        """Write with the others of this tick."""
        if not self.lines:
            asyncio.get_running_loop().call_soon(self.flush)
        self.lines.append(line)
        self.waiting.append(transport)

    def flush(self) -> None:
        """Write, and answer."""
        lines, waiting = self.lines, self.waiting
        self.lines, self.waiting = [], []
        os.write(self.file, b"".join(lines))
        for transport in waiting:
            transport.write(WIRE)


class Raw(asyncio.Protocol):
    """Looks for the length alone, logs the body and an answer, sends the answer."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def connection_made(self, transport: Any) -> None:
        """A client came."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """One request."""
        end = data.find(b"\r\n\r\n") + 4
        LENGTH.search(data)
        self.log.append(data[end:] + ANSWER + b"\n", self.transport)


async def raw(port: int, path: str) -> None:
    """Serve."""
    log = Log(path)
    server = await asyncio.get_running_loop().create_server(lambda: Raw(log), "127.0.0.1", port)
    await server.serve_forever()


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An ASGI echo."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


if __name__ == "__main__":
    if sys.argv[1] == "raw":
        uvloop.run(raw(int(sys.argv[2]), sys.argv[3]))
    else:
        import uvicorn

        uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", access_log=False)
