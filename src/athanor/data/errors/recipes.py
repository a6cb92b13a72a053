"""What can go wrong with recipes, each with its place and a way out."""

from collections.abc import Iterable, Sequence

from athanor.kernel.errors import Conflict, Invalid, NotFound, Unprocessable, nearest


class BadFormula(Invalid):
    """The formula can't be read, or its kinds don't go together."""

    def __init__(self, formula: str, at: int, what: str, hint: str = "") -> None:
        shown = formula if len(formula) <= 120 else formula[:117] + "..."
        super().__init__(
            f"The formula {shown!r} can't be used: at character {at + 1}, {what}.",
            hint=hint
            or "Write such as: if(age >= 18, income / 12, null). "
            "See the functions: athanor recipe functions",
            details={"at": at},
        )


class BadStep(Invalid):
    """A step of a recipe can't be done."""

    def __init__(self, number: int, operation: str, what: str, hint: str = "") -> None:
        super().__init__(
            f"Step {number} ({operation}): {what}",
            hint=hint or f"See what it takes: athanor recipe operations {operation}",
            details={"step": number, "operation": operation},
        )


class UnknownOperation(Invalid):
    """No operation has this name."""

    def __init__(self, number: int, name: str, known: Iterable[str]) -> None:
        super().__init__(
            f"Step {number}: there is no operation {name!r}.",
            hint=nearest(name, known) or "See what there is: athanor recipe operations",
            details={"step": number, "operation": name},
        )


class RecipeNotFound(NotFound):
    """No recipe has this name, or it has no such version."""

    def __init__(self, reference: str, known: Iterable[str] = ()) -> None:
        super().__init__(
            f"There is no recipe {reference!r}.",
            hint=nearest(reference, known) or "See what there is: athanor recipe list",
        )


class BadRecipeName(Invalid):
    """The name can't be one."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} can't name a recipe.",
            hint="Use 1 to 80 letters, digits, - and _, and begin with a letter; "
            "a version is meant by NAME@2.",
        )


class NotFitted(Conflict):
    """The recipe learns from data and has not done so."""

    def __init__(self, name: str, steps: Iterable[int]) -> None:
        listed = ", ".join(map(str, steps))
        super().__init__(
            f"The recipe {name!r} has not learnt from data what step {listed} needs.",
            hint=f"Let it learn: athanor recipe fit {name} DATASET",
        )


class NotByRow(Conflict):
    """A step needs other rows than the one at hand."""

    def __init__(self, number: int, operation: str) -> None:
        super().__init__(
            f"Step {number} ({operation}) needs other rows: the recipe can't run row by row.",
            hint="Keep such steps in a recipe of their own that makes the dataset; compute what "
            "looks back in a feature view.",
            details={"step": number, "operation": operation},
        )


class RecipeNotOfModel(Conflict):
    """Which fitted recipe stands before the model is not clear."""

    def __init__(self, recipe: str, fitted: Sequence[str]) -> None:
        what = "was applied with several fits to" if fitted else "did not make"
        listed = f" They are: {', '.join(fitted)}." if fitted else ""
        super().__init__(
            f"The recipe {recipe!r} {what} the table that the model was trained on.",
            hint="Name what it learnt by its id, which `athanor recipe fit` and `recipe apply` "
            f"tell.{listed}",
            details={"recipe": recipe, "fitted": list(fitted)},
        )


class RecipeGivesNot(Conflict):
    """The model reads columns that the recipe does not give."""

    def __init__(self, recipe: str, absent: Sequence[str], gives: Iterable[str]) -> None:
        super().__init__(
            f"The model reads {', '.join(map(repr, absent[:20]))}; the recipe {recipe} gives "
            f"{', '.join(list(gives)[:40])}.",
            hint="Deploy it with the recipe that made the table that it was trained on; features "
            "that are looked up beside it are named with --features SERVICE.",
            details={"recipe": recipe, "columns": list(absent)},
        )


class NoSourceOfRecipe(Conflict):
    """There is no table on which a recipe's forms could be compared."""

    def __init__(self, recipe: str) -> None:
        super().__init__(
            f"No table is left that the recipe {recipe} was applied to: its row-by-row form can't "
            "be compared with what training had.",
            hint=f"Apply it: athanor recipe apply {recipe} DATASET",
        )


class RowsDiffer(Conflict):
    """Row by row, a recipe would give other values than training had."""

    def __init__(self, recipe: str, rows: int, differing: int) -> None:
        super().__init__(
            f"Row by row, the recipe {recipe} gives other values than its query in {differing} of "
            f"{rows} rows.",
            hint=f"See where: athanor recipe verify {recipe} DATASET",
            details={"rows": rows, "differing": differing},
        )


class UnfitRow(Unprocessable):
    """A row that does not fit the recipe."""

    def __init__(self, row: int, column: str, what: str) -> None:
        super().__init__(
            f"Row {row}, column {column!r}: {what}",
            hint="Send the columns of the dataset that the recipe was made for, with their types.",
            details={"row": row, "column": column},
        )


class RecipeFailed(Unprocessable):
    """DuckDB could not do it."""

    def __init__(self, message: str) -> None:
        super().__init__(
            f"The recipe can't be carried out: {message}",
            hint="Preview it step by step: athanor recipe preview NAME DATASET --step N",
        )


class BadRowCount(Invalid):
    """More rows than a call takes."""

    def __init__(self, what: str) -> None:
        super().__init__(what, hint="Apply the recipe to a dataset for whole tables.")


class BadRecipeFile(Invalid):
    """The file holds no recipe."""

    def __init__(self, file: str, what: str) -> None:
        super().__init__(
            f"{file}: {what}",
            hint='Write such as: [{"fill": {"columns": ["age"], "value": 0}}]',
        )


class StepLacks(Invalid):
    """A pipeline's step was not given what it needs."""

    def __init__(self, task: str, what: str) -> None:
        super().__init__(
            f"The step {task!r} needs {what!r}.",
            hint="Give it a dataset's version and the name of a recipe.",
        )
