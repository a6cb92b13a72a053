"""Every kind of expectation stops what it is for; nonsense is refused; suites are read."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from athanor.data import DatasetVersion, Expectation, NewVersion, Roles
from athanor.data.errors import UnknownExpectation
from athanor.data.errors.checks import BadExpectation, BadSuite
from athanor.data.logic.rules import PARAMETERS
from athanor.data.logic.suites import read_suite
from athanor.data.types import EXPECTATION_KINDS
from athanor.kernel import OWNER
from athanor.testing.data import DataRoom
from tests.data.conftest import Written, churn, customers

ORDERS = (
    "order,customer,code,placed,sent,amount\n"
    "1,1000,AB-1,2026-01-01,2026-01-02,10.0\n"
    "2,1001,AB-22,2026-01-02,2026-01-02,20.5\n"
    "3,1001,CD-3,2026-01-03,2026-01-01,30.0\n"
    "4,9999,cd-4,2026-01-04,2026-01-09,-5.0\n"
)

CASES: list[tuple[Expectation, bool, tuple[int, ...]]] = [
    (Expectation(kind="pattern", column="code", parameters={"pattern": "^[A-Z]{2}-[0-9]+$"}),
     False, (4,)),
    (Expectation(kind="pattern", column="code", parameters={"pattern": "-", "other_share": 0.0}),
     True, ()),
    (Expectation(kind="length", column="code", parameters={"minimum": 4, "maximum": 4}),
     False, (2,)),
    (Expectation(kind="compare", column="placed", parameters={"other": "sent"}), False, (3,)),
    (Expectation(kind="compare", column="order", parameters={"operator": "<", "other": "customer"}),
     True, ()),
    (Expectation(kind="unique_together", parameters={"columns": ["customer"]}), False, (2, 3)),
    (Expectation(kind="unique_together", parameters={"columns": ["customer", "order"]}), True, ()),
    (Expectation(kind="distinct", column="customer", parameters={"maximum": 2}), False, ()),
    (Expectation(kind="statistic", column="amount",
                 parameters={"statistic": "mean", "minimum": 13, "maximum": 14}), True, ()),
    (Expectation(kind="statistic", column="amount",
                 parameters={"statistic": "minimum", "minimum": 0}), False, ()),
    (Expectation(kind="foreign_key", column="customer", parameters={"dataset": "churn"}),
     False, (4,)),
    (Expectation(kind="foreign_key", column="order",
                 parameters={"dataset": "gone", "column": "x"}), False, ()),
    (Expectation(kind="foreign_key", column="customer",
                 parameters={"dataset": "churn@1", "other_share": 0.9}), True, ()),
    (Expectation(kind="freshness", column="sent", parameters={"hours": 1}), False, ()),
    (Expectation(kind="freshness", column="sent", parameters={"hours": 1_000_000}), True, ()),
    (Expectation(kind="distribution", column="customer", parameters={"reference": "churn"}),
     False, ()),
    (Expectation(kind="distribution", column="customer",
                 parameters={"reference": "churn", "measure": "ks", "maximum": 1}), True, ()),
    (Expectation(kind="range", column="placed", parameters={"maximum": "2026-01-03"}),
     False, (4,)),
    (Expectation(kind="range", column="placed", parameters={"minimum": "1999-01-01"}), True, ()),
    (Expectation(kind="rows", parameters={"maximum": 3}), False, ()),
    (Expectation(kind="sql", parameters={"condition": "amount > 0"}), False, (4,)),
    (Expectation(kind="sql", parameters={"condition": "amount > -10"}), True, ()),
    (Expectation(kind="sql", parameters={"query": "SELECT * FROM data WHERE amount > 100"}),
     True, ()),
    (Expectation(kind="sql", parameters={"query": "SELECT * FROM read_csv('/etc/passwd')"}),
     False, ()),
    (Expectation(kind="sql", parameters={"condition": "nothing > 1"}), False, ()),
]  # fmt: skip


def test_every_kind_finds_what_it_is_for(room: DataRoom, written: Written) -> None:
    room.datasets.add(OWNER, "churn", churn(written("churn.csv", customers(0, 60))))
    room.datasets.add(OWNER, "orders", churn(written("orders.csv", ORDERS), roles=Roles()))
    room.datasets.expect(OWNER, "orders", [item for item, _, _ in CASES])
    results = room.datasets.check(OWNER, "orders")
    found = [(result.kind, result.passed, result.rows) for result in results]
    assert found == [(item.kind, passed, rows) for item, passed, rows in CASES]
    assert all(result.message for result in results)


def test_a_new_version_is_checked_against_other_datasets(room: DataRoom, written: Written) -> None:
    room.datasets.add(OWNER, "churn", churn(written("churn.csv", customers(0, 60))))
    first = "\n".join(ORDERS.splitlines()[:4]) + "\n"
    room.datasets.add(OWNER, "orders", churn(written("orders.csv", first), roles=Roles()))
    key = Expectation(kind="foreign_key", column="customer", parameters={"dataset": "churn"})
    room.datasets.expect(OWNER, "orders", [key])
    added = room.datasets.add(OWNER, "orders", churn(written("all.csv", ORDERS), roles=Roles()))
    assert (added.state, added.checks[0].rows) == ("quarantined", (4,))


def test_every_kind_has_its_parameters() -> None:
    assert set(PARAMETERS) == set(EXPECTATION_KINDS)


@pytest.mark.parametrize(
    ("kind", "column", "parameters", "words"),
    [
        ("range", "", {}, "needs a column"),
        ("range", "age", {"minimum": "soon"}, "'minimum' is a number, or a time"),
        ("range", "age", {"minimum": 3, "maximum": 1}, "greater than the maximum"),
        ("range", "age", {"least": 3}, "no parameter 'least'"),
        ("rows", "", {"minimum": 2**70}, "'minimum' is beyond 64 bits"),
        ("range", "age", {"minimum": 10**400}, "'minimum' is beyond 64 bits"),
        ("duplicates", "", {"share": None}, "'share' is a share"),
        ("type", "age", {"type": "zzz"}, "'type' is one of integer, number"),
        ("columns", "", {"columns": {"age": "zzz"}}, "names columns with their types"),
        ("label", "left", {"values": [None]}, "'values' is a list of texts"),
        ("values", "age", {"values": [2**70]}, "'values' is a list of texts"),
        ("unique", "agee", {}, "no column 'agee'"),
        ("unique", "age", {"within": ["nope"]}, "no column 'nope'"),
        ("pattern", "code", {"pattern": "(["}, "can't be read"),
        ("pattern", "code", {"pattern": "(a+)+"}, "repetition"),
        ("missing", "age", {"share": 2}, "a share, 0 to 1"),
        ("compare", "age", {"other": "x", "operator": "~"}, "is one of"),
        ("foreign_key", "age", {}, "needs 'dataset'"),
        ("sql", "", {}, "either 'condition' or 'query'"),
        ("unique_together", "", {"columns": "a"}, "a list of columns"),
    ],
)
def test_nonsense_is_refused_with_its_place(
    kind: str, column: str, parameters: dict[str, object], words: str, room: DataRoom,
    written: Written,
) -> None:  # fmt: skip
    room.datasets.add(OWNER, "churn", churn(written("churn.csv", customers(0, 60))))
    asked = Expectation(kind=kind, column=column, parameters=parameters)
    with pytest.raises((BadExpectation, UnknownExpectation)) as caught:
        room.datasets.expect(OWNER, "churn", [asked])
    assert words in f"{caught.value.message} {caught.value.hint}"


PANDERA = {
    "schema_type": "dataframe",
    "version": "0.20.4",
    "columns": {
        "age": {
            "dtype": "int64", "nullable": False, "unique": False, "required": True, "regex": False,
            "checks": {"in_range": {"min_value": 0, "max_value": 120},
                       "greater_than": {"value": -1, "options": {"ignore_na": True}}},
        },
        "country": {
            "dtype": "str", "nullable": True, "required": True, "regex": False,
            "checks": [{"value": ["de", "fr"], "options": {"check_name": "isin"}},
                       {"value": 9, "options": {"check_name": "my_own"}}],
        },
        "mail": {"dtype": "string[python]", "nullable": True, "unique": True,
                 "checks": {"str_matches": "[a-z]+@", "str_length": {"min_value": 3,
                                                                     "max_value": None}}},
    },
    "unique": ["age", "mail"],
}  # fmt: skip

GX = {
    "name": "orders",
    "expectations": [
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "age",
                                                                   "mostly": 0.95}},
        {"expectation_type": "expect_column_values_to_be_between",
         "kwargs": {"column": "age", "min_value": 0, "max_value": 9, "strict_min": True}},
        {"type": "ExpectColumnValuesToBeInSet",
         "kwargs": {"column": "c", "value_set": ["a", 1]}},
        {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}},
        {"type": "expect_column_pair_values_a_to_be_greater_than_b",
         "kwargs": {"column_A": "a", "column_B": "b", "or_equal": True}},
        {"type": "expect_column_kl_divergence_to_be_less_than", "kwargs": {"column": "a"}},
    ],
}  # fmt: skip


def test_a_pandera_schema_becomes_expectations() -> None:
    found = read_suite(PANDERA)
    kinds = [(item.kind, item.column) for item in found.expectations]
    assert kinds == [
        ("columns", ""), ("missing", "age"), ("range", "age"), ("sql", ""), ("values", "country"),
        ("unique", "mail"), ("pattern", "mail"), ("length", "mail"), ("unique_together", ""),
    ]  # fmt: skip
    assert found.left_out == ("country: the check 'my_own'",) or "missing" in kinds[5]


def test_a_suite_of_great_expectations_becomes_expectations() -> None:
    found = read_suite(GX)
    assert [item.kind for item in found.expectations] == [
        "missing", "sql", "values", "rows", "compare",
    ]  # fmt: skip
    assert found.expectations[0].parameters == {"share": 0.05}
    assert found.left_out == ("a: expect_column_kl_divergence_to_be_less_than",)


@pytest.mark.parametrize("suite", [[], {"a": 1}, {"columns": {"a": 3}}, {"expectations": [1]}])
def test_what_is_no_suite_is_refused(suite: object) -> None:
    with pytest.raises(BadSuite):
        read_suite(suite)


def test_now_is_a_bound(room: DataRoom, written: Written) -> None:
    year = datetime.now(UTC).year + 3
    rows = "".join(f"{n},{year if n == 5 else 2020}-02-0{n}\n" for n in range(1, 8))
    room.datasets.add(OWNER, "days", churn(written("d.csv", "id,day\n" + rows), roles=Roles()))
    bound = Expectation(kind="range", column="day", parameters={"maximum": "now"})
    room.datasets.expect(OWNER, "days", [bound])
    [result] = room.datasets.check(OWNER, "days")
    assert (result.passed, result.rows) == (False, (5,))


def test_columns_may_be_called_what_the_checks_call_their_own(
    room: DataRoom, written: Written
) -> None:
    names = ["v", "r", "k", "n", "i", "h", "c0_known", "athanor_c0_finite", "athanor_row", "side",
             "row_number", "source", "athanor_row_", "b", "a"]  # fmt: skip

    def table(cities: tuple[str, ...], first: int) -> str:
        rows = [
            ",".join([str(n), cities[n % 3], *(str(n * 7 % 10 + 1) for _ in names)])
            for n in range(first, first + 120)
        ]
        return "\n".join([",".join(["id", "city", *names]), *rows]) + "\n"

    def add(text: str, name: str = "named") -> DatasetVersion:
        return room.datasets.add(OWNER, name, churn(written("t.csv", text), roles=Roles()))

    assert add(table(("paris", "rome", "oslo"), 0), "other").state == "ready"
    add(table(("paris", "rome", "oslo"), 0))
    second = add(table(("paris", "rome", "berlin"), 1000))
    assert second.state == "ready"
    kept = [
        *(Expectation(kind="range", column=name, parameters={"maximum": 9}) for name in names),
        Expectation(kind="foreign_key", column="k", parameters={"dataset": "other"}),
        Expectation(kind="foreign_key", column="id", parameters={"dataset": "other"}),
        Expectation(kind="distribution", column="v", parameters={"reference": "other"}),
        Expectation(kind="sql", parameters={"condition": "v < 10"}),
    ]
    room.datasets.expect(OWNER, "named", kept)
    third = add(table(("paris", "rome", "berlin"), 0).replace("0,paris", "7000,paris", 1))
    assert [check.passed for check in third.checks] == [False] * len(names) + [
        True, False, True, False
    ]  # fmt: skip
    assert all(check.rows[0] == 8 for check in third.checks[: len(names)])
    assert third.checks[-3].rows == (1,)
    assert third.checks[-1].rows[0] == 8


def test_an_expectation_that_nobody_understands_is_not_fulfilled(
    room: DataRoom, written: Written
) -> None:
    room.datasets.add(OWNER, "odd", churn(written("o.csv", "a,b\n1,x\n2,y\n"), roles=Roles()))
    asked = [
        Expectation(kind="duplicates", parameters={"share": "none"}),
        Expectation(kind="missing", column="a", parameters={"share": None}),
        Expectation(kind="range", column="b", parameters={"minimum": 1}),
    ]
    # Kept by an earlier release, which took more.
    room.store.set_expectations(room.datasets.dataset(OWNER, "odd").id, asked)
    told = room.datasets.check(OWNER, "odd")
    assert [check.passed for check in told] == [False, True, False]
    assert "can't be tried" in told[0].message


def test_whole_numbers_are_compared_as_whole_numbers(room: DataRoom, written: Written) -> None:
    text = "id\n9007199254740992\n9007199254740993\n9007199254740994\n"
    room.datasets.add(OWNER, "ids", churn(written("i.csv", text), roles=Roles()))
    exact = 9007199254740993
    asked = [
        Expectation(kind="range", column="id", parameters={"minimum": exact, "maximum": exact}),
        Expectation(kind="range", column="id", parameters={"minimum": 0.5, "maximum": 1e300}),
    ]
    room.datasets.expect(OWNER, "ids", asked)
    told = room.datasets.check(OWNER, "ids")
    assert [(check.passed, check.rows) for check in told] == [(False, (1, 3)), (True, ())]
    assert str(exact) in told[0].message


def test_ranges_of_decimals_are_exact(room: DataRoom, tmp_path: Path) -> None:
    """A DOUBLE does not tell the first two from the bounds."""
    values = ["0.1000000000000000000", "9007199254740993.0000000000000000001", "-1"]
    cells = [Decimal(value) for value in values]
    table = pa.table({"x": pa.array(cells, pa.decimal128(38, 19)), "n": [1, 2, 3]})
    pq.write_table(table, tmp_path / "a.parquet")
    room.datasets.add(OWNER, "exact", NewVersion(path=tmp_path / "a.parquet"))
    for low, high, rows in (
        (None, 9007199254740993, (2,)),
        (0.1, None, (3,)),
        (0.10000000000000001, 1e300, (3,)),
        (-1e300, 0.1, (2,)),
        (1e300, None, (1, 2, 3)),
    ):
        bounds = {"minimum": low, "maximum": high}
        told = {key: value for key, value in bounds.items() if value is not None}
        item = Expectation(kind="range", column="x", parameters=told)
        room.datasets.expect(OWNER, "exact", [item])
        [result] = room.datasets.check(OWNER, "exact")
        assert result.rows == rows, (low, high)
