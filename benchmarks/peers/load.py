"""A light load on a server: a few connections, each with one request under way.

Reads its orders as JSON from its input and prints what came of them as JSON. Raw sockets and one
thread, so that it takes next to nothing of the machine that it measures.
"""

import json
import re
import selectors
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.1 (\d+)")


@dataclass(slots=True)
class Client:
    """One connection and what it waits for."""

    address: tuple[str, int]
    sent_at: float = 0.0
    received: bytearray = field(default_factory=bytearray)
    connection: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self.connection = socket.create_connection(self.address, timeout=120)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes) -> None:
        """Send; the answer has not begun."""
        self.received.clear()
        self.sent_at = time.perf_counter()
        self.connection.sendall(request)

    def receive(self) -> tuple[int, bytes] | None:
        """Take what has come: status and body, once they are whole."""
        got = self.connection.recv(1 << 18)
        if not got:
            message = "the server closed the connection"
            raise RuntimeError(message)
        if self.received:
            self.received += got
            got = bytes(self.received)
        head_end = got.find(b"\r\n\r\n")
        if head_end < 0:
            self.received = bytearray(got)
            return None
        length, status = _LENGTH.search(got, 0, head_end + 2), _STATUS.match(got)
        if length is None or status is None:
            message = f"an answer without a length: {got[:200]!r}"
            raise RuntimeError(message)
        if len(got) < head_end + 4 + int(length[1]):
            self.received = bytearray(got)
            return None
        return int(status[1]), got[head_end + 4 :]

    def ask(self, request: bytes) -> dict[str, Any]:
        """Send and wait; the answer's JSON.

        Raises: RuntimeError when it is not 200.
        """
        self.send(request)
        while (answer := self.receive()) is None:
            pass
        if answer[0] != 200:
            message = f"{answer[0]}: {answer[1][:300]!r}"
            raise RuntimeError(message)
        return dict(json.loads(answer[1]))


def request_of(method: str, path: str, body: str, host: str) -> bytes:
    """A request's bytes."""
    content = body.encode()
    return (
        f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    ).encode() + content


def pressed(order: dict[str, Any]) -> dict[str, Any]:
    """Requests over all connections for a while; `@n` in a body counts them."""
    host = f"{order['host']}:{order['port']}"
    numbered = numbered_requests(order["path"], order["body"], host)
    clients = [Client((order["host"], order["port"])) for _ in range(order["clients"])]
    begun = done = 0
    latencies: list[float] = []
    selector = selectors.DefaultSelector()
    started = time.perf_counter()
    ends = started + order["seconds"]
    most = order.get("count") or 1 << 62
    busy = 0
    for client in clients:
        selector.register(client.connection, selectors.EVENT_READ, client)
        client.send(numbered(begun))
        begun, busy = begun + 1, busy + 1
    while busy:
        for key, _ in selector.select(120):
            client = key.data
            answer = client.receive()
            if answer is None:
                continue
            now = time.perf_counter()
            if answer[0] != 200:
                message = f"{answer[0]}: {answer[1][:300]!r}"
                raise RuntimeError(message)
            latencies.append(now - client.sent_at)
            done += 1
            if now < ends and begun < most:
                client.send(numbered(begun))
                begun += 1
            else:
                busy -= 1
    seconds = time.perf_counter() - started
    latencies.sort()
    return {
        "done": done,
        "seconds": seconds,
        "p50_ms": latencies[len(latencies) // 2] * 1000,
        "p99_ms": latencies[len(latencies) * 99 // 100] * 1000,
    }


def numbered_requests(path: str, body: str, host: str) -> Callable[[int], bytes]:
    """What makes the bytes of a request, with its number where `@n` stands."""
    before, mark, behind = body.partition("@n")
    if not mark:
        same = request_of("POST", path, body, host)
        return lambda _number: same
    head = request_of("POST", path, "", host).removesuffix(b"0\r\n\r\n").decode()
    size = len(before.encode()) + len(behind.encode())

    def made(number: int) -> bytes:
        digits = str(number)
        return f"{head}{size + len(digits)}\r\n\r\n{before}{digits}{behind}".encode()

    return made


def filled(order: dict[str, Any]) -> dict[str, Any]:
    """Runs made, each with its batch, as given."""
    bodies: list[tuple[str, str]] = order["runs"]
    host = f"{order['host']}:{order['port']}"
    started = time.perf_counter()
    failures: list[BaseException] = []

    def work(first: int) -> None:
        client = Client((order["host"], order["port"]))
        try:
            for create, batch in bodies[first :: order["clients"]]:
                made = client.ask(request_of("POST", order["create"], create, host))
                named = batch.replace("@run", made["run"]["info"]["run_id"])
                client.ask(request_of("POST", order["batch"], named, host))
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)

    threads = [Thread(target=work, args=(number,)) for number in range(order["clients"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return {"done": len(bodies), "seconds": time.perf_counter() - started}


if __name__ == "__main__":
    orders = json.load(sys.stdin)
    json.dump((filled if "runs" in orders else pressed)(orders), sys.stdout)
