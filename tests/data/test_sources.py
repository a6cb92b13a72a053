"""Versions from elsewhere, and on their way out with the types that they came with."""

import json
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from athanor.data import NewSource, NewVersion, Query
from athanor.data.errors import (
    BadSource,
    EmptyFile,
    FileNotInVersion,
    FilesGone,
    NoFilesInVersion,
    SchemaChanged,
    SourceUnreachable,
    UnreadableFile,
)
from athanor.data.work import frames
from athanor.kernel import OWNER
from athanor.kernel.errors import AthanorError
from athanor.kernel.foreign import ForeignDatabaseRefused
from athanor.testing.data import DataRoom
from tests.data.conftest import Written, churn, customers

PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x03\x00\x00\x00\x02\x08\x02\x00\x00\x00"
    b"\x12\x16\xf1M"
)


def odd_types() -> pa.Table:
    """Every kind of type that Delta changes or refuses."""
    return pa.table(
        {
            "u8": pa.array([1, 255], pa.uint8()),
            "u64": pa.array([1, 2**64 - 1], pa.uint64()),
            "time": pa.array([1, 86_399_999_999], pa.time64("us")),
            "took": pa.array([5, None], pa.duration("ms")),
            "half": pa.array([1.5, None], pa.float16()),
            "at": pa.array([1000, 2000], pa.timestamp("ns", "Europe/Berlin")),
            "group": pa.array(["a", "b"]).dictionary_encode(),
            "large": pa.array(["a", None], pa.large_string()),
            "fixed": pa.array([b"ab", b"cd"], pa.binary(2)),
            "day": pa.array([86_400_000, None], pa.date64()),
        }
    )


def test_types_that_delta_does_not_keep_come_back(room: DataRoom, tmp_path: Path) -> None:
    table, path = odd_types(), tmp_path / "odd.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    version = room.datasets.add(OWNER, "odd", NewVersion(path=path))
    assert version.source.format == "arrow"
    assert {column.name for column in version.columns if column.given} == set(table.column_names)
    out = tmp_path / "back.arrow"
    assert room.sources.content(OWNER, "odd", out, form="arrow") == 2
    assert frames.read(out, "arrow").equals(table)
    room.sources.content(OWNER, "odd", tmp_path / "back.parquet")
    assert pq.read_table(tmp_path / "back.parquet").column("u64").to_pylist()[1] == 2**64 - 1


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_what_goes_out_comes_in_again(room: DataRoom, written: Written, form: str) -> None:
    first = room.datasets.add(OWNER, "churn", churn(written("a.csv", customers())))
    out = written(f"out.{form}", "")
    assert room.sources.content(OWNER, "churn@1", out, form=form) == first.rows
    assert room.datasets.add(OWNER, "again", churn(out)).digest == first.digest


