"""A load of single-row requests over kept connections: `python load.py PLAN`, a JSON text.

Plan: {"host", "port", "path", "headers": {name: value}, "bodies": [text], "connections", "seconds",
"expect": text that each good answer holds}. Prints {"requests", "wrong", "seconds", "p50", "p99"},
latencies in milliseconds.
"""

import asyncio
import json
import sys
import time
from typing import Any

import uvloop


class Client(asyncio.Protocol):
    """One connection that asks again as soon as it is answered."""

    def __init__(self, wires: list[bytes], expect: bytes, start: int) -> None:
        self.wires = wires
        self.expect = expect
        self.place = start
        self.latencies: list[float] = []
        self.wrong = 0
        self.stopped = False
        self.buffer = b""
        self.asked = 0.0
        self.transport: Any = None

    def itself(self) -> "Client":
        """What a loop asks for a protocol."""
        return self

    def connection_made(self, transport: Any) -> None:
        """Ask the first time."""
        self.transport = transport
        self._ask()

    def _ask(self) -> None:
        self.place = (self.place + 1) % len(self.wires)
        self.asked = time.perf_counter()
        self.transport.write(self.wires[self.place])

    def data_received(self, data: bytes) -> None:
        """Once the answer is whole, ask again."""
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.buffer[:end].lower()
        place = head.find(b"content-length:")
        if place >= 0:
            length = int(head[place + 15 :].split(b"\r\n", 1)[0])
            if len(self.buffer) < end + 4 + length:
                return
        elif not self.buffer.endswith(b"0\r\n\r\n"):
            return
        self.latencies.append(time.perf_counter() - self.asked)
        if not head.startswith(b"http/1.1 200") or self.expect not in self.buffer:
            self.wrong += 1
        self.buffer = b""
        if not self.stopped:
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        """A server that hangs up costs what was asked."""
        if not self.stopped:
            self.wrong += 1


async def run(plan: dict[str, Any]) -> dict[str, float]:
    """Put the load on the server."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in plan["headers"].items())
    wires = []
    for text in plan["bodies"]:
        body = text.encode()
        wires.append(
            f"POST {plan['path']} HTTP/1.1\r\nHost: 127.0.0.1:{plan['port']}\r\n{lines}"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
    loop = asyncio.get_running_loop()
    clients = [
        Client(wires, plan["expect"].encode(), place * 7) for place in range(plan["connections"])
    ]
    began = time.perf_counter()
    for client in clients:
        await loop.create_connection(client.itself, plan["host"], plan["port"])
    await asyncio.sleep(plan["seconds"])
    took = time.perf_counter() - began
    for client in clients:
        client.stopped = True
    await asyncio.sleep(0.05)
    latencies = sorted(value for client in clients for value in client.latencies)
    for client in clients:
        client.transport.abort()
    at = [latencies[int(len(latencies) * part)] * 1e3 if latencies else 0.0 for part in (0.5, 0.99)]
    return {
        "requests": len(latencies),
        "wrong": sum(client.wrong for client in clients),
        "seconds": took,
        "p50": at[0],
        "p99": at[1],
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(json.loads(sys.argv[1])))))
