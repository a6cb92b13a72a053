"""A real Redis server for tests, started on the spot."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

_START_SECONDS = 60


class RedisMissing(RuntimeError):
    """This machine has no Redis server to start."""


@contextmanager
def running_redis() -> Iterator[str]:
    """The URL of a server that keeps nothing, reachable through a socket in its folder alone.

    Raises: RedisMissing.
    """
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise RedisMissing("no redis-server in PATH (Debian: apt-get install redis-server)")
    folder = Path(tempfile.mkdtemp(prefix="athanor-redis-"))
    socket = folder / "redis.sock"
    command = [program, "--port", "0", "--unixsocket", str(socket), "--dir", str(folder)]
    command += ["--save", "", "--appendonly", "no"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        url = f"unix://{socket}?db=0"
        _wait_for(url, server)
        yield url
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_SECONDS
    with redis.Redis.from_url(url) as client:
        while True:
            try:
                client.ping()
            except redis.RedisError:
                if server.poll() is not None or time.monotonic() > until:
                    raise
                time.sleep(0.02)
            else:
                return
