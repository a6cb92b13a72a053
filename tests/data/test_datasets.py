"""Versions: immutable, numbered, of a digest that only their rows decide."""

import json
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from athanor.data import (
    DatasetNotFound,
    NewVersion,
    NoReadyVersion,
    Roles,
    UnreadableFile,
    VersionNotFound,
)
from athanor.data.errors import BadDatasetName, BadVersionReference, DatasetNameTaken
from athanor.kernel import OWNER, Principal
from athanor.kernel.permissions import ActionForbidden
from athanor.lineage.logic.digests import file_digest, table_digest
from athanor.testing.data import DataRoom
from tests.data.conftest import Written, churn, customers


def test_a_version_and_what_is_known_of_it(room: DataRoom, written: Written) -> None:
    path = written("churn.csv", customers())
    version = room.datasets.add(OWNER, "churn", churn(path))
    assert (version.number, version.state, version.rows) == (1, "ready", 200)
    assert [column.name for column in version.columns] == [
        "customer", "age", "country", "spent", "left",
    ]  # fmt: skip
    assert version.source.file == "churn.csv"
    assert version.source.digest == file_digest(path)
    assert room.datasets.version(OWNER, "churn") == version
    assert room.datasets.version(OWNER, "churn@latest") == version
    assert room.datasets.version(OWNER, "churn@1") == version
    assert room.datasets.version(OWNER, "churn@v1") == version
    [dataset] = room.datasets.datasets(OWNER)
    assert (dataset.name, dataset.latest, dataset.versions, dataset.rows) == ("churn", 1, 1, 200)
    assert room.datasets.rows(OWNER, "churn", limit=1) == [
        {"customer": 1000, "age": 20, "country": "de", "spent": 0.0, "left": "yes"}
    ]


def test_the_raw_file_is_kept_and_leads_to_the_version(room: DataRoom, written: Written) -> None:
    path = written("churn.csv", customers())
    version = room.datasets.add(OWNER, "churn", churn(path))
    assert room.storage.read(version.source.digest) == path.read_bytes()
    graph = room.lineage.trace(OWNER, "dataset:churn@1", "up")
    assert [(node.type, node.name) for node in graph.nodes] == [
        ("dataset", "churn@1"), ("ingest", "churn@1"), ("file", "churn.csv"),
    ]  # fmt: skip
    artifact = room.lineage.resolve(OWNER, "dataset:churn@latest")
    assert artifact.type == "dataset"
    assert {"dataset", "version", "table_uri", "delta_version", "files", "rows", "columns"} <= set(
        artifact.metadata
    )
    paths = [f"{artifact.metadata['table_uri']}/{file}" for file in artifact.metadata["files"]]
    read_back = pa.concat_tables(pq.read_table(path) for path in paths)
    assert table_digest(read_back) == version.digest == artifact.digest


def test_rows_that_are_added_twice_are_told_by_their_ids(room: DataRoom, written: Written) -> None:
    def lines(first: int, last: int) -> str:
        return "id,x\n" + "".join(f"{n},{n % 7}\n" for n in range(first, last))

    def added(first: int, last: int) -> str:
        path = written("some.csv", lines(first, last))
        made = room.datasets.add(OWNER, "some", NewVersion(path=path, mode="append"))
        return " ".join(note for note in made.notes if "'id'" in note)

    assert [added(0, 60), added(60, 120)] == ["", ""]
    assert added(117, 150).startswith("3 values of 'id', each there once before")


def test_an_appended_version_holds_the_earlier_rows_first(room: DataRoom, written: Written) -> None:
    whole = room.datasets.add(OWNER, "whole", churn(written("all.csv", customers(0, 300))))
    room.datasets.add(OWNER, "parts", churn(written("a.csv", customers(0, 200))))
    second = room.datasets.add(
        OWNER, "parts", churn(written("b.csv", customers(200, 100)), "append")
    )
    assert (second.number, second.rows, second.digest) == (2, 300, whole.digest)
    graph = room.lineage.trace(OWNER, "dataset:parts@2", "up")
    assert {"a.csv", "b.csv", "parts@1"} <= {node.name for node in graph.nodes}


