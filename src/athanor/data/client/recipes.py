"""The verbs of recipes over a transport."""

from collections.abc import Mapping, Sequence
from typing import Any

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
from athanor.kernel import Transport
from athanor.kernel.transport import segment

Steps = Sequence[Step | Mapping[str, Any]]
"""Steps as records, or as {"operation": ..., "parameters": {...}}, or shorter as
{"fill": {"columns": ["age"], "value": 0}}."""


class RecipesClient:
    """Lists of typed operations on a dataset."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def operations(self) -> list[OperationInfo]:
        """All operations that a step may be."""
        return self._transport.send("GET", "/recipe-operations").read(list[OperationInfo])

    def functions(self) -> list[FunctionInfo]:
        """All functions of formulas."""
        return self._transport.send("GET", "/recipe-functions").read(list[FunctionInfo])

    def save(self, name: str, steps: Steps, *, description: str = "") -> Recipe:
        """Keep steps as the next version of a recipe."""
        body = NewRecipe(steps=as_steps(steps), description=description)
        return self._transport.send("PUT", f"/recipes/{segment(name)}", body=body).read(Recipe)

    def recipes(self) -> list[Recipe]:
        """The newest version of every recipe, by name."""
        return self._transport.send("GET", "/recipes").read(list[Recipe])

    def recipe(self, reference: str) -> Recipe:
        """The version that NAME, NAME@latest or NAME@2 means."""
        return self._transport.send("GET", _path(reference)).read(Recipe)

    def history(self, name: str) -> list[Recipe]:
        """All versions of a recipe, newest first."""
        found = self._transport.send("GET", f"/recipes/{segment(name)}/versions")
        return found.read(list[Recipe])

    def remove(self, name: str) -> None:
        """List a recipe no more."""
        self._transport.send("DELETE", f"/recipes/{segment(name)}")

    def preview(
        self,
        recipe: str | Steps,
        dataset: str,
        *,
        upto: int | None = None,
        sample: int = 10_000,
        rows: int = 20,
    ) -> RecipePreview:
        """Try a saved recipe, or steps, on a sample of a dataset."""
        named = isinstance(recipe, str)
        body = PreviewOrder(
            dataset=dataset,
            recipe=recipe if isinstance(recipe, str) else "",
            steps=() if named else as_steps(recipe),  # type: ignore[arg-type]
            upto=upto,
            sample=sample,
            rows=rows,
        )
        return self._transport.send("POST", "/recipe-previews", body=body).read(RecipePreview)

    def fit(self, reference: str, dataset: str) -> FittedRecipe:
        """Let a recipe learn from a dataset."""
        answer = self._transport.send(
            "POST", f"{_path(reference)}/fits", query={"dataset": dataset}
        )
        return answer.read(FittedRecipe)

    def fitted(self, fitted_id: str) -> FittedRecipe:
        """A fitted recipe by the id of its artifact."""
        found = self._transport.send("GET", f"/fitted-recipes/{segment(fitted_id)}")
        return found.read(FittedRecipe)

    def transform(self, fitted_id: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Prepare rows one by one, as serving does."""
        body = {"rows": [dict(row) for row in rows]}
        path = f"/fitted-recipes/{segment(fitted_id)}/rows"
        return self._transport.send("POST", path, body=body).read(list[dict[str, Any]])

    def apply(
        self,
        reference: str,
        dataset: str,
        *,
        into: str = "",
        learned_from: str = "",
        fitted: str = "",
    ) -> Applied:
        """Make a dataset's version (`into`), or a table, of a dataset."""
        body = ApplyOrder(dataset=dataset, into=into, learned_from=learned_from, fitted=fitted)
        return self._transport.send("POST", f"{_path(reference)}/results", body=body).read(Applied)

    def export(self, reference: str, dataset: str, form: ExportForm = "sql") -> RecipeCode:
        """A recipe as SQL, as a pandas script, or as the JSON of what it learnt."""
        query = {"dataset": dataset, "form": form}
        return self._transport.send("GET", f"{_path(reference)}/code", query=query).read(RecipeCode)

    def verify(self, reference: str, dataset: str) -> Verification:
        """Carry a recipe out as SQL, as pandas and row by row, and compare the digests."""
        answer = self._transport.send(
            "GET", f"{_path(reference)}/verification", query={"dataset": dataset}
        )
        return answer.read(Verification)


def as_steps(steps: Steps) -> tuple[Step, ...]:
    """Steps of any of the three ways to write them."""
    found = []
    for item in steps:
        if isinstance(item, Step):
            found.append(item)
        elif "operation" in item:
            parameters, note = item.get("parameters") or {}, item.get("note", "")
            found.append(Step(operation=item["operation"], parameters=dict(parameters), note=note))
        else:
            found += [Step(operation=name, parameters=dict(given or {}))
                      for name, given in item.items()]  # fmt: skip
    return tuple(found)


def _path(reference: str) -> str:
    name, _, rest = reference.partition("@")
    return f"/recipes/{segment(name)}/versions/{segment(rest or 'latest')}"
