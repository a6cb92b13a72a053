"""Recipes on real tables: SQL, pandas and the row-by-row form give one digest; so does serving."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from athanor.data import NewVersion, Roles
from athanor.data.logic.recipes.rows import RowRecipe
from athanor.data.service.recipes import Recipes
from athanor.data.store.recipes import SqlRecipeStore
from athanor.data.types.recipes import ApplyOrder, NewRecipe, Step
from athanor.data.work.recipes import Kitchen, Table, Work, preview
from athanor.kernel import OWNER
from athanor.testing.data import DataRoom

RECIPES: dict[str, tuple[str, list[dict[str, dict[str, Any]]]]] = {
    "bank": ("bank_churners/BankChurners.csv", [
        {"make_missing": {"columns": ["Education_Level", "Marital_Status"], "values": ["Unknown"]}},
        {"fill_learned": {"columns": ["Education_Level"], "statistic": "mode"}},
        {"formula": {"name": "each", "formula": "Total_Trans_Amt / Total_Trans_Ct"}},
        {"scale": {"columns": ["Customer_Age", "Credit_Limit", "each"]}},
        {"encode_onehot": {"column": "Gender"}},
        {"encode_target": {"column": "Card_Category", "target": "Attrition_Flag",
                           "positive": "Attrited Customer"}},
        {"bin_learned": {"column": "Months_on_book", "bins": 5, "name": "months"}},
        {"flag_outliers": {"columns": ["Avg_Open_To_Buy"]}},
    ]),
    "adult": ("adult/adult_train.csv.gz", [
        {"trim": {"columns": ["workclass", "education"]}},
        {"group_rare": {"column": "native_country", "share": 0.01}},
        {"sample": {"share": 0.2, "seed": 4}},
        {"filter": {"condition": "age >= 18 and hours_per_week between 10 and 80"}},
        {"group_value": {"by": ["education"], "column": "hours_per_week", "function": "mean",
                         "name": "usual"}},
        {"window": {}},
    ]),
    "taxis": ("nyc_taxis/taxis.csv", [
        {"time_difference": {"start": "pickup", "end": "dropoff", "unit": "minutes",
                             "name": "minutes"}},
        {"time_parts": {"column": "pickup", "parts": ["hour", "weekday", "weekend"]}},
        {"to_instant": {"column": "pickup", "zone": "America/New_York", "name": "at"}},
        {"cycle": {"column": "pickup_hour", "period": 24}},
        {"group": {"by": ["pickup_borough", "payment"], "aggregates": [
            {"column": "fare", "function": "sum"}, {"column": "fare", "function": "sd"},
            {"column": "tip", "function": "median"}, {"column": "minutes", "function": "mean"}]}},
        {"sort": {"by": [{"column": "fare_sum", "descending": True}]}},
    ]),
    "birds": ("birdstrikes/birdstrikes.csv", [
        {"clean_text": {"columns": ["#0"]}},
        {"measure_text": {"column": "#0", "what": "words", "name": "words"}},
        {"encode_frequency": {"column": "#1", "name": "share"}},
        {"deduplicate": {"columns": ["#0", "#1"]}},
        {"rank": {"column": "#0", "name": "place"}},
    ]),
    "bikes": ("bike_sharing/hour.csv", [
        {"round": {"columns": ["temp", "hum"], "decimals": 1}},
        {"previous": {"column": "cnt", "name": "before", "by": ["hr"]}},
        {"rolling": {"column": "cnt", "name": "smooth", "function": "mean", "rows": 24}},
        {"limit": {"rows": 3000}},
        {"pivot": {"by": ["season"], "column": "weathersit", "value": "temp", "function": "mean",
                   "prefix": "w"}},
    ]),
}  # fmt: skip


@pytest.fixture
def recipes(room: DataRoom) -> Recipes:
    ground = room.sql._ground
    return Recipes(SqlRecipeStore(room.database), room.datasets, room.lineage, ground)


def with_commas(path: Path, into: Path) -> Path:
    """A German's copy: semicolons between, commas in numbers."""
    text = path.read_text("utf-8")
    made = into / "commas.csv"
    made.write_text(text.replace(",", ";").replace(".", ","))
    return made


