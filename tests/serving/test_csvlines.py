"""Large CSV files are read where they lie, as the slower ways read them."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from athanor.app.house import House
from athanor.kernel import nearby
from athanor.kernel.permissions import OWNER
from athanor.serving.batches.near import NearFiles
from athanor.serving.batches.work import csvlines, score
from athanor.serving.batches.work.files import as_parquet
from athanor.serving.errors.batches import CsvNotPlain
from athanor.serving.service.batches import Batches
from athanor.serving.types import InputColumn, Signature
from athanor.serving.types.batches import NewBatch
from tests.serving.conftest import Trained
from tests.serving.test_batches import ended, expected, result, rows_of, sent_file

SIGNATURE = Signature(
    columns=(
        InputColumn(name="a", type="double", required=True),
        InputColumn(name="c", type="string", required=False),
    ),
    classes=(),
    target="t",
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csvlines, "_LARGE", 0)
    monkeypatch.setattr(csvlines, "_SCANNED", 16)


@pytest.mark.parametrize(
    "text",
    [
        "a,c\n1,x\n2,y\n3,z\n4,\n",
        "c;other;a\nx;9;1.5\n;8;\nNA;7;nan",
        "\ufeffa,c\r\n1e3,x\r\n-0.5,y\r\n",
        "a\tb\tc\n1\t2\tä\n",
    ],
)
@pytest.mark.parametrize("rows", [1, 2, 100])
def test_the_rows_are_those_that_every_way_reads(tmp_path: Path, text: str, rows: int) -> None:
    path, other = tmp_path / "a.csv", tmp_path / "other.parquet"
    path.write_bytes(text.encode())
    lines = csvlines.large_lines(path, SIGNATURE, ("a",), rows)
    assert lines is not None
    assert all(count == rows for _, _, count in lines.pieces[:-1])
    file = {"csv": str(path), "names": lines.names, "delimiter": lines.delimiter}
    found = []
    for first, end, count in lines.pieces:
        read = pa.Table.from_batches(csvlines.read(file, (first, end), ["a", "c"], lines.schema))
        assert len(read) == count
        found += read.to_pylist()
    as_parquet(path, "a.csv", other, SIGNATURE, 100)
    assert found == pq.read_table(other, columns=["a", "c"]).to_pylist()


@pytest.mark.parametrize(
    ("text", "keep"),
    [
        ('a,c\n1,"x"\n', ()),
        ("a,c\n1,x\n\n2,y\n", ()),
        ("a,c\r\n1,x\r\n\r\n2,y\r\n", ()),
        ("a,c\n1,x\n\n", ()),
        ("b,c\n1,x\n", ()),
        ("a,c", ()),
        ("a,c,other\n1,x,2\n", None),
        ("a,c,other\n1,x,2\n", ("other",)),
    ],
)
def test_anything_else_is_left_to_the_others(
    tmp_path: Path, text: str, keep: tuple[str, ...] | None
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    assert csvlines.large_lines(path, SIGNATURE, keep, 10) is None


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_empty_line_is_seen_wherever_it_lies(tmp_path: Path, end: str) -> None:
    path = tmp_path / "a.csv"
    for width in range(1, 40):
        lines = ["a,c", "1," + "x" * width, "2,y", ""]
        path.write_bytes(end.join(lines).encode())
        found = csvlines.large_lines(path, SIGNATURE, (), 10)
        assert found is not None
        assert [rows for _, _, rows in found.pieces] == [2]
        path.write_bytes(end.join([*lines[:2], "", *lines[2:]]).encode())
        assert csvlines.large_lines(path, SIGNATURE, (), 10) is None


@pytest.mark.parametrize("cell", [b"1,x,3", b"one,x", b"1234", b"1,\xff"])
def test_a_row_that_is_another_is_found_while_it_is_read(tmp_path: Path, cell: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,c\n1,x\n" + cell + b"\n")
    lines = csvlines.large_lines(path, SIGNATURE, (), 10)
    assert lines is not None
    file = {"csv": str(path), "names": lines.names, "delimiter": lines.delimiter}
    with pytest.raises(CsvNotPlain):
        list(csvlines.read(file, lines.pieces[0][:2], ["a", "c"], lines.schema))


def test_a_range_is_read_in_parts_that_end_with_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csvlines, "_SEGMENT", 3 << 19)
    path, rows = tmp_path / "a.csv", 50_000
    path.write_text("a,c\n" + "".join(f"{row},{'x' * (row % 199)}\n" for row in range(rows)))
    file = {"csv": str(path), "names": ["a", "c"], "delimiter": ","}
    schema = pa.schema([("a", pa.float64())])
    read = csvlines.read(file, (4, path.stat().st_size), ["a"], schema)
    assert pa.Table.from_batches(read)["a"].to_pylist() == [*range(rows)]


@pytest.mark.parametrize("size", [3 << 20, 5 << 20])
def test_a_line_without_end_is_no_ordinary_one(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,c\n1," + b"x" * size + b"\n2,y\n")
    file = {"csv": str(path), "names": ["a", "c"], "delimiter": ","}
    read = csvlines.read(file, (4, path.stat().st_size), ["a"], pa.schema([("a", pa.float64())]))
    with pytest.raises(CsvNotPlain):
        list(read)


@pytest.mark.parametrize("then", ["same", "other", "gone"])
def test_a_file_is_read_where_its_owner_has_it_while_it_stays_the_same(
    tmp_path: Path, then: str
) -> None:
    near, kept = tmp_path / "near.csv", tmp_path / "kept"
    near.write_bytes(b"a,c\n1,x\n2,y\n")
    kept.write_bytes(b"a,c\n3,x\n4,y\n")  # another, to be told apart
    known = NearFiles()
    known.note("sha256:aa", str(near), nearby.stamp_of(str(near)))
    if then == "other":
        near.write_bytes(b"a,c\n5,x\n6,y\n7,z\n")
    elif then == "gone":
        near.unlink()
    file = {"csv": str(kept), "near": known.find("sha256:aa"), "names": ["a", "c"]}
    schema = pa.schema([("a", pa.float64())])
    read = csvlines.read({**file, "delimiter": ","}, (4, 12), ["a"], schema)
    found = pa.Table.from_batches(read)["a"].to_pylist()
    assert found == ([1.0, 2.0] if then == "same" else [3.0, 4.0])


def test_a_file_that_changes_while_it_is_read_is_read_anew(tmp_path: Path) -> None:
    near = tmp_path / "near.csv"
    near.write_bytes(b"a,c\n1,x\n2,y\n")
    known = {"path": str(near), "stamp": nearby.stamp_of(str(near))}
    file = {"csv": str(tmp_path / "kept"), "names": ["a", "c"], "delimiter": ","}
    read = csvlines.read({**file, "near": known}, (4, 12), ["a"], pa.schema([("a", pa.float64())]))
    next(read)
    near.write_bytes(b"a,c\n1,x\n9,y\n8,z\n")
    with pytest.raises(CsvNotPlain, match="written to while"):
        list(read)


@pytest.mark.parametrize("odd", [False, True])
def test_a_large_file_is_predicted_and_an_odd_one_planned_anew(
    shop: House, champion: Trained, tmp_path: Path, odd: bool
) -> None:
    """An odd file: a number that is written as the slower way alone reads it."""
    frame = rows_of(700)
    texts = frame.drop(columns="row").astype(str)
    texts["padding"] = "x" * 8_000
    if odd:
        numeric = [name for name in texts if frame.get(name, frame.row).dtype.kind in "if"]
        texts[numeric[0]] = [f" {cell} " if row == 600 else cell
                             for row, cell in enumerate(texts[numeric[0]])]  # fmt: skip
    path = tmp_path / "large.csv"
    texts.replace("nan", "").to_csv(path, index=False)
    batches: Batches = shop.services[Batches]
    sent = sent_file(batches, path)
    new = NewBatch(
        model="churn", to=f"large-{odd}".lower(), files=(sent,), keep=(), chunk_rows=1_000
    )
    batch = ended(shop, batches.submit(OWNER, new))
    assert batch.state == "done", batch.error
    assert result(shop, batch)["probability_left"].tolist() == pytest.approx(
        expected(champion, frame)[:, 0].tolist(), abs=1e-9
    )


def test_what_is_written_has_large_row_groups_and_one_list_of_words(tmp_path: Path) -> None:
    batches = [
        pa.record_batch({"c": pa.array(words).dictionary_encode()})
        for words in (["x", "y"], ["y", None, "z"])
    ]
    path = tmp_path / "chunk.parquet"
    with pq.ParquetWriter(path, batches[0].schema) as writer:
        score._write(writer, batches)
        score._write(writer, batches)
    assert not batches
    with pq.ParquetFile(path) as file:
        assert file.num_row_groups == 1
        assert file.read()["c"].to_pylist() == ["x", "y", "y", None, "z"]


def test_ordinary_files_are_planned_and_gathered_without_libraries_for_odd_ones() -> None:
    work = "athanor.serving.batches.work"
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                f"import sys, {work}.plan, {work}.gather;"
                "print(*{'duckdb', 'fsspec', 'onnx', 'sklearn'} & set(sys.modules))"
            ),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.split() == []