def test_versions_stay_readable_by_plain_delta(room: DataRoom, written: Written) -> None:
    for number in range(3):
        path = written(f"{number}.csv", customers(100 * number, 100))
        room.datasets.add(OWNER, "churn", churn(path, "append"))
    versions = room.datasets.versions(OWNER, "churn")
    assert [version.rows for version in versions] == [300, 200, 100]
    for version in versions:
        table = DeltaTable(version.table_uri, version=version.delta_version)
        assert table.to_pyarrow_table().num_rows == version.rows
        names = {Path(uri).name for uri in table.file_uris()}
        assert names == set(version.files)
    settings = DeltaTable(versions[0].table_uri).metadata().configuration
    assert settings["delta.enableExpiredLogCleanup"] == "false"


def test_old_versions_survive_a_checkpoint_and_many_commits(
    room: DataRoom, written: Written
) -> None:
    first = room.datasets.add(OWNER, "churn", churn(written("a.csv", customers(0, 60))))
    room.datasets.add(OWNER, "churn", churn(written("b.csv", customers(60, 60))))
    table = DeltaTable(first.table_uri)
    table.create_checkpoint()
    table.cleanup_metadata()
    room.datasets.add(OWNER, "churn", churn(written("c.csv", customers(120, 60))))
    old = DeltaTable(first.table_uri, version=first.delta_version).to_pyarrow_table()
    assert table_digest(old) == first.digest
    assert room.datasets.rows(OWNER, "churn@1", limit=1)[0]["customer"] == 1000


def test_types_that_widen_rewrite_the_rows_and_keep_the_old_version(
    room: DataRoom, written: Written
) -> None:
    first = room.datasets.add(OWNER, "churn", churn(written("a.csv", customers(0, 100))))
    text = customers(100, 100).replace("\n1100,", "\n1100,0.5")
    second = room.datasets.add(OWNER, "churn", churn(written("b.csv", text), "append"))
    assert second.state == "ready"
    assert {column.name: column.stored for column in second.columns}["age"] == "double"
    assert room.datasets.rows(OWNER, "churn@1", limit=1)[0]["age"] == 20
    old = DeltaTable(first.table_uri, version=first.delta_version).to_pyarrow_table()
    assert table_digest(old) == first.digest


def test_a_new_column_is_missing_in_the_earlier_rows(room: DataRoom, written: Written) -> None:
    room.datasets.add(OWNER, "churn", churn(written("a.csv", customers(0, 100))))
    lines = customers(100, 100).splitlines()
    text = "\n".join([f"{lines[0]},extra", *(f"{line},7" for line in lines[1:])])
    second = room.datasets.add(OWNER, "churn", churn(written("b.csv", text), "append"))
    assert second.rows == 200
    found = room.datasets.rows(OWNER, "churn", limit=101)
    assert (found[0]["extra"], found[100]["extra"]) == (None, 7)


def test_columns_in_another_order_are_put_in_the_tables(room: DataRoom, written: Written) -> None:
    room.datasets.add(OWNER, "churn", churn(written("a.csv", customers(0, 100))))
    lines = [",".join(reversed(line.split(","))) for line in customers(100, 100).splitlines()]
    second = room.datasets.add(OWNER, "churn", churn(written("b.csv", "\n".join(lines)), "append"))
    whole = room.datasets.add(OWNER, "whole", churn(written("w.csv", customers(0, 200))))
    assert second.digest == whole.digest


def test_a_refused_file_leaves_nothing(room: DataRoom, written: Written) -> None:
    with pytest.raises(UnreadableFile):
        room.datasets.add(OWNER, "churn", churn(written("a.csv", "a,b\n1,2\n3\n")))
    assert room.datasets.datasets(OWNER) == []
    with pytest.raises(DatasetNotFound):
        room.datasets.version(OWNER, "churn")
    assert room.storage.root is not None
    assert list((room.storage.root / "staging").iterdir()) == []


