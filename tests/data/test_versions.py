"""Marks, diffs, splits, deletion and vacuum."""

import random
from collections import Counter
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from athanor.data import DatasetNotFound, NewMark, NewSplit, NewVersion, Query, Roles, VacuumOrder
from athanor.data.errors import (
    BadSource,
    BadSplit,
    BadVersionTag,
    DatasetDeleted,
    NoReadyVersion,
    NothingToRestore,
    SplitNotFound,
    SplitTaken,
    UnfitKey,
    UnknownPart,
    VersionDeleted,
)
from athanor.data.work.compare import diff
from athanor.kernel import OWNER
from athanor.lineage import NewRun
from athanor.testing.data import DataRoom
from tests.data.conftest import Written, churn, customers


@pytest.fixture
def two(room: DataRoom, written: Written) -> DataRoom:
    """Versions 1 and 2: a row went, one came, two ages and a country changed."""
    room.datasets.add(OWNER, "churn", churn(written("a.csv", customers())))
    lines = customers().splitlines()
    lines[1] = lines[1].replace(",20,", ",25,")
    lines[2] = lines[2].replace(",27,", ",26,").replace(",fr,", ",de,")
    lines[10] = lines[10].replace("1009,", "2009,")
    room.datasets.add(OWNER, "churn", churn(written("b.csv", "\n".join(lines) + "\n")))
    return room


def test_a_diff_by_key(two: DataRoom) -> None:
    found = two.versions.diff(OWNER, "churn@1", "churn@2")
    rows = found.rows
    assert (rows.key, rows.added, rows.removed, rows.changed, rows.unchanged) == (
        ("customer",), 1, 1, 2, 197,
    )  # fmt: skip
    assert rows.changes == {"age": 2, "country": 1}
    changed, _, removed, added = rows.examples
    assert (changed.key, changed.before, changed.after) == (
        {"customer": 1000}, {"age": 20}, {"age": 25},
    )  # fmt: skip
    assert (removed.key, added.key) == ({"customer": 1009}, {"customer": 2009})
    assert {item.name for item in found.distributions} == {
        "customer", "age", "country", "spent", "left",
    }  # fmt: skip
    assert all(item.stability < 0.1 for item in found.distributions)
    assert not found.same
    assert two.versions.diff(OWNER, "churn@1", "churn@1").same


def test_a_diff_of_parts_of_a_split(two: DataRoom) -> None:
    two.splits.split(OWNER, "churn@1", NewSplit(name="cv"))
    found = two.versions.diff(OWNER, "churn@1#cv.train", "churn@1#cv.test")
    parts = two.splits.splits(OWNER, "churn@1")[0].parts
    assert (found.before, found.after, found.same) == ("churn@1#cv.train", "churn@1#cv.test", False)
    assert (found.rows.removed, found.rows.added) == (parts["train"], parts["test"])
    whole = two.versions.diff(OWNER, "churn@1", "churn@1#cv.train")
    assert (whole.rows.removed, whole.rows.added) == (sum(parts.values()) - parts["train"], 0)
    with pytest.raises(UnknownPart, match="no part 'cv'") as caught:
        two.versions.diff(OWNER, "churn@1#cv", "churn@1")
    assert "cv.train" in caught.value.hint


def test_a_diff_of_whole_rows_and_other_columns(two: DataRoom, written: Written) -> None:
    with pytest.raises(UnfitKey, match="repeats"):
        two.versions.diff(OWNER, "churn@1", "churn@2", key=("country",))
    with pytest.raises(UnfitKey, match="no column 'nope'"):
        two.versions.diff(OWNER, "churn@1", "churn@2", key=("nope",))
    lines = [line.rpartition(",")[0] + ",1" for line in customers().splitlines()[1:]]
    text = "customer,age,country,spent,new\n" + "\n".join(lines[:100] + lines[:100])
    two.datasets.add(OWNER, "other", NewVersion(path=written("c.csv", text)))
    found = two.versions.diff(OWNER, "churn@1", "other")
    assert (found.columns.added, found.columns.removed) == (("new",), ("left",))
    assert (found.rows.key, found.rows.added, found.rows.removed, found.rows.unchanged) == (
        (), 100, 100, 100,
    )  # fmt: skip


