"""Every operation's SQL, pandas code and row-by-row form give equal values, to the last bit."""

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest

from athanor.data.errors.recipes import BadStep
from athanor.data.logic.recipes.operations import OPERATIONS
from athanor.data.logic.recipes.plans import checked_names
from athanor.data.types.recipes import Step
from tests.data.recipes.tables import kitchen, random_table, same, second_table, three_forms


def cases(*, every: bool) -> list[tuple[str, int]]:
    return [
        (name, place)
        for name, operation in OPERATIONS.items()
        for place in range(len(operation.cases) if every else 1)
    ]


def compare(folder: Path, name: str, place: int, seed: int, rows: int) -> None:
    step = Step(operation=name, parameters=dict(OPERATIONS[name].cases[place]))
    made = kitchen(folder, [step], random_table(seed, rows), second_table(seed))
    try:
        sql, pandas, by_row = three_forms(made)
    except BadStep:
        # Only what learns from rows may find none to learn from.
        assert OPERATIONS[name].learn is not None
        assert rows == 0
        return
    assert same(sql, pandas) == ""
    assert same(sql, by_row) == ""


@pytest.mark.parametrize(("name", "place"), cases(every=False))
def test_the_forms_of_an_operation_agree(name: str, place: int, tmp_path: Path) -> None:
    compare(tmp_path, name, place, 1, 40)


@pytest.mark.parametrize("name", ["group", "pivot", "join", "fill_learned", "rolling", "bin"])
@pytest.mark.parametrize("rows", [0, 1])
def test_the_forms_agree_on_hardly_any_rows(name: str, rows: int, tmp_path: Path) -> None:
    compare(tmp_path, name, 0, 2, rows)


@pytest.mark.soak
@pytest.mark.parametrize(("name", "place"), cases(every=True))
def test_the_forms_of_every_case_agree(name: str, place: int, tmp_path: Path) -> None:
    for seed in range(20):
        folder = tmp_path / str(seed)
        folder.mkdir()
        compare(folder, name, place, 100 + seed, 0 if seed == 0 else 1 if seed == 1 else 80)


def test_the_forms_agree_at_the_least_whole_number(tmp_path: Path) -> None:
    least = -(1 << 63)
    table = pa.table({
        "number": pa.array([-9.223372036854775808e18, 9.223372036854775807e18, -1.5, None]),
        "whole": pa.array([least, (1 << 63) - 1, 1, None], pa.int64()),
        "at": pa.array([datetime(2024, 2, 29)] * 4, pa.timestamp("us")),
    })  # fmt: skip
    steps = [
        Step(operation="formula", parameters={"name": "near", "formula": "integer(number)"}),
        *(
            Step(operation="formula",
                 parameters={"name": unit, "formula": f"shift(at, whole, '{unit}')"})
            for unit in ("days", "years", "seconds")
        ),
    ]  # fmt: skip
    sql, pandas, by_row = three_forms(kitchen(tmp_path, steps, table, second_table(1)))
    assert same(sql, pandas) == ""
    assert same(sql, by_row) == ""
    assert sql["near"].to_pylist() == [least, None, -2, None]
    assert sql["days"].to_pylist() == [None, None, datetime(2024, 3, 1), None]


@pytest.mark.parametrize(
    "step",
    [
        Step(operation="formula", parameters={"name": "sum", "formula": "1" + "+1" * 4_000}),
        Step(operation="filter", parameters={"condition": "flag" + " and flag" * 101}),
        Step(operation="conditional", parameters={
            "name": "size", "rules": [{"when": "key > 0" + "+0" * 101, "then": 1}]}),
    ],
)  # fmt: skip
def test_a_formula_of_too_many_operators_is_refused_before_it_is_kept(step: Step) -> None:
    with pytest.raises(BadStep, match="more than 100 operators"):
        checked_names([step])


def test_a_formula_takes_a_hundred_operators(tmp_path: Path) -> None:
    formula = "+" * 2_000 + "abs(" * 30 + "+".join(["whole"] * 101) + ")" * 30
    step = Step(operation="formula", parameters={"name": "rest", "formula": formula})
    sql, pandas, by_row = three_forms(
        kitchen(tmp_path, [step], random_table(1, 5), second_table(1))
    )
    assert same(sql, pandas) == ""
    assert same(sql, by_row) == ""


def test_missing_cells_of_very_many_columns_are_looked_for(tmp_path: Path) -> None:
    table = pa.table({f"c{place}": [1.0, None] for place in range(210)})
    step = Step(operation="drop_missing", parameters={})
    sql, pandas, _ = three_forms(kitchen(tmp_path, [step], table, second_table(1)))
    assert same(sql, pandas) == ""
    assert sql.num_rows == 1


def test_very_many_columns_are_joined(tmp_path: Path) -> None:
    names = [f"c{place}" for place in range(1100)]
    table = pa.table({name: ["a", None] for name in names})
    step = Step(operation="concat", parameters={"columns": names, "separator": "", "name": "all"})
    sql, pandas, rows = three_forms(kitchen(tmp_path, [step], table, second_table(1)))
    assert same(sql, pandas) == same(sql, rows) == ""
    assert sql["all"].to_pylist() == ["a" * 1100, None]


def test_there_are_forty_operations_and_more() -> None:
    assert len(OPERATIONS) >= 70
    assert all(operation.cases for operation in OPERATIONS.values())
