"""Versions in an S3-compatible object store: a server of the test's own."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow.fs import S3FileSystem

from athanor.data import NewSource, NewSplit, NewVersion, Query, VacuumOrder
from athanor.kernel import OWNER
from athanor.kernel.database import Database
from athanor.testing.data import DataRoom, open_data_room
from tests.data.conftest import HereWorkers, Written, churn, customers, spoil
from tests.data.test_sources import pictures

ROOT = Path(__file__).resolve().parents[2]
_SERVER = Path(os.environ.get("ATHANOR_TEST_MOTO", ROOT / ".venvs/s3/bin/moto_server"))


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    if not _SERVER.exists():
        pytest.skip("no S3-compatible server here: make install-test puts one into .venvs/s3")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [_SERVER, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


@pytest.fixture
def far_room(
    sqlite: Database, endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> DataRoom:
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_REGION": "us-east-1",
        "AWS_SECRET_ACCESS_KEY": "test", "AWS_ALLOW_HTTP": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    host = endpoint.removeprefix("http://")
    store = S3FileSystem(
        access_key="test", secret_key="test", endpoint_override=host, scheme="http",
        region="us-east-1", allow_bucket_creation=True,
    )  # fmt: skip
    bucket = f"bucket{os.getpid()}{time.monotonic_ns() % 10**9}"
    store.create_dir(bucket)
    return open_data_room(sqlite, f"s3://{bucket}/house", HereWorkers())


def test_versions_in_an_object_store(far_room: DataRoom, written: Written, tmp_path: Path) -> None:
    room = far_room
    path = written("a.csv", customers(0, 60))
    first = room.datasets.add(OWNER, "churn", churn(path))
    second = room.datasets.add(OWNER, "churn", churn(written("b.csv", customers(60, 60)), "append"))
    assert first.table_uri.startswith("s3://")
    assert (second.rows, second.delta_version) == (120, 1)
    assert room.storage.read(first.source.digest) == path.read_bytes()
    sql = "select count(*) from churn@1 a join churn@2 b using (customer)"
    assert room.sql.query(OWNER, Query(sql=sql)).rows == ((60,),)
    assert room.datasets.rows(OWNER, "churn", limit=1)[0]["customer"] == 1000
    assert room.datasets.profile(OWNER, "churn").rows == 120
    assert room.versions.diff(OWNER, "churn@1", "churn@2").rows.added == 60
    assert sum(room.splits.split(OWNER, "churn", NewSplit()).parts.values()) == 120
    assert room.sources.content(OWNER, "churn#train", tmp_path / "t.parquet") == 84
    wider = customers(120, 60).replace("\n1120,", "\n1120,0.5")
    third = room.datasets.add(OWNER, "churn", churn(written("c.csv", wider), "append"))
    assert (third.state, third.rows) == ("ready", 180)
    room.versions.delete(OWNER, "churn@3")
    gone = room.versions.vacuum(OWNER, "churn", VacuumOrder(dry_run=False))
    assert (gone.versions, gone.files > 0) == ((3,), True)
    assert room.datasets.rows(OWNER, "churn@2", limit=1)[0]["age"] == 20
    spoil(first.table_uri)
    timed = NewVersion(path=written("t.csv", "t\n2026-01-01 10:00:00\n"), look=False)
    for _ in range(2):
        assert room.datasets.add(OWNER, "churn", timed).rows == 1


@pytest.mark.soak
def test_folders_and_urls_of_an_object_store(
    far_room: DataRoom, written: Written, tmp_path: Path
) -> None:
    room = far_room
    room.sources.add_from(OWNER, "pets", NewSource(uri=str(pictures(tmp_path / "pets"))))
    assert room.sources.file(OWNER, "pets", "cats/1.png")[-1] == 1
    plain = room.datasets.add(OWNER, "churn", churn(written("a.csv", customers(0, 60))))
    source = NewSource(uri=f"{room.storage.url}/blobs/{plain.source.digest[7:9]}/"
                           f"{plain.source.digest[7:]}")  # fmt: skip
    assert room.sources.add_from(OWNER, "far", source).digest == plain.digest
    theirs = room.sources.add_from(OWNER, "theirs", NewSource(uri=plain.table_uri))
    assert (theirs.digest, theirs.table_uri) == (plain.digest, plain.table_uri)
    out = room.sources.export_dvc(
        OWNER, "pets", str(tmp_path / "project"), remote=f"{room.storage.url}/dvc"
    )
    back = room.sources.add_from(OWNER, "back", NewSource(uri=out.file))
    assert back.rows == 6
