"""What sources may be read: by who is on the server's machine, and by others."""

import socket
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from starlette.requests import Request

from athanor.data import NewSource
from athanor.data.errors import SourceRefused, SourceUnreachable
from athanor.data.routes.nearness import is_near
from athanor.data.work import reach
from athanor.kernel import OWNER
from athanor.testing.data import DataRoom
from tests.data.conftest import Written

HERE = ["/etc/passwd", "file:///etc/passwd", "sales-*.csv", "local:///etc/passwd", "memory://a.csv",
        "zip://a.csv::http://example.org/a.zip", "http://127.0.0.1/a.csv", "http://[::1]/a.csv",
        "http://localhost:8700/api/v1/datasets", "http://10.1.2.3/a.csv", "sftp://127.0.0.1/a.csv",
        "http://[::ffff:127.0.0.1]/a.csv", "a.dvc"]  # fmt: skip
QUERIES = ["sqlite:////tmp/x.db", "duckdb:////tmp/x.duckdb", "postgresql:///x",
           "postgresql://example.org/x?host=/run", "postgresql://u:secret@127.0.0.1/x"]  # fmt: skip
NOBODYS = ["http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/", "http://0xA9FEA9FE/",
           "http://[::ffff:169.254.169.254]/", "http://100.100.100.200/",
           "zip://a.csv::http://169.254.169.254/a.zip", "ftp://169.254.169.254/a.csv"]  # fmt: skip


@pytest.mark.parametrize("uri", HERE)
def test_callers_from_elsewhere_name_nothing_of_this_machine(room: DataRoom, uri: str) -> None:
    with pytest.raises(SourceRefused) as caught:
        room.sources.add_from(OWNER, "a", NewSource(uri=uri), near=False)
    assert caught.value.status == 403
    assert "sources_near" in caught.value.hint
    assert room.datasets.datasets(OWNER) == []


@pytest.mark.parametrize("uri", QUERIES)
def test_nor_its_databases(room: DataRoom, uri: str) -> None:
    with pytest.raises(SourceRefused) as caught:
        room.sources.add_from(OWNER, "a", NewSource(uri=uri, sql="select 1"), near=False)
    assert "secret" not in caught.value.message


def test_nor_its_object_stores(room: DataRoom) -> None:
    far = NewSource(uri="s3://b/a.csv", options={"endpoint_url": "http://127.0.0.1:9000"})
    with pytest.raises(SourceRefused):
        room.sources.add_from(OWNER, "a", far, near=False)


@pytest.mark.parametrize("uri", NOBODYS)
@pytest.mark.parametrize("near", [True, False])
def test_credentials_of_clouds_are_read_by_nobody(room: DataRoom, uri: str, near: bool) -> None:
    with pytest.raises(SourceRefused):
        room.sources.add_from(OWNER, "a", NewSource(uri=uri), near=near)


def test_folders_of_this_machine(room: DataRoom, tmp_path: Path) -> None:
    with pytest.raises(SourceRefused):
        room.watches.watch(OWNER, "a", str(tmp_path), near=False)
    assert room.watches.watches(OWNER) == []


class _Moved(BaseHTTPRequestHandler):
    def __init__(self, *rest: Any, to: str) -> None:
        self._to = to
        super().__init__(*rest)

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", self._to)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Not said."""


@pytest.fixture(params=["http://169.254.169.254/x.csv", "file:///etc/passwd"])
def moved(request: pytest.FixtureRequest) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Moved, to=request.param))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/a.csv"
    server.shutdown()
    server.server_close()


def test_a_redirect_leads_nowhere_else(room: DataRoom, moved: str) -> None:
    with pytest.raises((SourceRefused, SourceUnreachable)):
        room.sources.add_from(OWNER, "a", NewSource(uri=moved))
    assert room.datasets.datasets(OWNER) == []


def test_a_name_that_changes_its_mind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that is connected to is the one that was judged."""
    told = iter(["93.184.216.34", "127.0.0.1"])
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", (next(told), 80))])
    reach.check_source(NewSource(uri="http://rebind.test/a.csv"), near=False)
    with pytest.raises(SourceRefused, match=r"rebind.test is at 127.0.0.1"):
        reach.opener(near=False).open("http://rebind.test/a.csv", timeout=5)


def test_who_is_on_this_machine_names_what_he_likes(room: DataRoom, written: Written) -> None:
    path = written("a.csv", "a,b\n1,2\n")
    assert room.sources.add_from(OWNER, "a", NewSource(uri=str(path))).rows == 1


@pytest.mark.parametrize(
    ("client", "headers", "near"),
    [
        (("127.0.0.1", 1), {}, True),
        (("::1", 1), {}, True),
        (None, {}, True),
        (("127.0.0.1", 1), {"x-forwarded-for": "127.0.0.1"}, False),
        (("203.0.113.9", 1), {}, False),
        (("10.0.0.1", 1), {}, False),
        (("testclient", 1), {}, False),
    ],
)
def test_who_is_near(client: tuple[str, int] | None, headers: dict[str, str], near: bool) -> None:
    told = [(name.encode(), value.encode()) for name, value in headers.items()]
    request = Request({"type": "http", "client": client, "headers": told})
    assert is_near(request) is near
