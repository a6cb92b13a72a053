"""Files as users have them: any encoding and compression, and every way to be broken."""

import bz2
import gzip
import lzma
import random
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from athanor.data.errors import (
    DuplicateColumns,
    EmptyFile,
    RaggedRows,
    TooManyColumns,
    UnreadableFile,
    WrongTypes,
)
from athanor.data.types import ReadOptions
from athanor.data.work.reading import Reading, look_through
from athanor.lineage.logic.digests import table_digest

PLAIN = "a,b,c\n" + "".join(f"{row},{row * 1.5},x{row}é\n" for row in range(300))


def read(path: Path, **options: Any) -> tuple[Reading, pa.Table]:
    into = path.parent / f"into-{random.random()}"
    into.mkdir()
    reading = look_through(path, path.name, into, ReadOptions(**options), {})
    table = pa.Table.from_batches(reading.rows.batches(), schema=reading.rows.schema())
    assert table.num_rows == reading.count
    return reading, table


Read = Callable[..., tuple[Reading, pa.Table]]


@pytest.fixture
def reads(tmp_path: Path) -> Read:
    def of(content: str | bytes, name: str = "table.csv", **options: Any) -> Any:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read(path, **options)

    return of


TWINS = {
    "crlf": PLAIN.replace("\n", "\r\n").encode(),
    "no last newline": PLAIN.rstrip("\n").encode(),
    "bom": b"\xef\xbb\xbf" + PLAIN.encode(),
    "utf-16": PLAIN.encode("utf-16"),
    "utf-16 big endian": b"\xfe\xff" + PLAIN.encode("utf-16-be"),
    "utf-16 without mark": PLAIN.encode("utf-16-le"),
    "utf-32": PLAIN.encode("utf-32"),
    "latin-1": PLAIN.encode("latin-1"),
    "gzip": gzip.compress(PLAIN.encode()),
    "bzip2": bz2.compress(PLAIN.encode()),
    "xz": lzma.compress(PLAIN.encode()),
    "zstd": pa.compress(PLAIN.encode(), codec="zstd", asbytes=True),
    "utf-16 and crlf and gzip": gzip.compress(PLAIN.replace("\n", "\r\n").encode("utf-16")),
    "semicolons": PLAIN.replace(",", ";").encode(),
    "tabs and decimal commas": PLAIN.replace(",", "\t").replace(".", ",").encode(),
}


@pytest.mark.parametrize("twin", TWINS)
def test_a_twin_has_the_digest_of_the_plain_file(twin: str, reads: Read) -> None:
    _, plain = reads(PLAIN)
    _, table = reads(TWINS[twin])
    assert table.schema == plain.schema
    assert table_digest(table) == table_digest(plain)


