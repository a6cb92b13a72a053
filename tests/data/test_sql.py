"""SQL reads what the rooms offer, and nothing else."""

import contextlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from athanor.data import Query
from athanor.data.errors import (
    BadLimits,
    BadQuery,
    FilesGone,
    NotReadOnly,
    QueryTookTooLong,
    QueryTooLarge,
    UnknownRelation,
    VersionNotFound,
)
from athanor.data.logic.queries import read_query
from athanor.data.work.plain import plain_value
from athanor.data.work.sql import export, run
from athanor.kernel import OWNER, Column, Relation, Scan
from athanor.testing.data import DataRoom
from tests.data.conftest import Written, churn, customers

Ask = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def ask(room: DataRoom, written: Written) -> Ask:
    room.datasets.add(OWNER, "churn", churn(written("a.csv", customers(0, 200))))
    room.datasets.add(OWNER, "churn", churn(written("b.csv", customers(200, 50)), "append"))

    def of(sql: str, **limits: Any) -> list[tuple[Any, ...]]:
        return list(room.sql.query(OWNER, Query(sql=sql, **limits)).rows)

    return of


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("select count(*) from churn", [(250,)]),
        ("SELECT COUNT(*) FROM CHURN;", [(250,)]),
        ("select count(*) from churn@1", [(200,)]),
        ("select count(*) from churn@v2", [(250,)]),
        ('select count(*) from "churn@latest"', [(250,)]),
        ("select count(*) from churn where country = 'churn@9'", [(0,)]),
        ("with x as (select * from churn) select count(*) from x", [(250,)]),
        ("with churn as (select * from churn) select count(*) from churn", [(250,)]),
        ("select a.n + b.n from (select count(*) n from churn@1) a, (select 1 n) b", [(201,)]),
        ("select * from range(2)", [(0,), (1,)]),
        ("from churn select min(customer)", [(1000,)]),
        ("select version, rows from datasets order by 1", [(1, 200), (2, 250)]),
        ("select 1 union all select 2 order by 1 desc", [(2,), (1,)]),
        ("select customer from churn order by customer limit 2", [(1000,), (1001,)]),
    ],
)
def test_questions_that_are_answered(sql: str, rows: list[tuple[Any, ...]], ask: Ask) -> None:
    assert ask(sql) == rows


FORBIDDEN = [
    ("drop table churn", NotReadOnly),
    ("create table x as select * from churn", NotReadOnly),
    ("insert into churn values (1)", NotReadOnly),
    ("update churn set age = 1", NotReadOnly),
    ("delete from churn", NotReadOnly),
    ("copy churn to '/tmp/x.csv'", NotReadOnly),
    ("attach '/tmp/x.db'", NotReadOnly),
    ("pragma database_list", NotReadOnly),
    ("set memory_limit = '9GB'", NotReadOnly),
    ("install httpfs", NotReadOnly),
    ("load httpfs", NotReadOnly),
    ("export database '/tmp/x'", BadQuery),
    ("call duckdb_settings()", NotReadOnly),
    ("explain select 1", NotReadOnly),
    ("select 1; select 2", BadQuery),
    ("", BadQuery),
    ("select from where", BadQuery),
    ("select nope from churn", BadQuery),
    ("select * from chrun", UnknownRelation),
    ("select * from churn@first", VersionNotFound),
    ("select * from '/etc/passwd'", UnknownRelation),
    ("select * from read_csv('/etc/passwd')", NotReadOnly),
    ("select * from read_text('/etc/passwd')", NotReadOnly),
    ("select * from glob('/etc/*')", NotReadOnly),
    ("select * from duckdb_settings()", NotReadOnly),
    ("select * from information_schema.tables", UnknownRelation),
    ("select * from sqlite_master", UnknownRelation),
    ("select * from x.churn", UnknownRelation),
    ("select * from (select * from read_blob('/etc/passwd'))", NotReadOnly),
    ("select (select content from read_text('/etc/passwd'))", NotReadOnly),
    ("select getenv('HOME')", BadQuery),
    ("select * from query('select 1')", NotReadOnly),
    ("select * from query_table('churn')", NotReadOnly),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "kind"), FORBIDDEN)
