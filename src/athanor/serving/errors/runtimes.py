"""What goes wrong with runtimes."""

from athanor.kernel.errors import Unavailable, Unprocessable


class RowRefused(Unprocessable):
    """The model can't read a value of one row."""

    def __init__(self, row: int, column: str, problem: str) -> None:
        super().__init__(
            f"Record {row}, column {column!r}: {problem}.",
            hint="Send a value such as training had, or put an imputer into the model.",
            details={"row": row, "column": column},
        )
        self.column = column
        self.problem = problem


class RuntimeUnusable(Unavailable):
    """A compiled model can't be loaded here."""

    def __init__(self, folder: str, problem: str) -> None:
        super().__init__(
            f"The compiled model {folder} can't be loaded: {problem}.",
            hint="Its native worker answers instead; redeploy the version to compile it again.",
        )


class ForeignModelFailed(Unprocessable):
    """A model's own library does not load it."""

    def __init__(self, folder: str, problem: str) -> None:
        super().__init__(
            f"The model {folder[:16]} is not loaded by its own library: {problem}",
            hint="See that it loads with mlflow.pyfunc.load_model in the environment that it pins.",
        )