BROKEN: dict[str, tuple[bytes, type[Exception], str]] = {
    "empty": (b"", EmptyFile, "the file is empty"),
    "blanks": (b"\n\n  \n", EmptyFile, "nothing but blanks"),
    "header alone": (b"a,b\n", EmptyFile, "no row below"),
    "image": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, UnreadableFile, "a PNG image"),
    "archive": (b"PK\x03\x04" + b"\x00" * 99, UnreadableFile, "a ZIP archive"),
    "noise": (random.Random(1).randbytes(5000), UnreadableFile, "binary data"),
    "zeros in text": (
        PLAIN.encode()[:500] + b"\0\0" + b"1,2\n",
        UnreadableFile,
        "(byte 500) holds",
    ),
    "cut gzip": (gzip.compress(PLAIN.encode())[:-9], UnreadableFile, "damaged or cut off"),
    "gzip of nothing": (gzip.compress(b""), EmptyFile, "nothing in the gzip file"),
    "short row": (PLAIN.encode() + b"1,2\n", RaggedRows, "row 301 has 2 cells"),
    "long row": (PLAIN.encode().replace(b"\n9,", b"\n9,9,"), RaggedRows, "row 10 has 4 cells"),
    "same names": (b"a,b,a\n1,2,3\n", DuplicateColumns, "called 'a'"),
    "names that differ in case": (b"a,b,A\n1,2,3\n", DuplicateColumns, "'a', 'A'"),
    "mixed encodings": (
        "n\nJosé\n".encode() + "Zoë\n".encode("latin-1"),
        UnreadableFile,
        "line 3 (byte 10) holds 0xeb",
    ),
    "a word among numbers": (
        PLAIN.encode().replace(b"\n150,225.0", b"\n150,many"),
        WrongTypes,
        "column 'b' holds numbers, but row 151 holds 'many'",
    ),
    "words from half-way down": (
        ("a\n" + "".join(f"{row if row < 500 else 'x'}\n" for row in range(1000))).encode(),
        WrongTypes,
        "column 'a' holds integers, but row 501 holds 'x' (500 such cells",
    ),
    "a day that no calendar has": (
        b"d\n" + b"2020-01-01\n" * 30 + b"2020-02-30\n",
        WrongTypes,
        "column 'd' holds dates, but row 31 holds '2020-02-30'",
    ),
    "many columns": (
        ",".join(f"c{n}" for n in range(10_000)).encode() + b"\n" + b"1," * 9_999 + b"1\n",
        TooManyColumns,
        "10000 columns",
    ),
    "torn json": (b'{"a": 1}\n{"a": ', UnreadableFile, "JSON"),
    "json of changing types": (b'{"a": 1}\n{"a": "x"}\n', UnreadableFile, "changed from number"),
    "no parquet": (b"PAR1" + b"\0" * 50, UnreadableFile, "damaged or cut off"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_with_its_place(name: str, reads: Read) -> None:
    content, kind, words = BROKEN[name]
    with pytest.raises(kind) as caught:
        reads(content, name="broken.csv")
    assert words in str(caught.value)
    assert "broken.csv" in str(caught.value)
    assert getattr(caught.value, "hint", "")


def test_a_bomb_is_refused(reads: Read) -> None:
    with pytest.raises(UnreadableFile, match="swells"):
        reads(gzip.compress(b"a" * (300 << 20), 1), name="bomb.csv.gz")


def test_a_word_among_numbers_may_be_said_to_be_missing(reads: Read) -> None:
    text = PLAIN.replace("\n150,225.0", "\n150,many")
    _, table = reads(text, missing=("many",))
    assert table.schema.field("b").type == pa.float64()
    assert table["b"].null_count == 1


def test_a_column_may_be_said_to_be_text(reads: Read) -> None:
    _, table = reads(PLAIN.replace("\n150,225.0", "\n150,many"), text=("b",))
    assert table["b"].to_pylist()[149:152] == ["223.5", "many", "226.5"]


def test_question_marks_are_missing_among_numbers_and_words_among_words(reads: Read) -> None:
    reading, table = reads("n,w\n1,x\n?,?\n3,\nNA,y\n")
    assert table.to_pydict() == {"n": [1, None, 3, None], "w": ["x", "?", None, "y"]}
    assert any("2 cells such as '?'" in note for note in reading.notes)


def test_types_are_found_over_the_whole_column(reads: Read) -> None:
    text = (
        "int,float,day,when,zoned,flag,zip,long,word\n"
        "1,0.5,2020-01-31,2020-01-01 10:00:00,2020-01-01T10:00:00+02:00,true,00123,"
        "123456789012345678901,x\n"
        '-2,1e3,2020-02-29,2020-01-01 10:00:00.25,2020-01-01T10:00:00Z,FALSE,12345,1,"a,b"\n'
    )
    _, table = reads(text)
    assert [str(field.type) for field in table.schema] == [
        "int64", "double", "date32[day]", "timestamp[us]", "timestamp[us, tz=UTC]", "bool",
        "string", "string", "string",
    ]  # fmt: skip
    row = table.to_pylist()[0]
    assert row["day"] == date(2020, 1, 31)
    assert row["zoned"].isoformat() == "2020-01-01T08:00:00+00:00"
    assert (row["zip"], row["long"]) == ("00123", "123456789012345678901")


@pytest.mark.parametrize(
    ("days", "read_as"),
    [
        (["1/2/2020", "13/2/2020"], [date(2020, 2, 1), date(2020, 2, 13)]),
        (["1/2/2020", "2/13/2020"], [date(2020, 1, 2), date(2020, 2, 13)]),
        (["01.02.2020", "31.12.2020"], [date(2020, 2, 1), date(2020, 12, 31)]),
    ],
)
def test_the_order_of_day_and_month_is_found(
    days: list[str], read_as: list[date], reads: Read
) -> None:
    reading, table = reads("d,x\n" + "".join(f"{day},1\n" for day in days))
    assert table["d"].to_pylist() == read_as
    assert any("dates are read as" in note for note in reading.notes)


def test_dates_in_three_formats_stay_text(reads: Read) -> None:
    days = ["2020-01-31", "13/02/2020", "2 Jan 2020"] * 10
    reading, table = reads("d,x\n" + "".join(f"{day},1\n" for day in days))
    assert table.schema.field("d").type == pa.string()
    [note] = reading.notes
    assert "several forms (2020-01-31, 13/02/2020, 2 Jan 2020)" in note


def test_a_file_without_a_header_gets_names(reads: Read) -> None:
    reading, table = reads("1,2,x\n3,4,y\n5,6,z\n")
    assert table.column_names == ["column_1", "column_2", "column_3"]
    assert table.num_rows == 3
    assert any("no header" in note for note in reading.notes)


def test_line_ends_in_quotes_do_not_disturb_the_row_numbers(reads: Read) -> None:
    with pytest.raises(RaggedRows, match="row 3 has 1 cells"):
        reads('a,b\n"x\ny",1\n"q\nr",3\n4\n')


def test_json_lines_are_read(reads: Read) -> None:
    _, table = reads('{"a": 1, "b": "x"}\n{"a": 2.5, "c": true}\n', name="rows.jsonl")
    assert table.to_pydict() == {"a": [1.0, 2.5], "b": ["x", None], "c": [None, True]}


def test_types_that_delta_changes_are_normalised_and_noted(tmp_path: Path) -> None:
    keys = pa.array([UUID(int=1), UUID(int=2)], pa.uuid())
    table = pa.table({
        "tiny": pa.array([1, 255], pa.uint8()),
        "huge": pa.array([1, 2**64 - 1], pa.uint64()),
        "half": pa.array([0.5, 1.5], pa.float16()),
        "code": pa.array(["x", "y"]).dictionary_encode(),
        "when": pa.array([1, 2], pa.timestamp("ns")),
        "there": pa.array([1, 2], pa.timestamp("ms", "Europe/Berlin")),
        "lasts": pa.array([1, 2], pa.duration("s")),
        "clock": pa.array([1, 2], pa.time64("us")),
        "plain": pa.array([1, 2]),
        "key": keys,
        "keys": pa.ListArray.from_arrays(pa.array([0, 0, 2], pa.int32()), keys),
        "said": pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}", None])),
        "told": pa.array([[("a", 2**64 - 1)], None], pa.map_(pa.string(), pa.uint64())),
    })  # fmt: skip
    path = tmp_path / "types.parquet"
    pq.write_table(table.drop_columns(["half"]), path)
    reading, read_back = read(path)
    assert {field.name: str(field.type) for field in read_back.schema} == {
        "tiny": "int16", "huge": "decimal128(20, 0)", "code": "string", "when": "timestamp[us]",
        "there": "timestamp[us, tz=UTC]", "lasts": "int64", "clock": "string", "plain": "int64",
        "key": "string", "keys": "list<item: string>", "said": "string",
        "told": "map<string, decimal128(20, 0)>",
    }  # fmt: skip
    assert read_back["tiny"].to_pylist() == [1, 255]
    assert int(read_back["huge"].to_pylist()[1]) == 2**64 - 1
    assert read_back["key"][1].as_py() == "00000000-0000-0000-0000-000000000002"
    assert read_back["keys"].to_pylist() == [[], read_back["key"].to_pylist()]
    assert int(read_back["told"].to_pylist()[0][0][1]) == 2**64 - 1
    # A dictionary of texts is another layout of the same values.
    assert not any("'plain'" in note or "'code'" in note for note in reading.notes)
    assert sum("is stored as" in note for note in reading.notes) == 10


