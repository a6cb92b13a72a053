"""What sources may be read: by who is on the server's machine, and by others."""

import hashlib
import socket
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from starlette.requests import Request

from athanor.data import NewSource
from athanor.data.errors import BadSource, SourceRefused, SourceUnreachable, UnreadableFile
from athanor.data.work import reach
from athanor.kernel import OWNER
from athanor.kernel.addresses import address_of, is_public
from athanor.kernel.database import Database
from athanor.kernel.nearness import is_near
from athanor.kernel.schema import create_all
from athanor.testing.data import DataRoom, open_data_room
from tests.data.conftest import HereWorkers, Written

HERE = ["/etc/passwd", "file:///etc/passwd", "sales-*.csv", "local:///etc/passwd", "memory://a.csv",
        "zip://a.csv::http://example.org/a.zip", "http://127.0.0.1/a.csv", "http://[::1]/a.csv",
        "http://localhost:8700/api/v1/datasets", "http://10.1.2.3/a.csv", "sftp://127.0.0.1/a.csv",
        "http://[::ffff:127.0.0.1]/a.csv", "a.dvc", "FILE:///etc/passwd", "file://localhost/etc/passwd",
        "simplecache::file:///etc/passwd", "github://o:r@main/a.csv", "memory://8.8.8.8/a.csv",
        "file:/etc/passwd", "\\\\8.8.8.8\\a.csv", "reference://", "ftp:///a.csv",
        "sftp://nohost.invalid/a.csv", "http://0177.0.0.1/a.csv", "http://2130706433/a.csv",
        "HTTP://127.0.0.1/a.csv", "http://%31%32%37.0.0.1/a.csv",
        "http://8.8.8.8@127.0.0.1/a.csv", "http://0/a.csv",
        "http://[64:ff9b::7f00:1]/"]  # fmt: skip
QUERIES = ["sqlite:////tmp/x.db", "duckdb:////tmp/x.duckdb", "postgresql:///x",
           "postgresql://example.org/x?host=/run", "postgresql://u:secret@127.0.0.1/x",
           "duckdb://8.8.8.8/:////tmp/x.duckdb", "sqlite://8.8.8.8//tmp/x.db",
           "sqlite+pysqlite://8.8.8.8//tmp/x.db", "DuckDB://8.8.8.8//tmp/x", "access://8.8.8.8/x",
           "postgresql://u:secret@nohost.invalid,127.0.0.1:9955/x", "postgresql://u@8.8.8.8,/x",
           "postgresql://8.8.8.8,127.0.0.1/x", "postgresql://[8.8.8.8,::1]/x",
           "postgresql://8.8.8.8/x?hostaddr=127.0.0.1", "postgresql://8.8.8.8/x?service=a",
           "postgresql://8.8.8.8/x?sslrootcert=/etc/passwd", "postgresql://nohost.invalid/x",
           "postgresql://8.8.8.8/host=127.0.0.1", "postgresql://%2Frun/x",
           "mysql://8.8.8.8/x?unix_socket=/run/m.sock", "mysql://8.8.8.8/x?read_default_file=/a",
           "mysql+pymysql://8.8.8.8/x?local_infile=1", "mysql://8.8.8.8/x?HOST=127.0.0.1",
           "mssql+pyodbc:///?odbc_connect=Server%3D127.0.0.1", "mssql://8.8.8.8/x?driver=/a.so",
           "postgresql://a:1,b:2/x", "no url"]  # fmt: skip
OPTIONS = [{"endpoint_url": "http://127.0.0.1:9000"}, {"endpoint_url": "127.0.0.1:9000"},
           {"endpoint_url": "http://nohost.invalid"}, {"host": "127.0.0.1"}, {"profile": "a"},
           {"connection_string": "BlobEndpoint=http://127.0.0.1:1/a"},
           {"account_name": "127.0.0.1:9000/#"}]  # fmt: skip
NONE = ["file://8.8.8.8/tmp/p.csv", "FILE://8.8.8.8/tmp/p.csv", "file://server/share/p.csv",
        "fi\tle:///etc/passwd", "http://127.0.0.1\u3002:9901/a.csv", "http://[::1/a.csv",
        "http://[::1%25lo]/a.csv"]  # fmt: skip
NOBODYS = ["http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/", "http://0xA9FEA9FE/",
           "http://[::ffff:169.254.169.254]/", "http://100.100.100.200/",
           "zip://a.csv::http://169.254.169.254/a.zip", "ftp://169.254.169.254/a.csv"]  # fmt: skip


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataRoom]:
    """One room for all that is refused: nothing of it stays."""
    folder = tmp_path_factory.mktemp("refusing")
    database = Database.open(f"sqlite:///{folder}/a.db")
    create_all(database)
    yield open_data_room(database, folder / "storage", HereWorkers())
    database.close()