def test_a_shift_shows_in_the_distributions(room: DataRoom, written: Written) -> None:
    room.datasets.add(OWNER, "churn", churn(written("a.csv", customers())))
    shifted = customers(age=lambda number: 60 + number % 10).replace(",it,", ",es,")
    room.datasets.add(OWNER, "moved", churn(written("b.csv", shifted)))
    found = {item.name: item for item in
             room.versions.diff(OWNER, "churn", "moved").distributions}  # fmt: skip
    assert found["age"].stability > 0.25
    assert found["country"].stability > 0.25
    assert (found["country"].new_values, found["country"].lost_values) == (("es",), ("it",))
    assert found["spent"].stability == 0


@settings(max_examples=25)
@given(data=st.data())
def test_a_diff_counts_as_a_dictionary_does(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    table = st.dictionaries(
        st.integers(0, 20), st.sampled_from([None, 0, 1, -1, 2]), min_size=1, max_size=12
    )
    before, after = data.draw(table), data.draw(table)
    folder = tmp_path_factory.mktemp("diff")
    sides = []
    for name, rows in (("b", before), ("a", after)):
        frame = pd.DataFrame({"k": list(rows), "v": pd.array(list(rows.values()), dtype="Int64")})
        frame.to_parquet(folder / f"{name}.parquet")
        columns = [{"name": n, "type": "integer", "stored": "int64"} for n in ("k", "v")]
        profile = {"rows": len(rows), "columns": [], "duplicates": 0}
        sides.append({"table_uri": str(folder), "delta_version": 0, "profile": profile,
                      "files": [f"{name}.parquet"], "columns": columns})  # fmt: skip
    found = diff(sides[0], sides[1], ["k"], implied=False)["rows"]
    both = set(before) & set(after)
    assert found["added"] == len(set(after) - both)
    assert found["removed"] == len(set(before) - both)
    assert found["changed"] == sum(before[key] != after[key] for key in both)
    assert found["unchanged"] == sum(before[key] == after[key] for key in both)


def test_splits_of_every_kind(two: DataRoom, tmp_path: Path) -> None:
    room, shares = two, {"train": 0.8, "test": 0.2}
    plain = room.splits.split(OWNER, "churn@1", NewSplit())
    assert plain.parts == {"train": 140, "validation": 30, "test": 30}
    assert room.splits.split(OWNER, "churn@1", NewSplit()) == plain
    with pytest.raises(SplitTaken):
        room.splits.split(OWNER, "churn@1", NewSplit(seed=7))
    room.splits.split(OWNER, "churn@1", NewSplit(name="fair", kind="stratified", shares=shares))
    room.splits.split(
        OWNER, "churn@1", NewSplit(name="lands", kind="group", column="country", shares=shares)
    )
    room.splits.split(
        OWNER, "churn@1", NewSplit(name="ages", kind="time", column="age", shares=shares)
    )
    assert len(room.splits.splits(OWNER, "churn@1")) == 4
    parts = {}
    for part in ("fair.train", "fair.test", "lands.train", "lands.test", "ages.train", "ages.test"):
        room.sources.content(OWNER, f"churn@1#{part}", tmp_path / "part.parquet")
        parts[part] = pq.read_table(tmp_path / "part.parquet").to_pandas()
    for left in ("yes", "no"):
        counts = [int((parts[f"fair.{part}"]["left"] == left).sum()) for part in ("train", "test")]
        assert abs(counts[1] / sum(counts) - 0.2) < 0.02
    lands = [set(parts[f"lands.{part}"]["country"]) for part in ("train", "test")]
    assert lands[0] & lands[1] == set()
    assert parts["ages.train"]["age"].max() < parts["ages.test"]["age"].min()
    sql = "select count(*), min(age) from churn@1#ages.test"
    [(count, least)] = room.sql.query(OWNER, Query(sql=sql)).rows
    assert (count, least) == (len(parts["ages.test"]), parts["ages.test"]["age"].min())
    with pytest.raises(BadSource, match="names a part"):
        room.lineage.resolve(OWNER, "dataset:churn@1#train")
    room.splits.remove_split(OWNER, "churn@1", "ages")
    with pytest.raises(SplitNotFound):
        room.sources.content(OWNER, "churn@1#ages.test", tmp_path / "part.parquet")
    with pytest.raises(UnknownPart, match="has no part 'tset'"):
        room.sources.content(OWNER, "churn@1#tset", tmp_path / "part.parquet")


@pytest.mark.parametrize(
    ("split", "words"),
    [
        (NewSplit(shares={"train": 0.8}), "1 parts"),
        (NewSplit(shares={"train": 0.8, "test": 0.3}), "add up to 1.1"),
        (NewSplit(kind="time"), "needs a column"),
        (NewSplit(kind="group", column="nope"), "no column 'nope'"),
        (NewSplit(kind="column", column="age"), "holds 50 values"),
        (NewSplit(shares={"train": 0.999999, "test": 0.000001}), "no row"),
        (NewSplit(seed=-1), "out of range"),
    ],
)
def test_splits_that_can_not_be(two: DataRoom, split: NewSplit, words: str) -> None:
    with pytest.raises(BadSplit, match=words):
        two.splits.split(OWNER, "churn@1", split)
    with pytest.raises(BadVersionTag):
        two.splits.split(OWNER, "churn@1", NewSplit(name="a b"))


def test_seeded_leaks_between_parts_are_found(room: DataRoom, written: Written) -> None:
    lines = customers().splitlines()
    rng = random.Random(3)
    parts = ["train" if rng.random() < 0.8 else "test" for _ in lines[1:]]
    trains = [line for line, part in zip(lines[1:], parts, strict=True) if part == "train"]
    clean = [f"{lines[0]},part"]
    clean += [f"{line},{part}" for line, part in zip(lines[1:], parts, strict=True)]
    leaking = [*clean, *(f"9{line},test" for line in trains[:5]), f"{trains[7]},test"]
    for name, text in (("clean", clean), ("leaking", leaking)):
        path = written(f"{name}.csv", "\n".join(text) + "\n")
        room.datasets.add(OWNER, name, NewVersion(path=path, roles=Roles(target="left")))
    by = NewSplit(kind="column", column="part")
    assert room.splits.split(OWNER, "clean", by).overlaps == ()
    first = written("train.csv", "\n".join([lines[0], *trains]) + "\n")
    second = written("test.csv", "\n".join([lines[0], *trains[:3], *lines[-20:]]) + "\n")
    room.datasets.add(OWNER, "train", churn(first))
    room.datasets.add(OWNER, "test", churn(second))
    found = {item.kind: item for item in room.splits.overlaps(OWNER, "train", "test")}
    shared = 3 + len(set(lines[-20:]) & set(trains))
    assert (found["id"].count, found["rows"].count) == (shared, shared)
    assert found["id"].rows[:3] == (1, 2, 3)
    told = room.splits.split(OWNER, "leaking", by).overlaps
    assert [(item.kind, item.count) for item in told] == [("rows", 1)]
    assert told[0].rows == (206,)
    halves = room.splits.overlaps(OWNER, "leaking#train", "leaking#test")
    assert [(item.kind, item.count, item.rows) for item in halves] == [("rows", 1, (206,))]
    assert "'leaking@1#test' has 1 row equal" in halves[0].message
    assert room.splits.overlaps(OWNER, "clean#train", "clean#test") == []
    [same] = room.splits.overlaps(OWNER, "leaking", "leaking")
    assert same.count == room.datasets.version(OWNER, "leaking").rows
    with pytest.raises(UnknownPart) as refused:
        room.splits.overlaps(OWNER, "leaking#train", "leaking#tset")
    assert "Its parts are: test, train." in refused.value.hint


def test_marks(two: DataRoom) -> None:
    room = two
    room.versions.mark(OWNER, "churn@1", NewMark(tags=("gold", "audit-2026"), note="the first"))
    room.versions.mark(OWNER, "churn@1", NewMark(owners=("ann",)))
    room.versions.mark(OWNER, "churn", NewMark(tags=("customers",), owners=("bob",)))
    assert room.datasets.version(OWNER, "churn@gold").number == 1
    room.versions.mark(OWNER, "churn@2", NewMark(tags=("gold",)))
    assert room.datasets.version(OWNER, "churn@gold").number == 2
    told = {mark.number: mark for mark in room.versions.marks(OWNER, "churn")}
    assert (told[1].tags, told[1].note, told[1].owners) == (("audit-2026",), "the first", ("ann",))
    assert (told[0].tags, told[0].owners) == (("customers",), ("bob",))
    for tag in ("latest", "v3", "3", "a b", "sha256:abcdef", ""):
        with pytest.raises(BadVersionTag):
            room.versions.mark(OWNER, "churn@1", NewMark(tags=(tag,)))
    assert len(room.told("data.mark.changed")) == 4


def test_what_is_deleted_comes_back(two: DataRoom, written: Written) -> None:
    room = two
    room.versions.delete(OWNER, "churn@2")
    assert room.datasets.version(OWNER, "churn").number == 1
    with pytest.raises(VersionDeleted, match="athanor data restore churn@2"):
        room.datasets.version(OWNER, "churn@2")
    assert [version.number for version in room.datasets.versions(OWNER, "churn")] == [1]
    assert len(room.datasets.versions(OWNER, "churn", deleted=True)) == 2
    room.versions.restore(OWNER, "churn@2")
    assert room.datasets.version(OWNER, "churn").number == 2
    room.versions.delete(OWNER, "churn@1")
    room.versions.delete(OWNER, "churn")
    assert room.datasets.datasets(OWNER) == []
    with pytest.raises(DatasetDeleted):
        room.datasets.version(OWNER, "churn")
    with pytest.raises(DatasetDeleted):
        room.datasets.add(OWNER, "churn", churn(written("c.csv", customers())))
    with pytest.raises(DatasetNotFound):
        room.datasets.dataset(OWNER, "nope")
    room.versions.restore(OWNER, "churn")
    assert [version.number for version in room.datasets.versions(OWNER, "churn")] == [2]
    with pytest.raises(NothingToRestore):
        room.versions.restore(OWNER, "churn")
    third = room.datasets.add(OWNER, "churn", churn(written("c.csv", customers(0, 90))))
    assert third.number == 3


def test_vacuum_takes_only_what_nobody_needs(room: DataRoom, written: Written) -> None:
    versions = [
        room.datasets.add(
            OWNER, "churn", churn(written(f"{n}.csv", customers(60 * n, 60)), "append")
        )
        for n in range(2)
    ]
    versions += [
        room.datasets.add(OWNER, "churn", churn(written(f"{n}.csv", customers(60 * n, 60))))
        for n in range(2, 5)
    ]
    run = room.lineage.start_run(OWNER, NewRun(kind="script", name="training"))
    room.lineage.consumed(OWNER, run.id, versions[2].artifact_id, "data")
    for number in (1, 3, 4):
        room.versions.delete(OWNER, f"churn@{number}")
    told = room.versions.vacuum(OWNER, "churn", VacuumOrder())
    assert (told.dry_run, told.versions, told.files) == (True, (1, 4), 1)
    assert "training" in told.kept["3"]
    done = room.versions.vacuum(OWNER, "churn", VacuumOrder(dry_run=False))
    assert (done.versions, done.files, done.size) == (told.versions, told.files, told.size)
    paths = {version.number: Path(version.table_uri, version.files[0]) for version in versions}
    assert {number: path.exists() for number, path in paths.items()} == {
        1: True, 2: True, 3: True, 4: False, 5: True,
    }  # fmt: skip
    assert room.datasets.rows(OWNER, "churn@2", limit=1)[0]["customer"] == 1000
    with pytest.raises(VersionDeleted, match="vacuumed"):
        room.datasets.version(OWNER, "churn@4")
    with pytest.raises(NothingToRestore, match="its files were vacuumed"):
        room.versions.restore(OWNER, "churn@4")
    room.versions.restore(OWNER, "churn@3")
    later = room.versions.vacuum(OWNER, "churn", VacuumOrder(days=1))
    assert later.versions == ()
    six = room.datasets.add(OWNER, "churn", churn(written("x.csv", customers(300, 60)), "append"))
    assert (six.number, six.rows) == (6, 120)
    assert Counter(event.action for event in room.told("data.version.purged")) == {
        "data.version.purged": 1
    }


def test_a_vacuumed_dataset_is_not_restored_and_its_name_is_free(
    room: DataRoom, written: Written
) -> None:
    path = written("a.csv", customers())
    room.datasets.add(OWNER, "churn", churn(path))
    room.versions.delete(OWNER, "churn")
    with pytest.raises(DatasetDeleted):
        room.datasets.add(OWNER, "churn", churn(path))
    room.versions.vacuum(OWNER, "churn", VacuumOrder(dry_run=False))
    with pytest.raises(NothingToRestore, match="its files were vacuumed"):
        room.versions.restore(OWNER, "churn")
    assert room.datasets.add(OWNER, "churn", churn(path)).number == 2
    assert room.datasets.version(OWNER, "churn").number == 2


def test_no_ready_version_says_why(room: DataRoom, written: Written) -> None:
    for _ in range(2):
        room.datasets.add(OWNER, "churn", churn(written("a.csv", customers())))
    for number in (1, 2):
        room.versions.delete(OWNER, f"churn@{number}")
    with pytest.raises(NoReadyVersion, match="its versions are deleted") as refused:
        room.datasets.version(OWNER, "churn")
    assert refused.value.hint == "Bring one back: athanor data restore churn@2"
    room.versions.vacuum(OWNER, "churn", VacuumOrder(dry_run=False))
    with pytest.raises(NoReadyVersion, match="its versions are deleted") as refused:
        room.datasets.version(OWNER, "churn")
    assert "restore" not in refused.value.hint


def test_a_diff_tells_values_of_every_type(room: DataRoom, tmp_path: Path) -> None:
    at = datetime(2024, 1, 1, 12, tzinfo=UTC)
    cells = {
        "at": at,
        "some": {"a": [1]},
        "raw": b"a",
        "price": Decimal("1.10"),
        "took": time(1, 2),
    }
    for number, extra in enumerate([{}, {"at": at + timedelta(days=1), "raw": b"b"}]):
        path = tmp_path / f"{number}.parquet"
        rows = [{"id": 1} | cells | extra, {"id": 2 + number} | cells]
        pq.write_table(pa.Table.from_pylist(rows), path)
        room.datasets.add(OWNER, "odd", NewVersion(path=path))
    keyed = room.versions.diff(OWNER, "odd@1", "odd@2", key=("id",)).rows
    assert (keyed.examples[0].before, keyed.examples[0].after) == (
        {"at": "2024-01-01T12:00:00+00:00", "raw": "61"},
        {"at": "2024-01-02T12:00:00+00:00", "raw": "62"},
    )
    assert room.versions.diff(OWNER, "odd@1", "odd@2", key=("id", "at")).rows.changed == 0
    whole = room.versions.diff(OWNER, "odd@1", "odd@2").rows
    assert (whole.added, whole.removed) == (2, 2)
    assert whole.examples[0].key["some"] == {"a": [1]}