def test_questions_that_are_refused(sql: str, kind: type[Exception], ask: Ask) -> None:
    with pytest.raises(kind) as caught:
        ask(sql)
    assert getattr(caught.value, "hint", "")


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_text('/etc/passwd')",
        "select * from '/etc/passwd'",
        "select * from read_csv('/etc/passwd')",
        "copy (select 1) to '/tmp/athanor-test-escape.csv'",
        "attach '/tmp/athanor-test-escape.db' as x",
        "set enable_external_access = true",
        "set allowed_paths = ['/etc/passwd']",
        "install httpfs",
        "load httpfs",
        "select * from glob('/etc/*')",
    ],
)
def test_the_sandbox_holds_without_the_parser(sql: str) -> None:
    with pytest.raises((NotReadOnly, BadQuery)):
        run(sql, {}, 10, 200)
    assert not Path("/tmp/athanor-test-escape.csv").exists()
    assert not Path("/tmp/athanor-test-escape.db").exists()


def test_files_beside_a_tables_own_are_out_of_reach(tmp_path: Path) -> None:
    for name in ("mine", "other"):
        pq.write_table(pa.table({"n": [1]}), tmp_path / f"{name}.parquet")
    scan = {"parquet": [str(tmp_path / "mine.parquet")], "jsonl": [], "rows": [], "sql": "",
            "columns": []}  # fmt: skip
    assert run("select * from t", {"t": scan}, 10, 200)["rows"] == [[1]]
    with pytest.raises((NotReadOnly, BadQuery)):
        run(f"select * from read_parquet('{tmp_path}/other.parquet')", {"t": scan}, 10, 200)


def test_a_query_that_takes_too_long_is_ended(forking_room: DataRoom) -> None:
    endless = "select count(*) from range(100000) a, range(100000) b, range(100000) c"
    with pytest.raises(QueryTookTooLong, match="after 2 seconds"):
        forking_room.sql.query(OWNER, Query(sql=endless, seconds=2))


def test_a_query_that_wants_too_much_memory_is_ended(forking_room: DataRoom) -> None:
    greedy = "select list(range) from range(300000000)"
    with pytest.raises(QueryTooLarge, match="200 MB"):
        forking_room.sql.query(OWNER, Query(sql=greedy, memory_mb=200))


def test_a_forked_query_answers(forking_room: DataRoom) -> None:
    result = forking_room.sql.query(OWNER, Query(sql="select 40 + 2 as answer"))
    assert (result.columns, result.rows) == (("answer",), ((42,),))


def test_more_rows_than_the_limit_are_cut_and_said(room: DataRoom) -> None:
    result = room.sql.query(OWNER, Query(sql="select * from range(100)", limit=10))
    assert (len(result.rows), result.truncated) == (10, True)
    result = room.sql.query(OWNER, Query(sql="select * from range(10)", limit=10))
    assert (len(result.rows), result.truncated) == (10, False)


