"""A table's columns may be called as a recipe's queries call things in passing."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from athanor.data.errors.recipes import BadStep
from athanor.data.logic.recipes.operations import OPERATIONS
from athanor.data.types.recipes import Step
from tests.data.recipes.tables import kitchen, random_table, same, second_table, three_forms

_NAMES = (
    "i", "k", "v", "p", "n", "x", "t", "a", "l", "r", "m", "w", "k0", "all_n", "parts", "rank",
    "row", "rowid", "value", "name", "count", "side", "place", "made", "source", "step_1", "range",
    "key", "rows", "__row", "__n", "{0}", 'quo"te',
)  # fmt: skip


def among_names(table: pa.Table, names: tuple[str, ...]) -> pa.Table:
    """The table with columns of these names, as far as it has none."""
    for place, name in enumerate(names):
        if name not in table.column_names:
            cells = [(row * 7 + place) % 5 for row in range(table.num_rows)]
            table = table.append_column(name, pa.array(cells, pa.int64()))
    return table


def compare(
    folder: Path, name: str, parameters: dict[str, Any], every: tuple[str, ...] = _NAMES
) -> None:
    taken = {str(value) for value in parameters.values()}
    names = tuple(item for item in every if item not in taken)
    if name == "unpivot":
        names = tuple(item for item in names if item not in {"name", "value"})
    other = second_table(1)
    known = kitchen(
        folder, [Step(operation=name, parameters=parameters)], random_table(1, 30), other
    )
    with known:
        expected = [step.learned for step in known.steps()]
    made = kitchen(
        folder,
        [Step(operation=name, parameters=parameters)],
        among_names(random_table(1, 30), names),
        among_names(other, ("i", "k", "l", "r", "side")),
    )
    sql, pandas, by_row = three_forms(made)
    assert same(sql, pandas) == ""
    assert same(sql, by_row) == ""
    with kitchen(
        folder,
        [Step(operation=name, parameters=parameters)],
        among_names(random_table(1, 30), names),
        other,
    ) as again:
        assert [step.learned for step in again.steps()] == expected


@pytest.mark.parametrize("name", ["explode", "unpivot", "group", "encode_frequency"])
def test_no_column_is_mistaken_for_another(name: str, tmp_path: Path) -> None:
    compare(tmp_path, name, dict(OPERATIONS[name].cases[0]), ("i", "k", "v", "p", "n", "parts"))


@pytest.mark.soak
@pytest.mark.parametrize("name", list(OPERATIONS))
def test_no_operation_mistakes_a_column_for_another(name: str, tmp_path: Path) -> None:
    for parameters in OPERATIONS[name].cases:
        compare(tmp_path, name, dict(parameters))


@pytest.mark.parametrize("step", [
    Step(operation="rename", parameters={"names": {"key": "__Athanor_row"}}),
    Step(operation="formula", parameters={"name": "__athanor_row", "formula": "1"}),
    Step(operation="group", parameters={"aggregates": [
        {"function": "rows", "name": "__athanor_row"}]}),
])  # fmt: skip
def test_the_recipes_own_names_are_refused(step: Step, tmp_path: Path) -> None:
    with (
        kitchen(tmp_path, [step], random_table(1, 3), second_table(1)) as made,
        pytest.raises(BadStep, match="can't name a column"),
    ):
        made.steps()


def test_a_table_with_one_of_the_recipes_own_names_is_refused(tmp_path: Path) -> None:
    step = Step(operation="limit", parameters={"rows": 1})
    table = among_names(random_table(1, 3), ("__athanor_place",))
    with (
        kitchen(tmp_path, [step], table, second_table(1)) as made,
        pytest.raises(BadStep, match="'__athanor_place' can't name a column"),
    ):
        made.steps()