def test_frames_of_every_library_are_written_alike(tmp_path: Path) -> None:
    rows = [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
    table = pa.Table.from_pylist(rows)
    given = [rows, table, pd.DataFrame(rows), {"a": [1, 2], "b": ["x", None]},
             table.to_reader(), duckdb.from_arrow(table)]  # fmt: skip
    for frame in given:
        found = pq.read_table(frames.written(frame, tmp_path / "frame.parquet"))
        assert found.to_pylist() == rows
    uneven = frames.written([{"a": 1}, {"b": "x"}], tmp_path / "frame.parquet")
    assert pq.read_table(uneven).to_pylist() == [{"a": 1, "b": None}, {"a": None, "b": "x"}]
    named = pd.DataFrame({"v": [1.5, 2.5]}, index=pd.Index(["k", "l"], name="key"))
    found = pq.read_table(frames.written(named, tmp_path / "frame.parquet"))
    assert sorted(found.column_names) == ["key", "v"]
    with pytest.raises(UnreadableFile, match="can't be stored"):
        frames.written(pd.DataFrame({"a": [1, "x", {}]}), tmp_path / "frame.parquet")
    with pytest.raises(UnreadableFile, match="too large"):
        frames.written([{"a": 2**70}], tmp_path / "frame.parquet")
    for odd in (object(), [1, 2], [[1, 2]]):
        with pytest.raises(BadSource, match="is no table"):
            frames.written(odd, tmp_path / "frame.parquet")


def test_a_frames_file_is_moved_not_copied(room: DataRoom, tmp_path: Path) -> None:
    with room.datasets.upload() as folder:
        path = frames.written(pd.DataFrame({"a": range(100)}), folder / "frame.parquet")
        size = path.stat().st_size
        new = NewVersion(path=path, file_name="frame", keep=False, look=False)
        version = room.datasets.add(OWNER, "frame", new)
        assert not path.exists()
    assert (Path(version.table_uri) / version.files[0]).stat().st_size == size
    assert (version.source.kind, version.checks, version.profile_digest) == ("frame", (), "")
    assert room.datasets.profile(OWNER, "frame").rows == 100
    assert room.datasets.version(OWNER, "frame").profile_digest


def test_versions_by_date_digest_and_tag(room: DataRoom, written: Written) -> None:
    first = room.datasets.add(OWNER, "churn", churn(written("a.csv", customers(0, 60))))
    second = room.datasets.add(OWNER, "churn", churn(written("b.csv", customers(60, 60)), "append"))
    between = first.created_at + (second.created_at - first.created_at) / 2
    wanted = {
        f"churn@{between.isoformat()}": 1,
        f"churn@{between.astimezone(UTC).replace(tzinfo=None).isoformat()}": 1,
        f"churn@{second.created_at:%Y-%m-%d}": 2,
        f"churn@{first.digest}": 1,
        f"churn@{second.digest[:20]}": 2,
    }
    for reference, number in wanted.items():
        assert room.datasets.version(OWNER, reference).number == number, reference
    counts = {
        "churn@1": 60, "churn@v2": 120, f"churn AS OF '{between.isoformat()}'": 60,
        f"churn FOR SYSTEM_TIME AS OF TIMESTAMP '{between.isoformat()}' AS c": 60,
        "churn VERSION AS OF 1": 60, "churn AS OF v2": 120, f'"churn@{first.digest}"': 60,
        f"churn@{second.created_at:%Y-%m-%d}": 120,
    }  # fmt: skip
    for name, count in counts.items():
        rows = room.sql.query(OWNER, Query(sql=f"select count(*), 'a AS OF ''1''' from {name}"))
        assert rows.rows[0] == (count, "a AS OF '1'"), name
    early = first.created_at - timedelta(days=1)
    with pytest.raises(AthanorError, match="as old as"):
        room.datasets.version(OWNER, f"churn@{early.isoformat()}")


def test_rows_of_a_query(room: DataRoom, tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table sale (id int, what text, price real, odd)")
        rows = [(n, f"thing {n}", n / 4 if n % 9 else None, n if n % 2 else "x") for n in range(99)]
        connection.executemany("insert into sale values (?, ?, ?, ?)", rows)
        connection.commit()
    sql = "select *, '12:30 :x' as clock from sale order by id"
    source = NewSource(uri=f"sqlite:///{path}", sql=sql)
    version = room.sources.add_from(OWNER, "sales", source)
    assert {column.name: column.type for column in version.columns} == {
        "id": "integer", "what": "text", "price": "number", "odd": "text", "clock": "text",
    }  # fmt: skip
    assert (version.rows, version.source.kind, version.source.sql) == (99, "query", sql)
    own = NewSource(sql="select what, sum(price) as total from sales@1 group by what")
    assert room.sources.add_from(OWNER, "totals", own).rows == 99
    graph = room.lineage.trace(OWNER, "dataset:totals@1", "up")
    assert "source" in {node.type for node in graph.nodes}


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (NewSource(uri="sqlite:////nowhere/x.db", sql="select 1"), ForeignDatabaseRefused),
        (NewSource(uri="oracle://u:secret@h/x", sql="select 1"), ForeignDatabaseRefused),
        (NewSource(uri="nonsense", sql="select 1"), ForeignDatabaseRefused),
        (NewSource(uri="sqlite://", sql="select nope"), ForeignDatabaseRefused),
        (NewSource(uri="sqlite://", sql="create table t (a)"), ForeignDatabaseRefused),
        (NewSource(uri="sqlite://", sql="select 1 as a where 0"), EmptyFile),
        (NewSource(uri="/nowhere/a.csv"), SourceUnreachable),
        (NewSource(uri="http://127.0.0.1:9/a.csv"), SourceUnreachable),
        (NewSource(uri="nosuch://a/b.csv"), SourceUnreachable),
        (NewSource(uri="/tmp", kind="delta"), SourceUnreachable),
        (NewSource(uri="/nowhere/a.dvc"), SourceUnreachable),
        (NewSource(), BadSource),
    ],
)  # fmt: skip
def test_a_source_that_gives_nothing(
    room: DataRoom, source: NewSource, error: type[AthanorError]
) -> None:
    with pytest.raises(error) as caught:
        room.sources.add_from(OWNER, "nothing", source)
    assert 400 <= caught.value.status < 500
    assert "secret" not in caught.value.message
    assert room.datasets.datasets(OWNER) == []


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *words: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_files_of_urls(room: DataRoom, written: Written, address: str) -> None:
    plain = room.datasets.add(OWNER, "plain", churn(written("a.csv", customers())))
    source = NewSource(uri=f"{address}/a.csv?token=secret")
    version = room.sources.add_from(OWNER, "far", source)
    assert version.digest == plain.digest
    assert (version.source.file, version.source.uri) == ("a.csv", f"{address}/a.csv")
    with pytest.raises(SourceUnreachable, match="404"):
        room.sources.add_from(OWNER, "far", NewSource(uri=f"{address}/b.csv"))