def test_relations_of_every_kind_of_source(room: DataRoom, tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": [1, 2], "word": ["a", "b"]}), tmp_path / "rows.parquet")
    (tmp_path / "rows.jsonl").write_text('{"n": 3, "word": "c"}\n{"n": 4, "wo')
    seen: list[str] = []

    def scan(who: object, rest: str) -> Scan:
        seen.append(rest)
        return Scan(
            parquet=[str(tmp_path / "rows.parquet")],
            jsonl=[str(tmp_path / "rows.jsonl"), str(tmp_path / "not-yet.jsonl")],
            rows=[{"n": 5, "word": "e", "more": {"x": 1}}],
            sql="SELECT n, upper(word) AS word FROM source",
        )

    columns = (Column(name="n", type="BIGINT"), Column(name="word", type="VARCHAR"))
    room.sql.offer(Relation(name="things", description="of all kinds", columns=columns, scan=scan))
    result = room.sql.query(OWNER, Query(sql="select * from Things order by n"))
    assert [row for row in result.rows if row[0] is not None] == [
        (1, "A"), (2, "B"), (3, "C"), (5, "E"),
    ]  # fmt: skip
    room.sql.query(OWNER, Query(sql="select * from things@7"))
    assert seen == ["", "7"]
    assert [table.name for table in room.sql.tables(OWNER)] == ["datasets", "things"]


def nothing(who: object, rest: str) -> Scan:
    return Scan()


def test_a_relation_without_rows_has_its_columns(room: DataRoom) -> None:
    columns = (Column(name="n", type="BIGINT"), Column(name="at", type="TIMESTAMPTZ"))
    room.sql.offer(Relation(name="runs", description="", columns=columns, scan=nothing))
    result = room.sql.query(OWNER, Query(sql="select * from runs"))
    assert (result.columns, result.rows) == (("n", "at"), ())
    assert room.sql.query(OWNER, Query(sql="select count(*) from runs")).rows == ((0,),)


def test_values_of_every_type_come_as_json(room: DataRoom) -> None:
    sql = (
        "select 1::hugeint a, 1.5::decimal(9,2) b, 'x' c, null d, true e, date '2026-01-02' f, "
        "timestamptz '2026-01-02 03:04:05+00' g, [1, 2] h, {'k': 1} i, 'nan'::double j, "
        "interval 2 day k, '\\x41'::blob l"
    )
    [row] = room.sql.query(OWNER, Query(sql=sql)).rows
    assert row[:10] == (
        1, 1.5, "x", None, True, "2026-01-02", "2026-01-02T03:04:05+00:00", [1, 2], {"k": 1}, "nan",
    )  # fmt: skip
    assert row[11] == "41"


def test_whole_numbers_beyond_64_bits_come_as_text(room: DataRoom) -> None:
    [row] = room.sql.query(OWNER, Query(sql="select 12345678901234567890123::hugeint")).rows
    assert row == ("12345678901234567890123",)


def test_numbers_of_32_bits_have_no_digits_that_nobody_wrote(room: DataRoom) -> None:
    sql = "select 0.1::float, 'inf'::float, [0.1::float], [0.1]::float[1]"
    [row] = room.sql.query(OWNER, Query(sql=sql)).rows
    assert row == (0.1, "inf", [0.1], [0.1])


def test_plain_values() -> None:
    assert plain_value(Decimal(10**18)) == 10**18
    assert plain_value([2**63 - 1, 2**63, -(2**64)]) == [2**63 - 1, str(2**63), str(-(2**64))]
    assert plain_value(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00+00:00"
    assert plain_value({"a": (float("inf"), b"\xff")}) == {"a": ["inf", "ff"]}


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(BadQuery, NotReadOnly, UnknownRelation):
        read_query(text)


def test_a_refusal_names_the_statement_and_the_digest() -> None:
    for statement in ("explain select 1", "call duckdb_settings()", "prepare a as select 1"):
        with pytest.raises(NotReadOnly, match=statement.split()[0].upper()):
            read_query(statement)
    assert read_query("select * from people@sha256:zz").names == ("people@sha256:zz",)


def test_a_query_nested_without_end_is_refused() -> None:
    with pytest.raises(BadQuery):
        read_query("select " + "(" * 20_000 + "1" + ")" * 20_000)
    with pytest.raises(BadQuery, match="characters"):
        read_query("select " + "1," * 100_000 + "1")


@pytest.mark.parametrize(
    "limits",
    [
        {"limit": -1},
        {"limit": 10**30},
        {"seconds": 1e308},
        {"seconds": float("nan")},
        {"seconds": -1.0},
        {"memory_mb": -5},
        {"memory_mb": 10**12},
    ],
)
def test_limits_out_of_range_are_refused(room: DataRoom, limits: dict[str, Any]) -> None:
    with pytest.raises(BadLimits, match="out of range"):
        room.sql.query(OWNER, Query(sql="select 1", **limits))


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        ("select customer, at, amount from bought", "at"),
        ("select customer, at\nfrom bought", "at"),
        ("select max(at) from bought", "at"),
        ("select end, customer from bought", "end"),
        ("select customer from from bought", ""),
        ("select customer) from bought", ""),
    ],
)
def test_a_column_that_is_a_word_of_sql_is_to_be_quoted(
    sql: str, word: str, tmp_path: Path
) -> None:
    path = tmp_path / "bought.parquet"
    pq.write_table(pa.table({"customer": [1], "at": [2], "amount": [3], "end": [4]}), path)
    scan = {"parquet": [str(path)], "jsonl": [], "rows": [], "sql": "", "columns": []}
    with pytest.raises(BadQuery) as refused:
        run(sql, {"bought": scan}, limit=1, memory_mb=100)
    assert refused.value.hint.partition("quote it: ")[2] == (f'"{word}"' if word else "")