REAL = {
    "adult/adult_train.csv.gz": (32_561, 15, {"age": "int64", "workclass": "string"}),
    "bank_churners/BankChurners.csv": (10_127, 23, {"Credit_Limit": "double"}),
    "bike_sharing/hour_semicolon_decimal_comma_2000.csv": (
        2_000, 17, {"temp": "double", "dteday": "date32[day]"},
    ),
    "bank_marketing/bank_additional_semicolon.csv": (4_119, 21, {"cons.price.idx": "double"}),
    "nyc_taxis/taxis.csv": (6_433, 14, {"pickup": "timestamp[us]"}),
    "birdstrikes/birdstrikes.csv": (10_000, 14, {"Flight Date": "date32[day]"}),
    "flights/flights_200k.parquet": (200_000, 3, {"time": "float"}),
    "sms_spam/sms_spam.csv": (5_574, 2, {"text": "string"}),
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_real_tables_are_read_whole(name: str, data_folder: Path, tmp_path: Path) -> None:
    rows, columns, types = REAL[name]
    linked = tmp_path / Path(name).name
    linked.symlink_to(data_folder / name)
    _, table = read(linked)
    assert (table.num_rows, table.num_columns) == (rows, columns)
    assert {name: str(table.schema.field(name).type) for name in types} == types


FIRST, LAST = datetime.fromisoformat("1600-01-01"), datetime.fromisoformat("2400-01-01")
cells = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12)


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=30))
def test_any_words_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("words")
    path = folder / "words.csv"
    lines = ["k,first,second"]
    for number, pair in enumerate(pairs):
        quoted = ('"' + cell.replace('"', '""') + '"' for cell in pair)
        lines.append(f"r{number}," + ",".join(quoted))
    path.write_text("\n".join(lines) + "\n", "utf-8", newline="")
    _, table = read(path, text=("first", "second"), delimiter=",")
    for place, name in enumerate(("first", "second")):
        wanted = [pair[place] if pair[place].strip() else None for pair in pairs]
        assert [
            value if value and value.strip() else None for value in table[name].to_pylist()
        ] == wanted