def test_the_rules_for_schemas(room: DataRoom, written: Written) -> None:
    room.datasets.add(OWNER, "churn", churn(written("a.csv", customers(0, 60))))
    wider = customers(60, 60).replace("\n1060,", "\n1060,0.5").replace("spent", "spent")
    path = written("b.csv", wider)
    with pytest.raises(SchemaChanged, match="'age' was int64 and is double"):
        room.datasets.add(OWNER, "churn", NewVersion(path=path, mode="append", schema="strict"))
    lines = [line.split(",") for line in customers(60, 60).splitlines()]
    fewer = written("c.csv", "\n".join(",".join(line[:1] + line[2:]) for line in lines))
    widen = room.datasets.add(OWNER, "churn", NewVersion(path=fewer, mode="append"))
    assert widen.state == "quarantined"
    union = room.datasets.add(OWNER, "churn", NewVersion(path=fewer, mode="append", schema="union"))
    assert (union.state, union.rows) == ("ready", 120)
    assert room.datasets.rows(OWNER, "churn", limit=61)[60]["age"] is None


def test_a_delta_table_stays_where_it_is(room: DataRoom, tmp_path: Path) -> None:
    uri = str(tmp_path / "theirs")
    write_deltalake(uri, pa.table({"a": [1, 2, 3], "b": ["x", "y", "z"]}))
    write_deltalake(uri, pa.table({"a": [4], "b": ["w"]}), mode="append")
    first = room.sources.add_from(OWNER, "theirs", NewSource(uri=uri, version=0))
    second = room.sources.add_from(OWNER, "theirs", NewSource(uri=uri))
    assert (first.rows, second.rows, second.delta_version) == (3, 4, 1)
    assert first.table_uri == second.table_uri == uri
    assert DeltaTable(uri).version() == 1
    assert room.versions.diff(OWNER, "theirs@1", "theirs@2").rows.added == 1
    write_deltalake(str(tmp_path / "parts"), pa.table({"a": [1, 2], "p": ["x", "y"]}),
                    partition_by=["p"])  # fmt: skip
    copied = room.sources.add_from(OWNER, "parts", NewSource(uri=str(tmp_path / "parts")))
    assert copied.rows == 2
    assert copied.table_uri != str(tmp_path / "parts")
    with pytest.raises(BadSource, match="append"):
        room.sources.add_from(OWNER, "theirs", NewSource(uri=uri, mode="append"))
    for path in Path(uri).glob("*.parquet"):
        path.unlink()
    with pytest.raises(FilesGone):
        room.datasets.rows(OWNER, "theirs")
    with pytest.raises(FilesGone):
        room.sql.query(OWNER, Query(sql="select * from theirs"))


