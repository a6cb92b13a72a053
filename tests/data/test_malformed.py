"""Files and archives that are no data: refused by name, with the place, and nothing half-made."""

import hashlib
import io
import json
import os
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from athanor.data import NewSource, NewVersion, Query, Roles
from athanor.data.errors import (
    SchemaChanged,
    SourceUnreachable,
    TooManyColumns,
    UnreadableFile,
)
from athanor.data.work import archives, csvfile
from athanor.kernel import OWNER
from athanor.kernel.errors import AthanorError
from athanor.testing.data import DataRoom
from tests.data.conftest import Written, customers
from tests.data.test_sources import PNG


def zipped(entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(entries: dict[str, bytes], *, link: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        if link:
            info = tarfile.TarInfo("link")
            info.type, info.linkname = tarfile.SYMTYPE, link
            archive.addfile(info)
    return out.getvalue()


FILES = {
    "columns.csv": (",".join(f"c{n}" for n in range(10_000)) + "\n", "10000 columns"),
    "line.csv": ("a,b\n1,2\n3," + "x" * (4 << 20) + "\n", "begins in line 3 is longer"),
    "quote.csv": ('a,b\n1,2\n3,"open\n' + "4,5\n" * (1 << 20), "begins in line 3 is longer"),
    "types.jsonl": ('{"a": 1}\n{"a": 2}\n{"a": "x"}\n', "row 3: column 'a' changed"),
    "torn.jsonl": ('{"a": 1}\n{"a": 2\n', "row 2: Missing a comma"),
    "list.json": ('[{"a": 1}, 2]', "no list of objects"),
    "cut.json": ('[{"a": 1}, {"a":', "can't be read"),
    "words.json": ('["a", "b"]', "no list of objects"),
    "deep.jsonl": ('{"a":' + "[" * 60 + "]" * 60 + "}\n", "more than 50 levels deep"),
    "abyss.jsonl": ('{"a": 1}\n{"a":' + "[" * 100_000 + "\n", "row 2 is nested more than 50"),
    "halves.jsonl": (f'{{"a": {1 << 64}}}\n{{"a": 0.5}}\n', "row 1: .*beyond 64 bits beside other"),
    "within.jsonl": (f'{{"a": [1]}}\n{{"a": [{1 << 64}]}}\n', "row 2: .*beyond 64 bits, of which"),
    "twice.jsonl": ('{"a": 1, "a": 2}\n', "row 1: column 'a' was specified twice"),
    "digits.jsonl": ('{"a": ' + "9" * 5000 + "}\n", "row 1: column 'a' holds 9999"),
    "nought.jsonl": ('{"a\\u0000b": 1}\n', "the name of column 1 holds a zero byte"),
    "cell.csv": ("0" * (200 << 10) + "\n1\n", "first rows can't be read: field larger"),
    "within.json": ('[{"a":[{"x":1}, {"X":2}]}]', "column 'a' holds fields whose names are one"),
    "zero.jsonl": ('{"a": {"b\\u0000": 1}}\n', "'a' holds a field with a zero byte in its name"),
    "nameless.jsonl": ('{"": 1}\n', "column 1 has no name"),
    "page.csv": ("<!DOCTYPE html>\n<html></html>\n", "an HTML page"),
    "zero.csv": ("a,b\n1,x\0y\n", r"line 2 \(byte 7\) holds a zero byte"),
    "open.csv": ('a,b\n1,"x\n2,3\n4,5\n', r"last cell of row 1 \('x'\) and never closed"),
    "half.csv": ('a,b\n1,"x ""y', r"last cell of row 1 \('x \"y'\) and never closed; .* cut off"),
    "one.csv": ("a,b", "no row below it"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_table(
    room: DataRoom, written: Written, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csvfile, "_BLOCK", 1 << 20)
    content, words = FILES[name]
    with pytest.raises(AthanorError, match=words) as caught:
        room.datasets.add(OWNER, "bad", NewVersion(path=written(name, content)))
    assert isinstance(caught.value, UnreadableFile | TooManyColumns)
    assert name in caught.value.message
    assert caught.value.hint
    assert room.datasets.datasets(OWNER) == []
    assert room.storage.root is not None
    assert list((room.storage.root / "staging").iterdir()) == []
    assert not (room.storage.root / "tables").exists()


def test_what_excel_writes_is_read(room: DataRoom, written: Written) -> None:
    path = written("sep.csv", "\ufeffsep=;\r\na;b\r\n1,5;2\r\n".encode("utf-16-le"))
    room.datasets.add(OWNER, "excel", NewVersion(path=path))
    assert room.datasets.rows(OWNER, "excel") == [{"a": 1.5, "b": 2}]
    pretty = written("pretty.json", '{\n  "a": 1\n}\n')
    room.datasets.add(OWNER, "pretty", NewVersion(path=pretty))
    assert room.datasets.rows(OWNER, "pretty") == [{"a": 1}]


@pytest.mark.parametrize("text", ['{"a": %d}\n{"a": 1}\n', '[{"a": %d}, {"a": 1}]'])
def test_long_whole_numbers_of_json_lose_no_digit(
    room: DataRoom, written: Written, text: str
) -> None:
    long = (1 << 64) + 1
    version = room.datasets.add(OWNER, "long", NewVersion(path=written("a.json", text % long)))
    assert version.columns[0].type == "decimal"
    assert "beyond 64 bits" in version.notes[0]
    assert room.sql.query(OWNER, Query(sql="select a::varchar from long")).rows[0] == (str(long),)
    brackets = written("b.jsonl", '{"a": "' + "[" * 100 + '"}\n{"a": "]"}\n')
    assert room.datasets.add(OWNER, "text", NewVersion(path=brackets)).rows == 2
    room.datasets.add(OWNER, "whole", NewVersion(path=written("c.csv", "a\n1\n2\n")))
    longer = NewVersion(path=written("d.csv", f"a\n3\n{long}\n"), mode="append", look=False)
    with pytest.raises(SchemaChanged, match=f"row 2 holds '{long}'"):
        room.datasets.add(OWNER, "whole", longer)


def test_a_pipe_is_not_waited_for(room: DataRoom, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(SourceUnreachable, match="neither a file nor a folder"):
            room.sources.add_from(OWNER, "bad", NewSource(uri=str(path)))


def test_columns_of_one_name_in_typed_files(room: DataRoom, tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "A"])
    pq.write_table(table, tmp_path / "twice.parquet")
    with pytest.raises(UnreadableFile, match="more than one column"):
        room.datasets.add(OWNER, "bad", NewVersion(path=tmp_path / "twice.parquet"))
    half = (tmp_path / "twice.parquet").read_bytes()[:-20] + b"PAR1"
    (tmp_path / "cut.parquet").write_bytes(half)
    with pytest.raises(UnreadableFile, match="damaged"):
        room.datasets.add(OWNER, "bad", NewVersion(path=tmp_path / "cut.parquet"))
    (tmp_path / "cut.arrow").write_bytes(b"ARROW1\0\0" + b"\xff" * 100)
    with pytest.raises(UnreadableFile, match="damaged"):
        room.datasets.add(OWNER, "bad", NewVersion(path=tmp_path / "cut.arrow"))


@pytest.mark.parametrize("damage", ["rot", "calendar", "letters"])
def test_a_parquet_file_that_is_taken_as_it_is_was_read(
    room: DataRoom, tmp_path: Path, damage: str
) -> None:
    """What is uploaded is moved into the table where it has its form already."""
    values = {
        "rot": pa.array(range(50_000), pa.int64()),
        "calendar": pa.array([0, 1 << 61], pa.timestamp("us")),
        "letters": pa.array([b"ok", b"\xff\xfe"]).view(pa.string()),
    }[damage]
    words = {"rot": "reading stopped", "calendar": "row 2: .* outside", "letters": "row 2: .*UTF-8"}
    with room.datasets.upload() as folder:
        path = folder / "upload"
        pq.write_table(pa.table({"a": values}), path, use_dictionary=False)
        content = bytearray(path.read_bytes())
        if damage == "rot":
            content[1000:3000] = bytes(2000)
            content[:1000] = b"PAR1" + b"\xff" * 996
            path.write_bytes(content)
        with pytest.raises(UnreadableFile, match=words[damage]):
            room.datasets.add(OWNER, "bad", NewVersion(path=path, file_name="bad.parquet"))
    assert room.datasets.datasets(OWNER) == []


ARCHIVES = {
    "up.zip": (zipped({"a.png": PNG, "../../out.png": PNG}), "leads out of the archive"),
    "root.zip": (zipped({"/etc/x.png": PNG}), "leads out of the archive"),
    "windows.zip": (zipped({"..\\..\\x.png": PNG}), "leads out of the archive"),
    "up.tar.gz": (tarred({"../x.png": PNG}), "leads out of the archive"),
    "link.tar.gz": (tarred({"a.png": PNG}, link="../../etc/passwd"), "leads out of the archive"),
    "bomb.zip": (zipped({"a.txt": b"0" * (8 << 20)}), "swells to more than 200 times"),
    "twice.zip": (zipped({"a/b.csv": b"a\n1\n", "a//b.csv": b"a\n2\n"}), "'a//b.csv' twice"),
    "below.zip": (zipped({"a": PNG, "a/b.png": PNG}), r"cut off \(File exists\)"),
    "cut.zip": (zipped({"a.png": PNG, "b.png": PNG})[:-30], "damaged"),
    "empty.zip": (zipped({}), "no file in the archive"),
    "sheet.xlsx": (zipped({"[Content_Types].xml": b"<x/>", "xl/a.xml": b""}), "Office"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_that_is_no_folder(
    room: DataRoom, written: Written, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_BOMB_BYTES", 1 << 20)
    content, words = ARCHIVES[name]
    path = written(name, content)
    before = {item for item in tmp_path.rglob("*") if "storage" not in item.parts}
    with pytest.raises(UnreadableFile, match=words):
        room.sources.add_from(OWNER, "bad", NewSource(uri=str(path)))
    assert {item for item in tmp_path.rglob("*") if "storage" not in item.parts} == before
    assert room.datasets.datasets(OWNER) == []


def test_archives_are_folders(room: DataRoom, written: Written) -> None:
    files = {f"pets/{kind}/{n}.png": PNG + bytes([n]) for kind in ("cat", "dog") for n in range(3)}
    for name, content in (("pets.zip", zipped(files)), ("pets.tar.gz", tarred(files))):
        path = written(name, content)
        version = room.sources.add_from(OWNER, "pets", NewSource(uri=str(path)))
        assert (version.rows, version.source.file) == (6, name)
        assert room.datasets.rows(OWNER, "pets", limit=1)[0]["label"] == "cat"
    table = written("churn.zip", zipped({"data/churn.csv": customers().encode()}))
    assert room.sources.add_from(OWNER, "churn", NewSource(uri=str(table))).rows == 200


@pytest.mark.soak
def test_a_line_of_100_megabytes_and_a_bomb(room: DataRoom, written: Written) -> None:
    long = written("long.csv", "a,b\n1,2\n3," + "x" * (100 << 20) + "\n")
    with pytest.raises(UnreadableFile, match="begins in line 3 is longer than 16 MB"):
        room.datasets.add(OWNER, "bad", NewVersion(path=long))
    line = written("long.jsonl", '{"a": 1}\n{"a": "' + "x" * (100 << 20) + '"}\n')
    with pytest.raises(UnreadableFile, match="row 2 is longer than 64 MB"):
        room.datasets.add(OWNER, "bad", NewVersion(path=line))
    bomb = written("bomb.zip", zipped({"a.txt": b"0" * (300 << 20)}))
    with pytest.raises(UnreadableFile, match="swells"):
        room.sources.add_from(OWNER, "bad", NewSource(uri=str(bomb)))
    assert room.datasets.datasets(OWNER) == []


_US, _UTC = pa.timestamp("us"), pa.timestamp("us", "UTC")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (pa.array([0, None, 1 << 62], _US), "row 3: the value of column 't' lies outside"),
        (pa.array([0, -62_135_596_800_000_001], _UTC), "row 2: the value of column 't' lies"),
        (pa.array([(1 << 31) - 1], pa.date32()), "row 1: the value of column 't' lies outside"),
        (pa.array([(1, 2, 3)], pa.month_day_nano_interval()), "of the type month_day_nano"),
        (pa.array([b"ok", b"\xff\xfe"]).view(pa.string()), "row 2: .* is no valid UTF-8"),
    ],
)
def test_values_that_no_reader_could_show_are_named(
    room: DataRoom, tmp_path: Path, values: pa.Array, told: str
) -> None:
    table = pa.table({"n": range(len(values)), "t": values})
    with pa.ipc.new_file(str(tmp_path / "a.arrow"), table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(UnreadableFile, match=told):
        room.datasets.add(OWNER, "strange", NewVersion(path=tmp_path / "a.arrow", roles=Roles()))
    assert room.datasets.datasets(OWNER) == []


def test_the_last_days_of_the_calendar_are_kept(room: DataRoom, written: Written) -> None:
    path = written("days.csv", "day,at\n0001-01-01,0001-01-01T00:00:00\n9999-12-31,"
                   "9999-12-31T23:59:59.999999\n")  # fmt: skip
    room.datasets.add(OWNER, "days", NewVersion(path=path, roles=Roles()))
    assert room.datasets.rows(OWNER, "days", limit=9)[1] == {
        "day": "9999-12-31", "at": "9999-12-31T23:59:59.999999",
    }  # fmt: skip


@pytest.mark.parametrize("ending", ["gz", "zst", "bz2"])
def test_a_name_alone_compresses_nothing(room: DataRoom, written: Written, ending: str) -> None:
    path = written(f"plain.csv.{ending}", "a,b\n1,2\n")
    assert room.datasets.add(OWNER, "plain", NewVersion(path=path, roles=Roles())).rows == 1


def test_infinite_numbers_are_remarked_and_stopped_where_finite_ones_came(
    room: DataRoom, written: Written
) -> None:
    path = written("far.csv", "x\n-0\n-0.0\n1e308\n1e309\nNaN\ninf\n")
    room.datasets.add(OWNER, "far", NewVersion(path=path, roles=Roles()))
    assert room.datasets.profile(OWNER, "far").warnings[0].code == "infinite"
    plain = written("near.csv", "x\n1\n2.5\n3\n")
    room.datasets.add(OWNER, "near", NewVersion(path=plain, roles=Roles()))
    second = room.datasets.add(OWNER, "near", NewVersion(path=path, roles=Roles()))
    assert second.state == "quarantined"
    [outside] = [check for check in second.checks if check.kind == "range" and not check.passed]
    assert outside.rows == (3, 4, 6)


def test_numbers_too_small_for_a_histogram(room: DataRoom, written: Written) -> None:
    path = written("small.csv", "x\n0.0\n5e-324\n1e-323\n")
    room.datasets.add(OWNER, "small", NewVersion(path=path, roles=Roles()))
    assert room.datasets.profile(OWNER, "small").columns[0].rows == 3


@pytest.mark.parametrize("uri", ["http://a b/c.csv", "reference://", "http://[x/y.csv"])
def test_an_address_that_is_none(room: DataRoom, uri: str) -> None:
    with pytest.raises(SourceUnreachable) as caught:
        room.sources.add_from(OWNER, "nowhere", NewSource(uri=uri))
    assert caught.value.details["source"]
    assert room.datasets.datasets(OWNER) == []


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        ([], "is empty"),
        (["a.csv", "a.csv"], "twice"),
        (["a", "a/b.csv"], "as a folder"),
        (["a\0b"], "leads elsewhere"),
        (["../b"], "leads elsewhere"),
    ],
)
def test_a_folder_of_dvc_with_an_odd_list(
    room: DataRoom, tmp_path: Path, paths: list[str], words: str
) -> None:
    listing = json.dumps([{"md5": "0" * 32, "relpath": path} for path in paths]).encode()
    md5 = hashlib.md5(listing, usedforsecurity=False).hexdigest()
    kept = tmp_path / f"project/.dvc/cache/files/md5/{md5[:2]}/{md5[2:]}.dir"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(listing)
    told = tmp_path / "project/data.dvc"
    told.write_text(f"outs:\n- md5: {md5}.dir\n  path: data\n  hash: md5\n")
    with pytest.raises(UnreadableFile, match=words):
        room.sources.add_from(OWNER, "data", NewSource(uri=str(told)))
