"""A recipe in front of a model: what it makes of a record is what training had."""

import io
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from athanor.data import (
    PREPARING,
    NewVersion,
    Preparations,
    Recipes,
    Roles,
    SqlRecipeStore,
    preparer,
)
from athanor.data.errors.recipes import NotByRow, RecipeGivesNot, RecipeNotOfModel, RowsDiffer
from athanor.data.logic.recipes.serving import CODE_FILE, RECIPE_FILE
from athanor.data.preparing import Preparation
from athanor.data.types.recipes import ApplyOrder, NewRecipe, Step
from athanor.data.work import recipes as work
from athanor.kernel.permissions import OWNER
from athanor.lineage import NewArtifact, NewRun
from athanor.registry.logic.pickles import FolderFile, scan
from athanor.serving.runtimes.python import is_recipe
from athanor.testing.data import DataRoom
from tests.data.conftest import HereWorkers

STEPS = (
    Step(operation="fill_learned", parameters={"columns": ["income"], "statistic": "mean"}),
    Step(operation="filter", parameters={"condition": "age < 70"}),
    Step(operation="formula", parameters={"name": "ratio", "formula": "income / (age - 18)"}),
    Step(operation="scale", parameters={"columns": ["income"]}),
    Step(operation="formula", parameters={"name": "town", "formula": "lower(trim(city))"}),
    Step(operation="formula", parameters={"name": "year", "formula": "year(joined)"}),
    Step(operation="drop", parameters={"columns": ["city"]}),
)
READS = ["income", "ratio", "town", "year"]


@dataclass
class Made:
    """A model that was trained on what a recipe made."""

    room: DataRoom
    recipes: Recipes
    preparations: Preparations
    model: str

    def prepared(self, recipe: str = "clean", reads: list[str] | None = None) -> Preparation:
        return self.preparations.prepared(
            OWNER, recipe, model=self.model, reads=reads or READS, project="default"
        )


@pytest.fixture
def made(room: DataRoom, tmp_path: Path) -> Made:
    chance = random.Random(4)
    path = tmp_path / "people.csv"
    lines = ["id,joined,city,income,age,left"]
    for number in range(300):
        city = chance.choice(["Lyon ", "PARIS", "", "Nice", "Besançon"])
        income = chance.choice(["", f"{chance.random() * 5000:.2f}"])
        day = f"202{number % 5}-0{1 + number % 9}-1{number % 9}"
        lines.append(f"{number},{day},{city},{income},{chance.randint(18, 80)},{number % 2}")
    path.write_text("\n".join(lines) + "\n")
    room.datasets.add(OWNER, "people", NewVersion(path=path, roles=Roles(id="id")))
    ground = room.datasets.ground
    recipes = Recipes(SqlRecipeStore(room.database), room.datasets, room.lineage, ground)
    recipes.save(OWNER, "clean", NewRecipe(steps=STEPS))
    applied = recipes.apply(OWNER, "clean", ApplyOrder(dataset="people", into="prepared"))
    run = room.lineage.start_run(OWNER, NewRun(kind="training", name="t"))
    room.lineage.consumed(OWNER, run.id, applied.artifact_id, "dataset")
    model = room.lineage.record(
        OWNER, NewArtifact(type="model", name="m", uri="x:", digest="sha256:" + "0" * 64)
    )
    room.lineage.produced(OWNER, run.id, model.id, "model")
    preparations = Preparations(recipes, room.datasets, room.lineage, HereWorkers())
    return Made(room, recipes, preparations, model.id)


def test_records_become_what_training_had(made: Made, tmp_path: Path) -> None:
    found = made.prepared("clean@1")
    kinds = {"joined": "datetime", "city": "string", "income": "double", "age": "long"}
    assert (dict(found.inputs), found.compared) == (kinds, 300)
    (tmp_path / RECIPE_FILE).write_text(found.files[RECIPE_FILE])
    prepare = preparer(tmp_path / RECIPE_FILE)
    raw = {row["id"]: row for row in made.room.datasets.rows(OWNER, "people", limit=300)}
    for row in made.room.datasets.rows(OWNER, "prepared", limit=300):
        sent: dict[str, Any] = {name: raw[row["id"]][name] for name in kinds}
        sent["joined"] = str(sent["joined"])
        assert prepare([sent]) == [{name: row[name] for name in READS}]


def test_features_that_the_recipe_does_not_give_pass_it_by(made: Made, tmp_path: Path) -> None:
    found = made.preparations.prepared(
        OWNER,
        "clean",
        model=made.model,
        reads=["town", "visits"],
        beside={"visits"},
        project="default",
    )
    assert ([name for name, _ in found.inputs], found.beside) == (["city"], ("visits",))
    (tmp_path / RECIPE_FILE).write_text(found.files[RECIPE_FILE])
    prepare = preparer(tmp_path / RECIPE_FILE)
    assert prepare([{"city": "PARIS", "visits": 3}, {"city": "Lyon "}]) == [
        {"town": "paris", "visits": 3},
        {"town": "lyon", "visits": None},
    ]


def test_what_stands_around_the_model_needs_nobodys_consent(made: Made, tmp_path: Path) -> None:
    files = {f"code/{name}": text for name, text in made.prepared().files.items()}

    def scanned(**more: str) -> str:
        texts = (files | more).items()
        for name, text in texts:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        folder = [
            FolderFile(path=name, size=len(text), open=lambda text=text: io.BytesIO(text.encode()))  # type: ignore[misc]
            for name, text in texts
        ]
        return scan(folder).level

    assert (scanned(), is_recipe(tmp_path)) == ("safe", True)
    other = {f"code/{CODE_FILE}": PREPARING + "import os\n"}
    assert (scanned(**other), is_recipe(tmp_path)) == ("unknown", False)


def test_a_recipe_that_does_not_fit_is_refused(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecipeGivesNot, match="'city'"):
        made.prepared(reads=["city", "income"])
    made.recipes.save(OWNER, "other", NewRecipe(steps=STEPS[:1]))
    with pytest.raises(RecipeNotOfModel, match="'other' did not make"):
        made.prepared("other")
    fitted = made.recipes.fit(OWNER, "other", "people")
    assert made.prepared(fitted.artifact_id, ["income"]).recipe == "other@1"
    before = {"column": "age", "name": "before", "by": ["id"]}
    steps = (*STEPS[:1], Step(operation="previous", parameters=before))
    made.recipes.save(OWNER, "late", NewRecipe(steps=steps))
    late = made.recipes.fit(OWNER, "late", "people")
    with pytest.raises(NotByRow):
        made.prepared(late.artifact_id, ["income"])
    monkeypatch.setattr(work, "by_rows", lambda _, like: like.take([*range(1, 300), 0]))
    with pytest.raises(RowsDiffer, match="300 of 300"):
        made.prepared()


def test_what_it_stands_on_is_kept_in_full(made: Made) -> None:
    told = msgspec.json.decode(made.prepared().files[RECIPE_FILE])
    assert told["fitted"]["recipe"] == "clean@1"
    assert told["gives"] == READS
