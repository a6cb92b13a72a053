"""Recipes: saved, previewed, fitted, applied, exported, and run row by row."""

import hashlib
import re
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec

from athanor.data.errors.recipes import (
    BadRecipeName,
    BadRowCount,
    BadStep,
    NotFitted,
    RecipeNotFound,
)
from athanor.data.logic.recipes.functions import FUNCTIONS, WRITTEN_OUT
from athanor.data.logic.recipes.plans import catalogue, checked_names, others_of, unlearned
from athanor.data.logic.recipes.rows import RowRecipe
from athanor.data.service.datasets import Datasets
from athanor.data.service.ground import Ground
from athanor.data.service.intake import Order
from athanor.data.store.recipes import RecipeStore
from athanor.data.types import DatasetVersion, NewVersion
from athanor.data.types.recipes import (
    Applied,
    ApplyOrder,
    ExportForm,
    FittedRecipe,
    FunctionInfo,
    NewRecipe,
    OperationInfo,
    PreviewOrder,
    Recipe,
    RecipeCode,
    RecipePreview,
    Step,
    Verification,
)
from athanor.kernel import DEFAULT_PROJECT, Principal
from athanor.kernel.errors import NotFound
from athanor.lineage import Lineage, NewArtifact, NewRun

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,79}")
_MOST_ROWS = 10_000
_MEMORY_MB = 4_096