def test_a_query_on_a_duckdb_file_reads_it_and_nothing_else(room: DataRoom, tmp_path: Path) -> None:
    path = tmp_path / "theirs.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t AS SELECT i, 1.5::DECIMAL(9, 2) AS m FROM range(9) r(i)")
    new = NewSource(uri=f"duckdb:///{path}", sql="SELECT * FROM t WHERE i > 2")
    found = room.sources.add_from(OWNER, "theirs", new)
    assert (found.rows, [column.type for column in found.columns]) == (6, ["integer", "decimal"])
    for sql, told in (
        ("DROP TABLE t", "read-only"),
        (f"SELECT * FROM read_text('{__file__}')", "disabled by configuration"),
        ("SELECT nope FROM t", "nope"),
    ):
        with pytest.raises(ForeignDatabaseRefused, match=told):
            room.sources.add_from(OWNER, "theirs", replace(new, sql=sql))
    with pytest.raises(ForeignDatabaseRefused, match="no such file"):
        room.sources.add_from(OWNER, "theirs", replace(new, uri=f"duckdb:///{tmp_path}/none"))


def written_elsewhere(folder: Path, *, mapped: bool = False, deleted: str = "") -> str:
    """A Delta table of ids 0 to 29, as Spark writes it: columns by other names, rows deleted."""
    feature = ["columnMapping"] * mapped + ["deletionVectors"] * bool(deleted)
    folder.joinpath("_delta_log").mkdir(parents=True)
    name = "col-7f" if mapped else "id"
    pq.write_table(pa.table({name: list(range(30))}), folder / "p.parquet")
    told = {"delta.columnMapping.id": 1, "delta.columnMapping.physicalName": name}
    column = {"name": "id", "type": "long", "nullable": True, "metadata": told if mapped else {}}
    schema = json.dumps({"type": "struct", "fields": [column]})
    configuration = {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "1"}
    added: dict[str, object] = {
        "path": "p.parquet", "size": (folder / "p.parquet").stat().st_size, "partitionValues": {},
        "modificationTime": 0, "dataChange": True, "stats": '{"numRecords": 30}',
    }  # fmt: skip
    if deleted:
        vector = {
            "storageType": "i",
            "pathOrInlineDv": deleted,
            "sizeInBytes": 44,
            "cardinality": 6,
        }
        added["deletionVector"] = vector
    lines = [
        {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": feature,
                      "writerFeatures": feature}},
        {"metaData": {"id": "t", "format": {"provider": "parquet", "options": {}},
                      "schemaString": schema, "partitionColumns": [], "createdTime": 0,
                      "configuration": configuration if mapped else {}}},
        {"add": added},
    ]  # fmt: skip
    log = folder / "_delta_log" / f"{0:020d}.json"
    log.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return str(folder)