@pytest.fixture(autouse=True)
def _no_names_but_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name server is asked: addresses are read, and localhost is known."""

    def found(host: str, *rest: Any, **options: Any) -> Any:
        options["flags"] = 0 if host == "localhost" else socket.AI_NUMERICHOST
        return _ASKED(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", found)


_ASKED = socket.getaddrinfo


@pytest.mark.parametrize("uri", HERE)
def test_callers_from_elsewhere_name_nothing_of_this_machine(refusing: DataRoom, uri: str) -> None:
    with pytest.raises(SourceRefused) as caught:
        refusing.sources.add_from(OWNER, "a", NewSource(uri=uri), near=False)
    assert caught.value.status == 403
    assert "sources_near" in caught.value.hint
    assert refusing.datasets.datasets(OWNER) == []


@pytest.mark.parametrize("uri", QUERIES)
def test_nor_its_databases(refusing: DataRoom, uri: str) -> None:
    with pytest.raises(SourceRefused) as caught:
        refusing.sources.add_from(OWNER, "a", NewSource(uri=uri, sql="select 1"), near=False)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("options", OPTIONS)
def test_nor_its_object_stores(refusing: DataRoom, options: dict[str, str]) -> None:
    far = NewSource(uri="s3://b/a.csv", options=options)
    with pytest.raises(SourceRefused):
        refusing.sources.add_from(OWNER, "a", far, near=False)


def test_nor_a_token_in_a_file_of_it(refusing: DataRoom) -> None:
    far = NewSource(uri="gs://b/a.csv", options={"token": "/etc/passwd"})
    with pytest.raises(SourceRefused):
        refusing.sources.add_from(OWNER, "a", far, near=False)


@pytest.mark.parametrize("near", [True, False])
@pytest.mark.parametrize("uri", NONE)
def test_what_is_no_address(refusing: DataRoom, uri: str, near: bool) -> None:
    with pytest.raises(SourceUnreachable) as caught:
        refusing.sources.add_from(OWNER, "a", NewSource(uri=uri), near=near)
    assert "codec" not in caught.value.message


@pytest.mark.parametrize(
    "source",
    [
        NewSource(uri="file:///etc/passwd", sql="x", kind="url"),
        NewSource(uri="postgresql://8.8.8.8/x", sql="x", kind="folder"),
        NewSource(uri="http://8.8.8.8/x", kind="query"),
        NewSource(uri="http://8.8.8.8/*.csv", kind="files"),
        NewSource(uri="http://8.8.8.8/x", kind="delta"),
    ],
)
def test_what_is_judged_is_what_is_read(refusing: DataRoom, source: NewSource) -> None:
    """No source is judged as a database and read as a file, or the other way round."""
    for near in (True, False):
        with pytest.raises(BadSource):
            refusing.sources.add_from(OWNER, "a", source, near=near)


def test_databases_elsewhere_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("8.8.8.8", 0))])
    for url in ("postgresql+psycopg://u:p@db.test,other.test:5432/x?sslmode=require&connect_timeout=3",
                "mysql+pymysql://u:p@db.test/x?charset=utf8mb4"):  # fmt: skip
        reach.check_source(NewSource(uri=url, sql="select 1"), near=False)


@pytest.mark.parametrize("uri", NOBODYS)
@pytest.mark.parametrize("near", [True, False])
def test_credentials_of_clouds_are_read_by_nobody(refusing: DataRoom, uri: str, near: bool) -> None:
    with pytest.raises(SourceRefused):
        refusing.sources.add_from(OWNER, "a", NewSource(uri=uri), near=near)


def test_folders_of_this_machine(refusing: DataRoom, tmp_path: Path) -> None:
    with pytest.raises(SourceRefused):
        refusing.watches.watch(OWNER, "a", str(tmp_path), near=False)
    assert refusing.watches.watches(OWNER) == []


def test_the_name_of_an_upload_chooses_no_reader(room: DataRoom, written: Written) -> None:
    """What looks like an archive is none but that, whatever stands beside it."""
    rows = written("a.csv", "a,b\n1,2\n")
    md5 = hashlib.md5(rows.read_bytes(), usedforsecurity=False).hexdigest()
    both = rows.with_name("x.dvc")
    both.write_bytes(f"outs:\n- md5: {md5}\n  path: a.csv\n#".ljust(257, "x").encode() + b"ustar\n")
    with pytest.raises(UnreadableFile, match="archive is damaged"):
        room.sources.add_from(OWNER, "a", NewSource(uri=str(both)))


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
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/a.csv"
    server.shutdown()
    server.server_close()


def test_a_redirect_leads_nowhere_else(refusing: DataRoom, moved: str) -> None:
    with pytest.raises((SourceRefused, SourceUnreachable)):
        refusing.sources.add_from(OWNER, "a", NewSource(uri=moved))
    assert refusing.datasets.datasets(OWNER) == []


class _Cut(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"a,b\n1,2\n")

    def log_message(self, *_: object) -> None:
        """Not said."""


def test_an_answer_that_is_cut_off_is_no_table(room: DataRoom) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Cut)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/a.csv"
    with pytest.raises(SourceUnreachable, match="92 bytes are missing"):
        room.sources.add_from(OWNER, "a", NewSource(uri=url))
    server.shutdown()
    server.server_close()
    assert room.datasets.datasets(OWNER) == []


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("64:ff9b::808:808", True),
        ("64:ff9b:1::7f00:1", False),
        ("::127.0.0.1", False),
        ("::ffff:0:10.0.0.1", False),
        ("2002:7f00:1::", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("::1", False),
        ("::", False),
        ("224.0.0.1", False),
        ("100.64.0.1", False),
    ],
)
def test_what_is_public(text: str, public: bool) -> None:
    assert is_public(address_of(text)) is public


def test_names_of_this_machine_are_judged_by_their_addresses(
    refusing: DataRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As localtest.me, which anybody may look up, is at 127.0.0.1; one of several is enough."""
    found = [(2, 1, 6, "", (text, 0)) for text in ("8.8.8.8", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    for source in (NewSource(uri="http://localtest.me/a.csv"),
                   NewSource(uri="ftp://localtest.me/a.csv"),
                   NewSource(uri="postgresql://localtest.me/x", sql="select 1")):  # fmt: skip
        with pytest.raises(SourceRefused, match=r"localtest.me is at 127.0.0.1"):
            refusing.sources.add_from(OWNER, "a", source, near=False)


def test_a_redirect_behind_a_proxy_is_judged(moved: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy would connect to whatever it is told."""
    proxy = moved.removesuffix("/a.csv")
    monkeypatch.setattr(urllib.request, "getproxies", lambda: {"http": proxy})
    with pytest.raises((SourceRefused, OSError)):
        reach.opener(near=False).open("http://elsewhere.test/a.csv", timeout=5)


def test_a_name_that_changes_its_mind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that is connected to is the one that was judged."""
    told = iter(["93.184.216.34", "127.0.0.1"])
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", (next(told), 80))])
    reach.check_source(NewSource(uri="http://rebind.test/a.csv"), near=False)
    with pytest.raises(SourceRefused, match=r"rebind.test is at 127.0.0.1"):
        reach.opener(near=False).open("http://rebind.test/a.csv", timeout=5)


@pytest.mark.parametrize(
    "source",
    [
        NewSource(uri="ftp://rebind.test/a.csv"),
        NewSource(uri="postgresql+psycopg://rebind.test/x", sql="select 1"),
        NewSource(uri="s3://b/a.csv", options={"endpoint_url": "http://rebind.test:9000"}),
    ],
)
def test_nor_where_a_library_connects_by_itself(
    refusing: DataRoom, source: NewSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = iter(["93.184.216.34", "127.0.0.1"])
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", (next(told), 80))])
    with pytest.raises(SourceRefused, match=r"rebind.test is at 127.0.0.1"):
        refusing.sources.add_from(OWNER, "a", source, near=False)


def test_such_a_library_is_told_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("8.8.8.8", 0))])
    for told, asked in {
        "ftp://u:p@a.test:2121/b%20c.csv": "ftp://u:p@8.8.8.8:2121/b%20c.csv",
        "s3://bucket/a.csv": "s3://bucket/a.csv",
        "https://a.test/a.csv": "https://a.test/a.csv",
    }.items():
        assert reach.settled(NewSource(uri=told), near=False).uri == asked
    for told, asked in {
        "postgresql+psycopg://u:p@a.test,b.test:5433/x": "hostaddr=8.8.8.8%2C8.8.8.8",
        "mysql+pymysql://u:p@a.test/x?charset=utf8": "mysql+pymysql://u:p@8.8.8.8/x?charset=utf8",
    }.items():
        new = NewSource(uri=told, sql="select 1")
        assert asked in reach.settled(new, near=False).uri
        assert reach.settled(new, near=True) is new
    store = NewSource(uri="s3://b/a.csv", options={"endpoint_url": "http://a.test:9000"})
    assert reach.settled(store, near=False).options == {"endpoint_url": "http://8.8.8.8:9000"}


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
