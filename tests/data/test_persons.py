"""A person's rows: found in every version, erased for good."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from athanor.data import NewSource, NewVersion, Query
from athanor.data.errors import VersionDeleted
from athanor.data.service.persons import DatasetHolder
from athanor.data.store import SqlMarkStore
from athanor.kernel import OWNER
from athanor.kernel.holder import Holding, Person
from athanor.testing.data import DataRoom, open_data_room
from tests.data.conftest import HereWorkers, Written, churn, customers, spoil
from tests.data.test_sources import pictures


@pytest.fixture
def holder(room: DataRoom) -> DatasetHolder:
    return DatasetHolder(
        room.store,
        room.datasets.ground,
        marks=SqlMarkStore(room.datasets.ground.database),
        intake=room.datasets.intake,
        sources=room.sources,
    )


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_person_is_found_and_erased(
    room: DataRoom, holder: DatasetHolder, written: Written, tmp_path: Path
) -> None:
    marked = customers().replace("1003,", "777777003,")
    room.datasets.add(OWNER, "clean", churn(written("x.csv", customers(500, 60))))
    room.datasets.add(OWNER, "churn", churn(written("0.csv", customers(300, 60))))
    room.datasets.add(OWNER, "churn", churn(written("a.csv", marked), "append"))
    room.datasets.add(OWNER, "churn", churn(written("b.csv", customers(200, 60)), "append"))
    person = Person(column="customer", value="777777003")
    found = holder.holdings(person, OWNER)
    assert [(item.name, item.rows) for item in found] == [("churn@3", 1), ("churn@2", 1)]
    assert holder.holdings(Person(column="customer", value="777777003.0"), OWNER) == found
    assert b"777777003" in everything(tmp_path / "storage")
    spoil(room.datasets.version(OWNER, "churn").table_uri)
    done = holder.erase(person, OWNER)
    assert [(item.name, item.erased) for item in done] == [("churn@3", True), ("churn@2", True)]
    assert holder.holdings(person, OWNER) == []
    assert b"777777003" not in everything(tmp_path / "storage")
    clean = room.datasets.version(OWNER, "churn")
    assert (clean.number, clean.rows, clean.source.kind) == (4, 319, "erased")
    assert room.datasets.profile(OWNER, "churn").rows == 319
    with pytest.raises(VersionDeleted, match="erased with the rows of a person"):
        room.datasets.version(OWNER, "churn@2")
    assert room.datasets.version(OWNER, "churn@1").rows == 60
    assert room.datasets.rows(OWNER, "churn@1", limit=1)[0]["customer"] == 1300
    assert room.datasets.version(OWNER, "clean").number == 1
    gone = {v.number: v for v in room.datasets.versions(OWNER, "churn", deleted=True)}
    assert gone[2].digest
    assert gone[2].purged_for == "erased"
    assert room.lineage.artifact(OWNER, gone[2].artifact_id).digest == gone[2].digest
    sql = "select count(*) from churn where customer = 777777003"
    assert room.sql.query(OWNER, Query(sql=sql)).rows == ((0,),)
    assert holder.erase(person, OWNER) == []


def test_a_persons_picture_is_erased(room: DataRoom, holder: DatasetHolder, tmp_path: Path) -> None:
    root = pictures(tmp_path / "pets")
    (root / "cats/face.png").write_bytes(b"the face of somebody")
    room.sources.add_from(OWNER, "pets", NewSource(uri=str(root)))
    assert b"the face of somebody" in everything(tmp_path / "storage")
    holder.erase(Person(column="path", value="cats/face.png"), OWNER)
    assert b"the face of somebody" not in everything(tmp_path / "storage")
    assert room.datasets.version(OWNER, "pets").rows == 6
    assert room.sources.file(OWNER, "pets", "cats/1.png")[-1] == 1


@pytest.mark.parametrize(
    ("cells", "value"),
    [
        ([0, 1], "0"),
        ([Decimal("1.10"), Decimal("11.00")], "1.1"),
        ([dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 2)], "2024-01-01T00:00:00"),
        ([dt.date(2024, 1, 1), dt.date(2024, 1, 2)], "2024-01-01"),
        ([b"\x00\xff", b"\x00"], "00FF"),
        ([True, False], "True"),
        (["日本", "日"], "日本"),
        ([["a", "b"], ["ab"]], "b"),
        ([{"of": [{"key": 1}]}, {"of": [{"key": 2}, None]}], "1"),
    ],
)
def test_a_key_of_any_type_is_erased(
    cells: list[Any], value: str, room: DataRoom, holder: DatasetHolder, tmp_path: Path
) -> None:
    pq.write_table(pa.table({"key": cells, "x": [1, 2]}), tmp_path / "t.parquet")
    before = room.datasets.add(OWNER, "odd", NewVersion(path=tmp_path / "t.parquet"))
    person = Person(column="key", value=value)
    assert [item.rows for item in holder.holdings(person, OWNER)] == [1]
    holder.erase(person, OWNER)
    assert holder.holdings(person, OWNER) == []
    after = room.datasets.version(OWNER, "odd")
    assert (after.number, after.rows, after.columns) == (2, 1, before.columns)
    assert [row["x"] for row in room.datasets.rows(OWNER, "odd")] == [2]


def test_a_key_within_structs_and_maps_is_erased(
    room: DataRoom, holder: DatasetHolder, tmp_path: Path
) -> None:
    maps = pa.array([[("who", 7)], [("who", 8)], None], pa.map_(pa.string(), pa.int64()))
    structs = pa.array([None, {"who": "x", "a": 1}, {"who": "7", "a": 1}])
    pq.write_table(pa.table({"m": maps, "s": structs}), tmp_path / "t.parquet")
    room.datasets.add(OWNER, "odd", NewVersion(path=tmp_path / "t.parquet"))
    person = Person(column="who", value="7")
    assert [item.rows for item in holder.holdings(person, OWNER)] == [2]
    holder.erase(person, OWNER)
    assert room.datasets.rows(OWNER, "odd") == [{"m": {"who": 8}, "s": {"who": "x", "a": 1}}]


def test_rows_that_are_added_meanwhile_are_kept_or_erased_too(
    room: DataRoom, holder: DatasetHolder, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = customers().replace("1003,", "777777003,")
    room.datasets.add(OWNER, "churn", churn(written("a.csv", mine)))
    more = iter([customers(300, 60), customers(400, 60)])

    def overtaken(self: DatasetHolder, *given: Any) -> str:
        if text := next(more, ""):
            room.datasets.add(OWNER, "churn", churn(written("b.csv", text), "append"))
        return cleaned(self, *given)

    cleaned = DatasetHolder._cleaned
    monkeypatch.setattr(DatasetHolder, "_cleaned", overtaken)
    person = Person(column="customer", value="777777003")
    gone = holder.erase(person, OWNER)
    clean = room.datasets.version(OWNER, "churn")
    assert (clean.number, clean.rows) == (4, 319)
    assert {item.name for item in gone if item.erased} == {"churn@1", "churn@2", "churn@3"}
    assert holder.holdings(person, OWNER) == []


def test_what_a_killed_writer_or_erasure_left_is_erased(
    room: DataRoom, holder: DatasetHolder, written: Written, tmp_path: Path
) -> None:
    mine = customers().replace("1003,", "777777003,")
    first = room.datasets.add(OWNER, "churn", churn(written("a.csv", mine)))
    person = Person(column="customer", value="777777003")
    [file] = [Path(first.table_uri, name) for name in first.files]
    kept = file.read_bytes()
    holder.erase(person, OWNER)
    # As a process leaves them that is killed before it names a file, or before it removes one.
    for path in (file, file.with_name("other.parquet")):
        path.write_bytes(kept)
    staged = tmp_path / "storage/staging/x/upload"
    staged.parent.mkdir(parents=True)
    staged.write_text(mine)
    told = Holding(room="data", kind="file", name="files of churn that no version names", rows=2)
    assert holder.holdings(person, OWNER) == [told]
    assert [item.erased for item in holder.erase(person, OWNER)] == [True]
    assert holder.holdings(person, OWNER) == []
    room.datasets.recover()
    assert b"777777003" not in everything(tmp_path / "storage")
    assert room.datasets.version(OWNER, "churn").rows == 199


def test_a_workspace_that_a_link_leads_to_is_the_same(
    room: DataRoom, written: Written, tmp_path: Path
) -> None:
    room.datasets.add(OWNER, "churn", churn(written("a.csv", customers(500, 60))))
    (tmp_path / "link").symlink_to(tmp_path / "storage")
    other = open_data_room(room.database, tmp_path / "link", HereWorkers())
    marked = customers(300, 60).replace("1303,", "777777003,")
    other.datasets.add(OWNER, "churn", churn(written("b.csv", marked), "append"))
    done: list[Holding] = []
    for found in (room, other):
        holder = DatasetHolder(
            found.store,
            found.datasets.ground,
            marks=SqlMarkStore(found.database),
            intake=found.datasets.intake,
            sources=found.sources,
        )
        done += holder.erase(Person(column="customer", value="777777003"), OWNER)
    assert [(item.name, item.erased) for item in done] == [("churn@2", True)]
    rows = room.sql.query(OWNER, Query(sql="select count(*) from churn@1")).rows
    assert rows == ((60,),)
    assert room.datasets.version(OWNER, "churn").rows == 119