def test_each_failure_says_what_there_is(room: DataRoom, written: Written) -> None:
    room.datasets.add(OWNER, "churn", churn(written("a.csv", customers(0, 60))))
    with pytest.raises(DatasetNotFound, match="Did you mean 'churn'"):
        room.datasets.version(OWNER, "chrun")
    with pytest.raises(VersionNotFound, match="athanor data versions churn"):
        room.datasets.version(OWNER, "churn@7")
    with pytest.raises(BadVersionReference):
        room.datasets.version(OWNER, "churn@1st")
    with pytest.raises(BadDatasetName):
        room.datasets.add(OWNER, "../churn", churn(written("a.csv", customers(0, 60))))
    assert issubclass(NoReadyVersion, Exception)


@pytest.mark.parametrize("name", ["datasets", "DataSets", "Churn"])
def test_a_name_that_sql_could_not_tell_apart_is_refused(
    room: DataRoom, written: Written, name: str
) -> None:
    room.datasets.add(OWNER, "churn", churn(written("a.csv", customers(0, 60))))
    with pytest.raises(DatasetNameTaken, match="in SQL"):
        room.datasets.add(OWNER, name, churn(written("a.csv", customers(0, 60))))
    assert [dataset.name for dataset in room.datasets.datasets(OWNER)] == ["churn"]


def test_two_who_add_at_once_get_two_numbers(room: DataRoom, written: Written) -> None:
    room.datasets.add(OWNER, "churn", churn(written("base.csv", customers(0, 60))))
    failures: list[BaseException] = []

    def add(number: int) -> None:
        path = written(f"{number}.csv", customers(60 * (number + 1), 60))
        try:
            room.datasets.add(OWNER, "churn", churn(path, "append"))
        except BaseException as error:  # noqa: BLE001 - told by the test
            failures.append(error)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    versions = room.datasets.versions(OWNER, "churn")
    assert [(item.number, item.rows) for item in versions] == [
        (4, 240),
        (3, 180),
        (2, 120),
        (1, 60),
    ]
    table = DeltaTable(versions[0].table_uri)
    assert table.to_pyarrow_table().num_rows == 240


def test_events_tell_of_each_version(room: DataRoom, written: Written) -> None:
    version = room.datasets.add(OWNER, "churn", churn(written("a.csv", customers(0, 60))))
    [told] = room.told("data.version.created")
    assert told.subject == "churn@1"
    assert told.detail["artifact"] == version.artifact_id
    assert json.dumps(told.detail)


def test_a_stranger_may_do_nothing(room: DataRoom, written: Written) -> None:
    stranger = Principal(id="eve", name="eve")
    with pytest.raises(ActionForbidden):
        room.datasets.add(stranger, "churn", churn(written("a.csv", customers(0, 60))))
    with pytest.raises(ActionForbidden):
        room.datasets.datasets(stranger)


def test_a_time_column_makes_repeated_ids_histories(room: DataRoom, written: Written) -> None:
    lines = ["who,day,spent,left"]
    lines += [f"{who},2026-0{month}-01,{who * month},{'yes' if who % 5 == 0 else 'no'}"
              for month in (1, 2, 3) for who in range(40)]  # fmt: skip
    roles = Roles(target="left", id="who", time="day")
    path = written("history.csv", "\n".join(lines))
    version = room.datasets.add(OWNER, "history", churn(path, roles=roles))
    assert version.state == "ready"
    again = written("again.csv", "\n".join([*lines[:1], "3,2026-04-01,1,no", "3,2026-04-01,2,no"]))
    second = room.datasets.add(OWNER, "history", churn(again, "append", roles=Roles()))
    assert second.state == "quarantined"