def added(room: DataRoom, name: str, data_folder: Path, into: Path) -> list[Step]:
    file, listed = RECIPES[name]
    path = data_folder / file
    if name == "bikes":
        path = with_commas(path, into)
    new = NewVersion(path=path, file_name=path.name, roles=Roles())
    version = room.datasets.add(OWNER, name, new)
    texts = [column.name for column in version.columns if column.type == "text"]
    told = json.dumps(listed)
    for place, text in enumerate(texts[:2]):
        told = told.replace(f"#{place}", text)
    return [
        Step(operation=operation, parameters=given)
        for step in json.loads(told)
        for operation, given in step.items()
        if operation != "window"
    ]


@pytest.mark.parametrize("name", ["taxis", "bank"])
def test_the_forms_agree_on_real_tables(
    name: str, room: DataRoom, recipes: Recipes, data_folder: Path, tmp_path: Path
) -> None:
    found = agreed(name, room, recipes, data_folder, tmp_path)
    assert found


@pytest.mark.soak
@pytest.mark.parametrize("name", ["adult", "birds", "bikes"])
def test_the_forms_agree_on_all_real_tables(
    name: str, room: DataRoom, recipes: Recipes, data_folder: Path, tmp_path: Path
) -> None:
    assert agreed(name, room, recipes, data_folder, tmp_path)


def agreed(name: str, room: DataRoom, recipes: Recipes, data_folder: Path, tmp_path: Path) -> bool:
    steps = added(room, name, data_folder, tmp_path)
    recipes.save(OWNER, name, NewRecipe(steps=tuple(steps)))
    found = recipes.verify(OWNER, name, name)
    applied = recipes.apply(OWNER, name, ApplyOrder(dataset=name))
    assert (found.sql, found.pandas, found.by_row) == (applied.digest,) * 3
    return found.equal and found.rows > 0


def test_what_was_learnt_prepares_rows_as_it_prepared_the_table(
    room: DataRoom, recipes: Recipes, data_folder: Path, tmp_path: Path
) -> None:
    steps = added(room, "bank", data_folder, tmp_path)
    recipes.save(OWNER, "bank", NewRecipe(steps=tuple(steps)))
    done = recipes.apply(OWNER, "bank", ApplyOrder(dataset="bank", into="prepared"))
    assert done.dataset == "prepared@1"
    fitted = recipes.fitted(OWNER, done.fitted_id)
    rows = room.datasets.rows(OWNER, "bank", limit=100)
    assert RowRecipe(fitted)(rows) == room.datasets.rows(OWNER, "prepared", limit=100)
    graph = room.lineage.trace(OWNER, done.artifact_id, "up")
    source = room.datasets.version(OWNER, "bank").artifact_id
    assert source in {node.id for node in graph.nodes}


def test_a_preview_looks_at_as_many_rows_as_are_asked_for(tmp_path: Path) -> None:
    pq.write_table(pa.table({"place": range(101)}), tmp_path / "t.parquet")
    table = Table(name="t@1", files=(str(tmp_path / "t.parquet"),))
    for sample, rows in ((100, 100), (90, 90), (51, 51), (3, 3), (1, 1), (101, 101), (500, 101)):
        with Kitchen(Work(steps=(), table=table, others={}, learned={}), sample) as kitchen:
            query = "SELECT list(place ORDER BY place) FROM input"
            [(found,)] = kitchen.connection.execute(query).fetchall()
        assert (kitchen.rows, len(found), len(set(found)), found[0]) == (rows, rows, rows, 0)


def test_a_preview_takes_no_rounding_for_a_change(tmp_path: Path) -> None:
    pq.write_table(pa.table({"fare": [0.1 * n for n in range(20_000)]}), tmp_path / "t.parquet")
    table = Table(name="t@1", files=(str(tmp_path / "t.parquet"),))
    steps = (
        Step(operation="formula", parameters={"name": "rate", "formula": "1 / fare"}),
        Step(operation="filter", parameters={"condition": "fare >= 0"}),
    )
    work = Work(steps=steps, table=table, others={}, learned={})
    made, kept = preview(msgspec.to_builtins(work), 20_000, 1)["steps"]
    assert [(item["column"], item["missing_after"]) for item in made["columns"]] == [("rate", 1)]
    assert list(kept["columns"]) == []