class Recipes:
    """Lists of typed operations on a dataset."""

    def __init__(
        self, store: RecipeStore, datasets: Datasets, lineage: Lineage, ground: Ground
    ) -> None:
        self._store = store
        self._datasets = datasets
        self._lineage = lineage
        self._ground = ground
        self._access = ground.access

    def operations(self, who: Principal) -> list[OperationInfo]:
        """All operations that a step may be."""
        self._access.require(who, "data.operations", "recipes")
        return catalogue()

    def functions(self, who: Principal) -> list[FunctionInfo]:
        """All functions of formulas."""
        self._access.require(who, "data.functions", "recipes")
        known = {name: item.words for name, item in FUNCTIONS.items() if name != "parsed_time"}
        found = sorted((known | dict(WRITTEN_OUT)).items())
        return [FunctionInfo(name=name, words=words) for name, words in found]

    def save(
        self, who: Principal, name: str, new: NewRecipe, *, project: str = DEFAULT_PROJECT
    ) -> Recipe:
        """Keep steps as the next version of a recipe; equal steps keep the version they have.

        Raises: BadRecipeName, UnknownOperation, BadStep.
        """
        self._access.require(who, "data.save", name)
        if not _NAME.fullmatch(name):
            raise BadRecipeName(name)
        checked_names(new.steps)
        digest = _digest(new.steps)
        with self._ground.database.transaction():
            latest = self._store.find_recipe(project, name)
            if latest and latest.digest == digest and latest.description == new.description:
                return latest
            recipe = Recipe(
                name=name,
                number=self._store.next_recipe_number(project, name),
                steps=tuple(new.steps),
                description=new.description,
                digest=digest,
                created_at=self._ground.clock.now(),
                created_by=who.name,
            )
            self._store.append_recipe(project, recipe)
            detail = {"recipe": name, "version": recipe.number, "steps": len(recipe.steps)}
            self._ground.events.tell(who, "data.recipe.saved", name, detail, project=project)
        return recipe

    def recipes(self, who: Principal, *, project: str = DEFAULT_PROJECT) -> list[Recipe]:
        """The newest version of every recipe, by name."""
        self._access.require(who, "data.recipes", project)
        return self._store.list_recipes(project)

    def recipe(self, who: Principal, reference: str, *, project: str = DEFAULT_PROJECT) -> Recipe:
        """The version that NAME, NAME@latest or NAME@2 means.

        Raises: RecipeNotFound.
        """
        self._access.require(who, "data.recipe", reference)
        return self._recipe(project, reference)

    def history(self, who: Principal, name: str, *, project: str = DEFAULT_PROJECT) -> list[Recipe]:
        """All versions of a recipe, newest first.

        Raises: RecipeNotFound.
        """
        self._access.require(who, "data.history", name)
        found = self._store.list_recipes(project, name)
        if not found:
            raise self._unknown(project, name)
        return found

    def remove(self, who: Principal, name: str, *, project: str = DEFAULT_PROJECT) -> None:
        """List a recipe no more; what was made with it stays, and finds its version by number.

        Raises: RecipeNotFound.
        """
        self._access.require(who, "data.remove", name)
        with self._ground.database.transaction():
            if not self._store.remove_recipe(project, name):
                raise self._unknown(project, name)
            detail = {"recipe": name}
            self._ground.events.tell(who, "data.recipe.removed", name, detail, project=project)

    def preview(
        self, who: Principal, order: PreviewOrder, *, project: str = DEFAULT_PROJECT
    ) -> RecipePreview:
        """Try a recipe on a sample: what each step does to rows, columns and figures.

        Raises: RecipeNotFound, DatasetNotFound, UnknownOperation, BadStep, BadRowCount.
        """
        self._access.require(who, "data.preview", order.dataset)
        if not 1 <= order.sample <= 1_000_000 or not 0 <= order.rows <= 100:
            raise BadRowCount("A preview looks at 1 to 1,000,000 rows and shows 0 to 100.")
        steps = self._recipe(project, order.recipe).steps if order.recipe else order.steps
        if order.upto is not None:
            if not 0 <= order.upto <= len(steps):
                raise BadStep(order.upto, "", f"the recipe has {len(steps)} steps.")
            steps = steps[: order.upto]
        version = self._datasets.version(who, order.dataset, project=project)
        work = self._work(who, steps, version, project)
        found = self._call("preview", work | {"sample": order.sample, "shown": order.rows})
        told = found | {"dataset": f"{version.dataset}@{version.number}"}
        return msgspec.convert(told, RecipePreview)

    def fit(
        self, who: Principal, reference: str, dataset: str, *, project: str = DEFAULT_PROJECT
    ) -> FittedRecipe:
        """Let a recipe learn from a dataset; what it learnt is kept as an artifact.

        Raises: RecipeNotFound, DatasetNotFound, BadStep, RecipeFailed.
        """
        self._access.require(who, "data.fit", reference)
        recipe = self._recipe(project, reference)
        version = self._datasets.version(who, dataset, project=project)
        found = self._call("fit", self._work(who, recipe.steps, version, project))
        with self._ground.database.transaction():
            return self._kept(who, recipe, version, found, project)

    def fitted(self, who: Principal, fitted_id: str) -> FittedRecipe:
        """A fitted recipe by the id of its artifact.

        Raises: RecipeNotFound.
        """
        self._access.require(who, "data.fitted", fitted_id)
        return self._fitted(who, fitted_id)

    def transform(
        self, who: Principal, fitted_id: str, rows: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Prepare rows one by one, as serving does: at most 10,000.

        Raises: RecipeNotFound, NotByRow, UnfitRow, BadRowCount.
        """
        self._access.require(who, "data.transform", fitted_id)
        if len(rows) > _MOST_ROWS:
            raise BadRowCount(f"{len(rows)} rows were given; {_MOST_ROWS} are the most.")
        prepared = RowRecipe(self._fitted(who, fitted_id))(rows)
        return [{name: _shown(value) for name, value in row.items()} for row in prepared]

    def apply(
        self, who: Principal, reference: str, order: ApplyOrder, *, project: str = DEFAULT_PROJECT
    ) -> Applied:
        """Make a table of a dataset: the next version of another dataset, or a table of its own.

        What it learns, it learns from `learned_from`, or from the dataset itself.
        Raises: RecipeNotFound, DatasetNotFound, BadStep, RecipeFailed, UnknownColumn.
        """
        self._access.require(who, "data.apply", reference)
        recipe = self._recipe(project, reference)
        version = self._datasets.version(who, order.dataset, project=project)
        return self._applied(who, recipe, version, order, project)

    def export(
        self,
        who: Principal,
        reference: str,
        dataset: str,
        form: ExportForm = "sql",
        *,
        project: str = DEFAULT_PROJECT,
    ) -> RecipeCode:
        """A recipe as SQL, as a pandas script, or as the JSON of what it learnt.

        What it learns, it learns from the dataset; the code holds what was learnt as values.
        Raises: RecipeNotFound, DatasetNotFound, BadStep, RecipeFailed.
        """
        self._access.require(who, "data.export", reference)
        recipe = self._recipe(project, reference)
        version = self._datasets.version(who, dataset, project=project)
        work = self._work(who, recipe.steps, version, project)
        name = f"{recipe.name}@{recipe.number}"
        if form == "json":
            found = self._call("fit", work)
            fitted = _fitted(recipe, version, found)
            code = msgspec.json.format(msgspec.json.encode(fitted), indent=2).decode() + "\n"
        else:
            title = f"Recipe {name} on {version.dataset}@{version.number}"
            code = self._call("compiled", work | {"form": form, "title": title})
        ending = {"sql": "sql", "pandas": "py", "json": "json"}[form]
        return RecipeCode(recipe=name, form=form, file=f"{recipe.name}.{ending}", code=code)

    def verify(
        self, who: Principal, reference: str, dataset: str, *, project: str = DEFAULT_PROJECT
    ) -> Verification:
        """Carry a recipe out as SQL, as pandas and row by row, and compare the digests.

        Raises: RecipeNotFound, DatasetNotFound, BadStep, RecipeFailed.
        """
        self._access.require(who, "data.verify", reference)
        recipe = self._recipe(project, reference)
        version = self._datasets.version(who, dataset, project=project)
        found = self._call("verify", self._work(who, recipe.steps, version, project))
        names = {"recipe": f"{recipe.name}@{recipe.number}",
                 "source": f"{version.dataset}@{version.number}"}  # fmt: skip
        equal = found["sql"] == found["pandas"] == found["by_row"]
        return msgspec.convert(names | found | {"equal": equal}, Verification)

    def _applied(
        self,
        who: Principal,
        recipe: Recipe,
        version: DatasetVersion,
        order: ApplyOrder,
        project: str,
    ) -> Applied:
        teacher, learned = version, {}
        if order.fitted:
            fitted = self._fitted(who, order.fitted)
            if fitted.steps != recipe.steps:
                raise NotFitted(recipe.name, unlearned(recipe.steps, {}))
            learned = fitted.learned
        elif order.learned_from:
            teacher = self._datasets.version(who, order.learned_from, project=project)
            taught = self._call("fit", self._work(who, recipe.steps, teacher, project))
            learned = taught["learned"]
        work = self._work(who, recipe.steps, version, project, learned)
        with self._ground.scratch() as scratch:
            path = scratch / "made.parquet"
            found = self._call("apply", work | {"into": str(path)})
            title = f"{recipe.name}@{recipe.number} of {version.dataset}@{version.number}"
            blob = self._ground.storage.put_file(path)
            with self._ground.database.transaction():
                run = self._lineage.start_run(
                    who, NewRun(kind="recipe", name=title, project=project,
                                labels={"recipe": recipe.name})
                )  # fmt: skip
                self._lineage.consumed(who, run.id, version.artifact_id, "dataset")
                kept = self._kept(who, recipe, teacher, found, project)
                self._lineage.produced(who, run.id, kept.artifact_id, "recipe")
                about = Applied(
                    recipe=kept.recipe,
                    source=f"{version.dataset}@{version.number}",
                    learned_from=kept.learned_from,
                    rows=found["rows"],
                    digest=found["digest"],
                    run_id=run.id,
                    fitted_id=kept.artifact_id,
                )
                if not order.into:
                    made = self._lineage.record(
                        who,
                        NewArtifact(type="table", name=title, uri=blob.uri, digest=blob.digest,
                                    size=blob.size, project=project,
                                    metadata={"rows": found["rows"], "digest": found["digest"]}),
                    )  # fmt: skip
                    self._lineage.produced(who, run.id, made.id, "table")
                    self._lineage.finish_run(who, run.id)
                    return replace(about, artifact_id=made.id)
            return self._added(who, order.into, path, about, project)

    def _added(
        self, who: Principal, into: str, path: Path, about: Applied, project: str
    ) -> Applied:
        """The table as the next version of a dataset, behind the run of the recipe."""

        def told(made: DatasetVersion) -> None:
            self._lineage.produced(who, about.run_id, made.source.artifact_id, "table")
            self._lineage.finish_run(who, about.run_id)

        new = NewVersion(path=path, file_name=f"{about.recipe.partition('@')[0]}.parquet")
        try:
            order = Order(who=who, project=project, name=into, new=new)
            made = self._datasets.intake.take(order, told)
        except BaseException:
            self._lineage.finish_run(who, about.run_id, "failed")
            raise
        return replace(
            about,
            dataset=f"{made.dataset}@{made.number}",
            state=made.state,
            artifact_id=made.artifact_id,
        )

    def _kept(
        self,
        who: Principal,
        recipe: Recipe,
        version: DatasetVersion,
        found: dict[str, Any],
        project: str,
    ) -> FittedRecipe:
        fitted = _fitted(recipe, version, found)
        blob = self._ground.storage.put_bytes(msgspec.json.encode(fitted))
        made = self._lineage.record(
            who,
            NewArtifact(type="recipe", name=fitted.recipe, uri=blob.uri, digest=blob.digest,
                        size=blob.size, project=project,
                        metadata={"recipe": fitted.recipe, "learned_from": fitted.learned_from}),
        )  # fmt: skip
        return replace(fitted, artifact_id=made.id, digest=blob.digest)

    def _fitted(self, who: Principal, fitted_id: str) -> FittedRecipe:
        try:
            found = self._lineage.artifact(who, fitted_id)
        except NotFound:
            raise RecipeNotFound(fitted_id) from None
        if found.type != "recipe":
            raise RecipeNotFound(fitted_id)
        stored = self._ground.storage.read(found.digest)
        fitted = msgspec.json.decode(stored, type=FittedRecipe)
        return replace(fitted, artifact_id=found.id, digest=found.digest)

    def _work(
        self,
        who: Principal,
        steps: tuple[Step, ...],
        version: DatasetVersion,
        project: str,
        learned: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """What the worker needs; the other datasets' versions are pinned now."""
        others = {
            reference: table_of(self._datasets.version(who, reference, project=project))
            for reference in others_of(steps)
        }
        return {
            "work": {
                "steps": msgspec.to_builtins(steps),
                "table": table_of(version),
                "others": others,
                "learned": learned or {},
                "memory_mb": _MEMORY_MB,
            }
        }

    def _call(self, function: str, payload: dict[str, Any]) -> Any:
        return self._ground.workers.call(f"athanor.data.work.recipes:{function}", payload)

    def _recipe(self, project: str, reference: str) -> Recipe:
        name, _, rest = reference.partition("@")
        number: int | None = None
        if rest not in {"", "latest"}:
            bare = rest.removeprefix("v")
            if not bare.isdecimal() or len(bare) > 9:
                raise self._unknown(project, reference)
            number = int(bare)
        found = self._store.find_recipe(project, name, number)
        if found is None:
            raise self._unknown(project, reference)
        return found

    def _unknown(self, project: str, reference: str) -> RecipeNotFound:
        known = [recipe.name for recipe in self._store.list_recipes(project)]
        return RecipeNotFound(reference, known)


def table_of(version: DatasetVersion) -> dict[str, Any]:
    """Where a version lies, as workers know it."""
    uri = version.table_uri.rstrip("/")
    return {
        "name": f"{version.dataset}@{version.number}",
        "files": [f"{uri}/{file}" for file in version.files],
    }


def _fitted(recipe: Recipe, version: DatasetVersion, found: dict[str, Any]) -> FittedRecipe:
    return msgspec.convert(
        {
            "recipe": f"{recipe.name}@{recipe.number}",
            "steps": msgspec.to_builtins(recipe.steps),
            "source": found["source"],
            "columns": found["columns"],
            "learned": found["learned"],
            "learned_from": f"{version.dataset}@{version.number}" if found["learned"] else "",
        },
        FittedRecipe,
    )


def _digest(steps: tuple[Step, ...]) -> str:
    encoded = msgspec.json.encode(list(steps), order="sorted")
    return f"sha256:{hashlib.sha256(encoded).hexdigest()}"


def _shown(value: Any) -> Any:
    return value.isoformat() if isinstance(value, (date, datetime)) else value
