"""Many files of one table: a folder, a pattern, an archive."""

import gzip
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from athanor.data import NewSource, ReadOptions
from athanor.data.errors import RaggedRows, SourceUnreachable, UnreadableFile
from athanor.kernel import OWNER
from athanor.testing.data import DataRoom


def taken(room: DataRoom, source: Path | str, **more: Any) -> list[tuple[object, ...]]:
    room.sources.add_from(OWNER, "sales", NewSource(uri=str(source), **more))
    return [tuple(row.values()) for row in room.datasets.rows(OWNER, "sales", limit=100)]


def test_a_folder_of_csv_files_is_one_table(room: DataRoom, tmp_path: Path) -> None:
    folder = tmp_path / "sales"
    (folder / "year=2026").mkdir(parents=True)
    (folder / "year=2025").mkdir()
    (folder / "_SUCCESS").write_text("")
    (folder / "year=2025" / "a.csv").write_text("id,price,what\n1,2,\n2,3,\n")
    packed = gzip.compress(b"price;id;what\n4,5;3;x\n")
    (folder / "year=2026" / "b.csv.gz").write_bytes(packed)
    rows = taken(room, folder)
    assert rows == [(1, 2.0, None, 2025), (2, 3.0, None, 2025), (3, 4.5, "x", 2026)]
    version = room.datasets.version(OWNER, "sales")
    assert version.source.kind == "files"
    assert version.notes[0].startswith("2 files are one table: year=2025/a.csv to")
    assert room.sources.add_from(
        OWNER, "listed", NewSource(uri=str(folder), kind="folder")
    ).source.packs


def test_a_pattern_names_the_files_of_one_table(room: DataRoom, tmp_path: Path) -> None:
    for number in range(3):
        table = pa.table({"id": [number], "when": pa.array([number], pa.timestamp("ns"))})
        pq.write_table(table, tmp_path / f"part-{number}.parquet")
    (tmp_path / "notes.md").write_text("about")
    assert len(taken(room, tmp_path / "part-*.parquet")) == 3
    assert len(taken(room, f"file://{tmp_path}/part-[12].parquet")) == 2
    with pytest.raises(SourceUnreachable, match="no file has such a name"):
        taken(room, tmp_path / "nothing-*.csv")


def test_words_and_numbers_are_words_in_all_files(room: DataRoom, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,code\n1,7\n2,8\n")
    (tmp_path / "b.csv").write_text("id,code\n3,007\n")
    assert taken(room, tmp_path) == [(1, "7"), (2, "8"), (3, "007")]
    notes = room.datasets.version(OWNER, "sales").notes
    assert "Column 'code' is integer in a.csv, text in b.csv: it is text." in notes


def test_files_of_one_table_are_read_in_the_order_of_day_and_month_that_one_shows(
    room: DataRoom, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("d,e\n03/04/2026,03/04/2026\n")
    (tmp_path / "b.csv").write_text("d,e\n25/04/2026,04/05/2026\n")
    assert taken(room, tmp_path) == [("2026-04-03", "2026-03-04"), ("2026-04-25", "2026-04-05")]


def test_an_archive_of_tables_is_one_table(room: DataRoom, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("a.csv", "id,v\n1,2\n")
        archive.writestr("b.csv", "v,id\n4,3\n")
    assert taken(room, tmp_path / "all.zip") == [(1, 2), (3, 4)]


def test_files_that_are_no_single_table_are_refused(room: DataRoom, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,v\n1,2\n")
    (tmp_path / "b.csv").write_text("id,w\n3,4\n")
    with pytest.raises(UnreadableFile, match=r"b\.csv has no column 'v', has a column 'w' more"):
        taken(room, tmp_path)
    (tmp_path / "b.csv").write_text("id,v\n3,4,5\n")
    with pytest.raises(RaggedRows, match=r"b\.csv.*row 1 has 3 cells"):
        taken(room, tmp_path)
    assert room.datasets.datasets(OWNER) == []


def test_dates_of_either_order_between_files_of_both_are_not_guessed(
    room: DataRoom, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("id,day\n1,25/04/2026\n")
    (tmp_path / "b.csv").write_text("id,day\n2,04/25/2026\n")
    assert len(taken(room, tmp_path / "*.csv")) == 2
    (tmp_path / "c.csv").write_text("id,day\n3,05/04/2026\n")
    with pytest.raises(UnreadableFile, match=r"c\.csv: the dates of column 'day'") as refused:
        taken(room, tmp_path / "*.csv")
    assert "day, month, year in a.csv and month, day, year in b.csv" in str(refused.value)
    assert "--dates dmy" in refused.value.hint
    taken(room, tmp_path / "[ac].csv", read=ReadOptions(dates="dmy"))
    rows = taken(room, tmp_path / "b.csv", read=ReadOptions(dates="mdy"), mode="append")
    assert [row[1] for row in rows] == ["2026-04-25", "2026-04-05", "2026-04-25"]
