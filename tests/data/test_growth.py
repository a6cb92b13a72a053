"""Rows that are appended fit the table by a stated rule, whoever looks at them, or are refused."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from athanor.data import DatasetVersion, NewSource, NewVersion, ReadOptions
from athanor.data.errors import OtherDateOrder, SchemaChanged
from athanor.data.types import Mode
from athanor.kernel import OWNER
from athanor.kernel.database import Database
from athanor.testing.data import DataRoom, open_data_room
from tests.data.conftest import HereWorkers, Written, spoil

BASE = "a,b\n1,x\n2,y\n"
UNFIT = {
    "text": ("a,b\nfoo,z\n", r"'a' was int64 and is string: row 1 holds 'foo'"),
    "date": ("a,b\n2026-01-01,q\n", r"'a' was int64 and is string: row 1 holds '2026-01-01'"),
    "truth": ("a,b\ntrue,q\n", r"'a' was int64 and is string: row 1 holds 'true'"),
    "case": ("A,b\n5,q\n", r"'a' is gone \(the file has 'A'\)"),
    "absent": ("b\nq\n", r"'a' is gone"),
}


@pytest.fixture(params=["ours", "theirs"])
def based(
    request: pytest.FixtureRequest, database: Database, tmp_path: Path, written: Written
) -> DataRoom:
    """A dataset `ap` whose first version nobody looked at, or whose table is somebody else's."""
    room = open_data_room(database, tmp_path / "storage", HereWorkers())
    if request.param == "theirs":
        uri = str(tmp_path / "theirs")
        write_deltalake(uri, pa.table({"a": [1, 2], "b": ["x", "y"]}))
        room.sources.add_from(OWNER, "ap", NewSource(uri=uri))
    else:
        room.datasets.add(OWNER, "ap", NewVersion(path=written("a.csv", BASE), look=False))
    return room


def test_rows_that_nobody_looks_at_must_fit(based: DataRoom, written: Written) -> None:
    before = based.datasets.version(OWNER, "ap")
    for name, (text, words) in UNFIT.items():
        path = written(f"{name}.csv", text)
        with pytest.raises(SchemaChanged, match=words) as caught:
            based.datasets.add(OWNER, "ap", NewVersion(path=path, mode="append", look=False))
        assert (caught.value.status, bool(caught.value.hint)) == (409, True)
    assert based.datasets.version(OWNER, "ap") == before
    assert DeltaTable(before.table_uri).version() == before.delta_version
    for place, text in enumerate(("b,a\nz,0.5\n", "a,b\n7,w\n")):
        path = written(f"{place}.csv", text)
        based.datasets.add(OWNER, "ap", NewVersion(path=path, mode="append", look=False))
    assert [row["a"] for row in based.datasets.rows(OWNER, "ap")] == [1, 2, 0.5, 7]


@pytest.mark.parametrize("look", [True, False])
def test_what_no_expectation_names_must_fit_too(room: DataRoom, tmp_path: Path, look: bool) -> None:
    """A column that came later, a decimal, a struct: no check of types knows them."""

    def put(name: str, columns: dict[str, object], mode: Mode = "append") -> DatasetVersion:
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table(columns), path)
        new = NewVersion(path=path, mode=mode, look=look, schema="union")
        return room.datasets.add(OWNER, "ap", new)

    late = pa.array([None, 3], pa.int64())
    put("first", {"k": [1, 2]}, "replace")
    put("more", {"k": [3, 4], "late": late, "s": [{"x": 1}] * 2, "d": [Decimal("1.50")] * 2})
    own = {"late": late, "s": [{"x": 1}] * 2, "d": [Decimal(1)] * 2}
    for name, wrong, words in (
        ("kind", {"late": pa.array([b"x", b"y"])}, "'late' was int64 and is binary"),
        ("nest", {"s": [{"y": "q"}, {"y": "r"}]}, "'s' was struct<x: int64>"),
        ("upper", {"LATE": [5, 6], "late": None}, "'LATE' differ in upper and lower case alone"),
    ):
        told = {"k": [5, 6]} | own | wrong
        columns = {key: value for key, value in told.items() if value is not None}
        if look and name == "kind":
            assert put(name, columns).state == "quarantined"
            continue
        with pytest.raises(SchemaChanged, match=words):
            put(name, columns)
    version = put("digits", {"k": [7, 8]} | own | {"d": [Decimal("0.125"), Decimal(9999)]})
    assert (version.rows, version.columns[-1].stored) == (6, "decimal128(7, 3)")
    assert room.datasets.rows(OWNER, "ap")[-1]["d"] == 9999


def test_whole_numbers_that_no_double_holds_stay_whole(room: DataRoom, written: Written) -> None:
    path = written("long.csv", f"k\n1\n{(1 << 60) + 1}\n")
    room.datasets.add(OWNER, "ap", NewVersion(path=path, look=False))
    half = NewVersion(path=written("half.csv", "k\n0.5\n"), mode="append", look=False)
    with pytest.raises(SchemaChanged, match="'k' was int64 and is double; not every value fits"):
        room.datasets.add(OWNER, "ap", half)
    assert room.datasets.rows(OWNER, "ap")[1]["k"] == (1 << 60) + 1