@given(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=50),
    st.lists(st.floats(allow_nan=False), min_size=1, max_size=50),
    st.lists(st.datetimes(FIRST, LAST), min_size=1, max_size=50),
)
def test_numbers_and_times_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory,
    whole: list[int],
    broken: list[float],
    times: list[datetime],
) -> None:
    path = tmp_path_factory.mktemp("values") / "values.csv"
    count = min(len(whole), len(broken), len(times))
    lines = ["k,whole,broken,time"]
    lines += [
        f"r,{whole[row]},{broken[row]!r},{times[row].isoformat(sep=' ')}" for row in range(count)
    ]
    path.write_text("\n".join(lines) + "\n")
    _, table = read(path, delimiter=",")
    assert table["whole"].to_pylist() == whole[:count]
    assert [float(value) for value in table["broken"].to_pylist()] == broken[:count]
    assert table["time"].to_pylist() == times[:count]


@pytest.mark.parametrize(
    "options",
    [
        {"encoding": "rot13"},
        {"encoding": "zip"},
        {"encoding": "nonsense"},
        {"encoding": "a\0b"},
        {"delimiter": "abc"},
        {"delimiter": "\n"},
        {"delimiter": '"'},
        {"decimal": "x"},
    ],
)
def test_a_wish_that_no_file_fulfils_is_refused(reads: Read, options: dict[str, str]) -> None:
    with pytest.raises(UnreadableFile, match=r"can't be a|no encoding"):
        reads(PLAIN, **options)


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("a,b\n1,x\n9007199254740993,y\n0.5,z\n", 2),
        ("a;b\n0,5;x\n+9007199254740993;y\n", 2),
        ('{"a":9007199254740993}\n{"a":0.5}\n', 1),
        ('{"a":[0.5]}\n{"a":[2,9007199254740993]}\n{"a":[1.5]}\n', 2),
    ],
)
def test_digits_that_a_double_does_not_hold_are_told(reads: Read, text: str, row: int) -> None:
    [note] = reads(text)[0].notes
    assert f"row {row} has " in note
    assert "9007199254740993, which is kept as 9007199254740992" in note
    exact = text.replace("9007199254740993", "9007199254740994")
    assert reads(exact)[0].notes == ()


def test_whole_numbers_alone_lose_no_digit(reads: Read) -> None:
    for text in ("a\n9223372036854775807\n1\n", '{"a":9223372036854775807}\n{"a":1}\n'):
        reading, table = reads(text)
        assert (reading.notes, table["a"][0].as_py()) == ((), 9223372036854775807)


def test_numbers_that_may_have_thousands_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id;v;w\n1;1.234;1.5\n2;3.456;2.345\n")
    (note,) = read(path)[0].notes
    assert note == (
        "Column 'v' has numbers such as '1.234' alone, read as 1.234 by guess; "
        "if 1234 is meant: --decimal ','."
    )
    reading, table = read(path, decimal=",")
    assert table["v"].to_pylist() == [1234, 3456]
    assert not any("guess" in note for note in reading.notes)
    path.write_text("id;v\n1;1,234\n2;3,456\n")
    (note,) = read(path)[0].notes
    assert "read as 1.234 by guess; if 1234 is meant: take the commas out" in note
    path.write_text("id,v\n1,1.234\n2,3.456\n")
    assert read(path)[0].notes == ()