def test_mapped_columns_and_deleted_rows_are_read_as_their_writer_means(
    room: DataRoom, tmp_path: Path
) -> None:
    mapped = NewSource(uri=written_elsewhere(tmp_path / "mapped", mapped=True))
    assert room.sources.add_from(OWNER, "mapped", mapped).rows == 30
    assert room.datasets.rows(OWNER, "mapped", limit=2) == [{"id": 0}, {"id": 1}]
    # As Delta's protocol writes it: rows 3, 4, 7, 11, 18 and 29.
    vector = "^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L"
    gone = NewSource(uri=written_elsewhere(tmp_path / "gone", deleted=vector))
    version = room.sources.add_from(OWNER, "gone", gone)
    assert (version.rows, "deletionVectors" in version.notes[0]) == (24, True)
    assert [row["id"] for row in room.datasets.rows(OWNER, "gone", limit=6)] == [0, 1, 2, 5, 6, 8]
    broken = NewSource(uri=written_elsewhere(tmp_path / "broken", deleted=vector[::-1]))
    with pytest.raises(SourceUnreachable, match="can't be read"):
        room.sources.add_from(OWNER, "broken", broken)


def pictures(root: Path, count: int = 6) -> Path:
    for number in range(count):
        folder = root / ("cats" if number % 2 else "dogs")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(PNG + bytes([number]))
    (root / ".hidden").write_text("left out")
    return root


def test_a_folder_of_images(room: DataRoom, tmp_path: Path) -> None:
    root = pictures(tmp_path / "pets")
    first = room.sources.add_from(OWNER, "pets", NewSource(uri=str(root)))
    row = room.datasets.rows(OWNER, "pets", limit=1)[0]
    assert (row["path"], row["label"], row["width"], row["height"]) == ("cats/1.png", "cats", 3, 2)
    (root / "cats" / "9.png").write_bytes(PNG + b"new")
    second = room.sources.add_from(OWNER, "pets", NewSource(uri=str(root)))
    assert (first.rows, second.rows) == (6, 7)
    packs = [
        {entry.path for entry in room.storage.entries(version.source.packs)}
        for version in (first, second)
    ]
    assert packs[0] < packs[1], "what was there is not packed again"
    assert room.sources.file(OWNER, "pets", "cats/9.png") == PNG + b"new"
    assert room.sources.file(OWNER, "pets@1", "dogs/0.png") == PNG + b"\x00"
    assert room.sources.archive(OWNER, "pets", tmp_path / "pets.tar") == 7
    with tarfile.open(tmp_path / "pets.tar") as tar:
        tar.extractall(tmp_path / "out", filter="data")
    assert (tmp_path / "out/dogs/4.png").read_bytes() == (root / "dogs/4.png").read_bytes()
    diff = room.versions.diff(OWNER, "pets@1", "pets@2", key=("path",))
    assert (diff.rows.added, diff.rows.unchanged) == (1, 6)
    with pytest.raises(FileNotInVersion):
        room.sources.file(OWNER, "pets", "cats/0.png")


def test_equal_folders_have_equal_digests(room: DataRoom, tmp_path: Path) -> None:
    digests = set()
    for place in ("here", "there"):
        root = pictures(tmp_path / place)
        digests.add(room.sources.add_from(OWNER, place, NewSource(uri=str(root))).digest)
    assert len(digests) == 1


def test_texts_with_a_file_of_labels(room: DataRoom, tmp_path: Path) -> None:
    root = tmp_path / "mails"
    root.mkdir()
    for number in range(4):
        (root / f"{number}.txt").write_text(f"mail {number} ä", encoding="utf-8")
    (root / "labels.csv").write_text("file_name,spam,score\n0.txt,yes,1\n1.txt,no,2\n7.txt,no,3\n")
    version = room.sources.add_from(OWNER, "mails", NewSource(uri=str(root)))
    rows = room.datasets.rows(OWNER, "mails")
    assert [(row["text"], row["spam"], row["score"]) for row in rows[:3]] == [
        ("mail 0 ä", "yes", 1), ("mail 1 ä", "no", 2), ("mail 2 ä", None, None),
    ]  # fmt: skip
    assert any("2 files have no row" in note for note in version.notes)
    assert any("1 row of labels.csv without a file" in note for note in version.notes)
    with pytest.raises(UnreadableFile, match=r"no file 'nope\.csv'"):
        room.sources.add_from(OWNER, "mails", NewSource(uri=str(root), labels="nope.csv"))