@pytest.mark.parametrize(
    ("mode", "before", "after", "spoilt"),
    [
        ("replace", "a\n1\n", "a,t\n1,2026-01-01 10:00:00\n", True),
        ("append", "t\n2026-01-01\n", "t\n2026-01-01 10:00:00\n", False),
        ("append", '{"a":1}', '{"a":2,"t":[{"q":"2026-01-01T00:00:00"}]}', True),
    ],
)
def test_times_without_a_zone_may_come_later(
    room: DataRoom, written: Written, mode: Mode, before: str, after: str, spoilt: bool
) -> None:
    def put(text: str, mode: Mode = "append") -> DatasetVersion:
        new = NewVersion(path=written("given", text), mode=mode, schema="union", look=False)
        return room.datasets.add(OWNER, "g", new)

    first = put(before)
    assert DeltaTable(first.table_uri).protocol().min_reader_version == 1
    if spoilt:
        spoil(first.table_uri)
    second, third = put(after, mode), put(after)
    assert "timestamp[us]" in third.columns[-1].stored
    assert (third.rows, third.state) == (second.rows + 1, "ready")
    for version in (first, second, third):
        table = DeltaTable(version.table_uri, version=version.delta_version)
        assert table.to_pyarrow_table().num_rows == version.rows
    assert DeltaTable(first.table_uri).version() == third.delta_version


def test_times_without_a_zone_in_a_map(room: DataRoom, tmp_path: Path) -> None:
    """Delta's library sees them in columns, lists and structs alone."""
    path = tmp_path / "m.parquet"
    kind = pa.map_(pa.string(), pa.timestamp("us"))
    pq.write_table(pa.table({"m": pa.array([[("a", 1)]], kind)}), path)
    for rows in (1, 2):
        new = NewVersion(path=path, mode="append", look=False)
        version = room.datasets.add(OWNER, "m", new)
        found = DeltaTable(version.table_uri, version=version.delta_version).to_pyarrow_table()
        assert found.num_rows == version.rows == rows


def test_rows_have_the_order_of_day_and_month_that_the_table_has(
    room: DataRoom, written: Written
) -> None:
    def put(text: str, mode: Mode = "append", **read: Any) -> DatasetVersion:
        new = NewVersion(path=written("e.csv", text), mode=mode, read=ReadOptions(**read))
        return room.datasets.add(OWNER, "e", new)

    put("a\n03/04/2026\n04/05/2026\n")
    words = r"row 2: column 'a' holds '25/04/2026', .* day, month, year; .* by guess"
    with pytest.raises(OtherDateOrder, match=words) as caught:
        put("a\n05/04/2026\n25/04/2026\n")
    assert (caught.value.status, "--dates dmy" in caught.value.hint) == (422, True)
    put("a\n03/04/2026\n", "replace", dates="dmy")
    assert put("a\n2026-05-01\n").columns[0].note == "dates are read as day, month, year."
    put("a\n05/06/2026\n")
    put("a\n05/31/2026\n", dates="mdy")
    days = [row["a"] for row in room.datasets.rows(OWNER, "e")]
    assert days == ["2026-04-03", "2026-05-01", "2026-06-05", "2026-05-31"]
    put("a\n03/04/2026\n", "replace")
    assert "by guess" not in put("a\n05/31/2026\n").columns[0].note
    with pytest.raises(OtherDateOrder, match=r"were read as month, day, year\. "):
        put("a\n25/04/2026\n")


def test_files_of_a_pattern_and_of_a_folder_have_it_too(room: DataRoom, written: Written) -> None:
    """And what they tell of it is kept for whatever comes after them."""

    def put(uri: str, mode: Mode = "append") -> DatasetVersion:
        return room.sources.add_from(OWNER, "e", NewSource(uri=uri, mode=mode))

    written("a.csv", "a\n25/04/2026\n")
    pattern = str(written("b.csv", "a\n03/04/2026\n").with_name("*.csv"))
    assert "day, month, year." in put(pattern, "replace").columns[0].note
    single = written("single", "a\n05/06/2026\n")
    assert put(str(single)).columns[0].note == "dates are read as day, month, year."
    more = written("one.tsv", "a\n07/08/2026\n").with_name("*.tsv")
    assert put(str(more)).rows == 4
    days = [row["a"] for row in room.datasets.rows(OWNER, "e")]
    assert days == ["2026-04-25", "2026-04-03", "2026-06-05", "2026-08-07"]
    written("one.tsv", "a\n05/31/2026\n")
    with pytest.raises(OtherDateOrder, match=r"one.tsv: row 1: .* read as day, month, year\."):
        put(str(more))


def test_items_of_lists_and_fields_of_structs_grow_too(room: DataRoom, written: Written) -> None:
    for text in ('{"a":[1],"s":{"x":[{"y":1}],"z":1}}', '{"a":[1.5],"s":{"x":[{"y":0.5}],"z":2}}'):
        new = NewVersion(path=written("l.jsonl", text), mode="append", look=False)
        version = room.datasets.add(OWNER, "l", new)
    assert [row["a"] for row in room.datasets.rows(OWNER, "l")] == [[1.0], [1.5]]
    assert room.datasets.rows(OWNER, "l")[1]["s"] == {"x": [{"y": 0.5}], "z": 2}
    assert version.columns[0].stored == "list<element: double>"
