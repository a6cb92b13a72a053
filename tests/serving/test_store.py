"""The store's contract on every database, and the log's files."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from athanor.kernel.database import Database
from athanor.serving import segments
from athanor.serving.logic.rows import predictions_in
from athanor.serving.segments import Segment
from athanor.serving.store import SqlEndpointStore
from athanor.testing.serving import EndpointStoreContract
from tests.serving.test_chaos import row, write_segment


class TestSqlEndpointStore(EndpointStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> SqlEndpointStore:
        return SqlEndpointStore(database)


def test_a_segment_is_sealed_once_its_writer_is_gone(tmp_path: Path) -> None:
    segment = Segment(tmp_path)
    segment.append(b"{}\n")
    assert segments.sealed_in(tmp_path) == []
    assert segments.all_in(tmp_path) == [segment.path]
    segment.seal()
    assert segments.sealed_in(tmp_path) == [segment.path]


def test_an_empty_segment_vanishes(tmp_path: Path) -> None:
    Segment(tmp_path).seal()
    assert segments.all_in(tmp_path) == []
    unlocked = tmp_path / f"{'0' * 32}{segments.SUFFIX}"
    unlocked.touch()
    assert segments.sealed_in(tmp_path) == []
    assert unlocked.exists(), "it may be new, and not locked yet"


def test_a_torn_last_line_is_no_row(tmp_path: Path) -> None:
    write_segment(tmp_path, range(3), torn=True)
    (path,) = segments.sealed_in(tmp_path)
    assert [int(item.id, 16) for item in predictions_in(path.read_bytes())] == [0, 1, 2]


def test_rows_survive_their_writing() -> None:
    assert row(5).predicted_at <= datetime.now(UTC)