def test_values_that_json_or_python_lack_are_told_as_text(room: DataRoom) -> None:
    asked = (
        "SELECT DATE '9999-12-31' + 1 AS a, 'infinity'::TIMESTAMP AS b, "
        "DATE '0044-01-01 (BC)' AS c, 1.23456789012345678901::DECIMAL(38, 20) AS d, "
        "1.5::DECIMAL(4, 1) AS e, [DATE '10000-01-01'] AS f UNION ALL "
        "SELECT DATE '2026-01-31', TIMESTAMP '2026-01-31', NULL, NULL, NULL, NULL"
    )
    found = room.sql.query(OWNER, Query(sql=asked))
    assert [list(row) for row in found.rows] == [
        ["10000-01-01", "infinity", "0044-01-01 (BC)", "1.23456789012345678901", 1.5,
         "[10000-01-01]"],
        ["2026-01-31", "2026-01-31T00:00:00", None, None, None, None],
    ]  # fmt: skip


@pytest.mark.parametrize("form", ["json", "parquet", "arrow", "csv", "jsonl"])
def test_what_a_form_lacks_is_told_as_duckdb_writes_it(form: str, tmp_path: Path) -> None:
    asked = (
        "SELECT timetz '10:00:00+01' AS a, bitstring '0101' AS b, 1::uhugeint << 127 AS c, "
        "{'d': timetz '10:00:00+01', 'e': [bitstring '01']} AS d"
    )
    if form == "json":
        [row] = run(asked, {}, limit=1, memory_mb=100)["rows"]
        assert row[:3] == ["10:00:00+01", "0101", str(1 << 127)]
        assert row[3] == {"d": "10:00:00+01", "e": ["01"]}
        return
    export(asked, {}, 100, str(tmp_path / "told"), form)
    written = (tmp_path / "told").read_bytes()
    assert all(word in written for word in (b"10:00:00+01", b"0101", str(1 << 127).encode()))


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("select * from main.churn", "Write churn: tables stand in no schema."),
        ("select * from information_schema.tables", "There are: churn, datasets."),
        ("select * from zzz", "There are: churn, datasets."),
    ],
)
def test_who_names_a_table_that_is_none_is_told_what_there_is(
    sql: str, hint: str, ask: Ask
) -> None:
    with pytest.raises(UnknownRelation) as caught:
        ask(sql)
    assert caught.value.hint == hint


def test_files_that_go_before_they_are_read_are_looked_for_once_more(
    room: DataRoom, tmp_path: Path
) -> None:
    whole = tmp_path / "whole.parquet"
    pq.write_table(pa.table({"n": [1, 2]}), whole)
    places = [tmp_path / "gone.parquet", whole]

    def scan(who: object, rest: str) -> Scan:
        return Scan(parquet=[str(places.pop(0))])

    room.sql.offer(Relation(name="rows", description="", scan=scan))
    assert room.sql.query(OWNER, Query(sql="select sum(n) from rows")).rows == ((3,),)
    places += [tmp_path / "gone.parquet"] * 2
    with pytest.raises(FilesGone):
        room.sql.query(OWNER, Query(sql="select sum(n) from rows"))


def test_a_file_that_goes_while_it_is_read_is_told_as_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = str(tmp_path / "gone.parquet")
    monkeypatch.setattr("athanor.data.work.sql.located", lambda _, files: list(files))
    table = {"parquet": [gone], "jsonl": [], "rows": [], "sql": "", "columns": []}
    with pytest.raises(FilesGone, match=re.escape(f"The file {gone} of")):
        run("select * from things", {"things": table}, 1, 1024)
