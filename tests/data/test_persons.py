"""A person's rows: found in every version, erased for good."""

from pathlib import Path

import pytest

from athanor.data import NewSource, Query
from athanor.data.errors import VersionDeleted
from athanor.data.service.persons import DatasetHolder
from athanor.data.store import SqlMarkStore
from athanor.kernel import OWNER
from athanor.kernel.holder import Person
from athanor.testing.data import DataRoom
from tests.data.conftest import Written, churn, customers, spoil
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