def test_folders_of_parts(room: DataRoom, tmp_path: Path) -> None:
    for part in ("train", "test"):
        pictures(tmp_path / "pets" / part, 4)
    room.sources.add_from(OWNER, "pets", NewSource(uri=str(tmp_path / "pets")))
    rows = room.datasets.rows(OWNER, "pets")
    assert {(row["split"], row["label"]) for row in rows} == {
        (part, label) for part in ("train", "test") for label in ("cats", "dogs")
    }


def test_dvc_out_and_in(room: DataRoom, written: Written, tmp_path: Path) -> None:
    table = room.datasets.add(OWNER, "churn", churn(written("a.csv", customers())))
    out = room.sources.export_dvc(OWNER, "churn", str(tmp_path / "project"))
    assert (out.files, Path(out.file).name) == (1, "churn.parquet.dvc")
    again = room.sources.add_from(OWNER, "back", NewSource(uri=out.file))
    assert (again.digest, again.source.kind) == (table.digest, "dvc")
    folder = room.sources.add_from(OWNER, "pets", NewSource(uri=str(pictures(tmp_path / "pets"))))
    out = room.sources.export_dvc(OWNER, "pets", str(tmp_path / "project"))
    assert (out.files, out.md5[-4:]) == (6, ".dir")
    listing = Path(out.remote, "files/md5", out.md5[:2], out.md5[2:])
    assert [item["relpath"] for item in json.loads(listing.read_text())][:2] == [
        "cats/1.png", "cats/3.png",
    ]  # fmt: skip
    back = room.sources.add_from(OWNER, "pets2", NewSource(uri=out.file))
    assert back.digest == folder.digest
    one = json.loads(listing.read_text())[0]["md5"]
    Path(out.remote, "files/md5", one[:2], one[2:]).write_bytes(b"other")
    with pytest.raises(UnreadableFile, match="damaged"):
        room.sources.add_from(OWNER, "pets3", NewSource(uri=out.file))
    with pytest.raises(NoFilesInVersion):
        room.sources.file(OWNER, "churn", "a.png")
    assert datetime.now(UTC) >= back.created_at


def test_periods_of_pandas_are_the_texts_that_they_are(room: DataRoom, tmp_path: Path) -> None:
    years = pd.PeriodIndex(["2024", None, "2026"], freq="Y")
    frame = pd.DataFrame({"year": years, "quarter": pd.period_range("2024Q4", periods=3, freq="Q")})
    frame.to_feather(tmp_path / "a.feather")
    for path in (frames.written(frame, tmp_path / "a.parquet"), tmp_path / "a.feather"):
        version = room.datasets.add(OWNER, path.suffix[1:], NewVersion(path=path))
        assert version.columns[0].note == "is stored as string (it was period[Y-DEC])."
        assert [tuple(row.values()) for row in room.datasets.rows(OWNER, version.dataset)] == [
            ("2024", "2024Q4"), (None, "2025Q1"), ("2026", "2025Q2"),
        ]  # fmt: skip


def test_periods_are_known_where_pandas_is_not_loaded(tmp_path: Path) -> None:
    frames.written(pd.DataFrame({"m": pd.period_range("2024-01", periods=1, freq="M")}),
                   tmp_path / "a.parquet")  # fmt: skip
    program = (
        "import sys; from pathlib import Path; from athanor.data.types import ReadOptions\n"
        "from athanor.data.work.tablefile import open_parquet\n"
        "assert 'pandas' not in sys.modules\n"
        "read = open_parquet(Path(sys.argv[1]), 'a', {}, ReadOptions())\n"
        "print(next(read.batches()).to_pylist())"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "a.parquet")]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout == "[{'m': '2024-01'}]\n"
