"""Where commands look for the platform: folders that hold none, damaged ones, addresses."""

from pathlib import Path

import pytest

from athanor.app.cli import call
from athanor.app.connect import NoWorkspace
from athanor.client.http import BadServerUrl, HttpTransport
from athanor.kernel.database import Database
from athanor.kernel.outages import DatabaseUnavailable


@pytest.mark.parametrize(
    "words", [("data", "list"), ("model", "show", "churn"), ("run", "list"), ("status",)]
)
def test_what_reads_alone_makes_no_workspace(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ATHANOR_WORKSPACE", raising=False)
    with pytest.raises(NoWorkspace) as refused:
        call(*words)
    assert str(tmp_path / ".athanor") in refused.value.message
    assert "athanor up" in refused.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "notaurl",
        "localhost:8700",
        "http://",
        "ftp://x",
        "http://h:99999",
        "http://[x",
        "http://a b",
    ],
)
def test_what_is_no_address_is_told_as_such(url: str) -> None:
    with pytest.raises(BadServerUrl) as refused:
        HttpTransport(url)
    assert repr(url) in refused.value.message
    assert "http://HOST:PORT" in refused.value.hint


def test_a_damaged_database_is_told_with_the_way_to_a_backup(tmp_path: Path) -> None:
    file = tmp_path / "athanor.db"
    file.write_bytes(b"anything else but SQLite " * 400)
    with pytest.raises(DatabaseUnavailable) as refused:
        Database.open(f"sqlite:///{file}")
    assert "damaged" in refused.value.message
    assert "restore BACKUP" in refused.value.hint


def test_a_thread_that_reads_on_after_the_end_fails_nowhere(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'athanor.db'}")
    with database.connection():
        database.close()
    for _ in range(3):
        with database.connection() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1
