"""What the gallery's pipelines refuse."""

from collections.abc import Iterable

from athanor.kernel.errors import Conflict, Invalid, Unprocessable, nearest


class NoSuchColumn(Unprocessable):
    """A column that was named is not in the table."""

    def __init__(self, role: str, name: str, columns: Iterable[str]) -> None:
        known = list(columns)
        super().__init__(
            f"The table has no column {name!r} to take as the {role}.",
            hint=nearest(name, known) or f"It has: {', '.join(known[:30])}.",
            details={"role": role, "column": name},
        )


class NoTarget(Invalid):
    """Nobody said what is to be predicted."""

    def __init__(self, dataset: str) -> None:
        super().__init__(
            f"Nothing says which column of {dataset!r} is to be predicted.",
            hint=f"Say it: athanor train {dataset} --target COLUMN",
            details={"dataset": dataset},
        )


class UnfitTarget(Unprocessable):
    """The target is not something to learn classes from."""

    def __init__(self, target: str, why: str, hint: str) -> None:
        super().__init__(
            f"Column {target!r} can't be learnt as classes: {why}",
            hint=hint,
            details={"column": target},
        )


class NothingToLearnFrom(Unprocessable):
    """No column is left beside the target."""

    def __init__(self, reasons: Iterable[str]) -> None:
        told = "; ".join(reasons) or "the table has only the target"
        super().__init__(
            f"No column is left to learn from: {told}.",
            hint="Give a table with columns that are known before the outcome.",
        )


class NotToKeep(Unprocessable):
    """A column that was asked for can't be learnt from."""

    def __init__(self, column: str, why: str) -> None:
        super().__init__(
            f"Column {column!r} can't be kept to learn from: {why}.",
            hint="Leave it out of --keep.",
            details={"column": column},
        )


class OtherTarget(Conflict):
    """The model in office predicts another column: figures of the two say nothing together."""

    def __init__(self, target: str, office: str, model: str = "") -> None:
        whose = f"The champion of {model!r}" if model else "The champion"
        super().__init__(
            f"{whose} predicts {office!r}, and the new model is to predict {target!r}: "
            "they can't be compared, and callers would get another answer than they ask for.",
            hint="Give the new model a name of its own: athanor train DATASET --name NAME",
            details={"target": target, "champion": office},
        )
