"""What the room of reports refuses."""

from athanor.kernel.errors import NotFound


class ReportNotFound(NotFound):
    """There is no report of this id."""

    def __init__(self, report_id: str) -> None:
        super().__init__(
            f"There is no report {report_id!r}.", hint="See what exists: athanor report list"
        )


class ModelNotEvaluated(NotFound):
    """The model is there, and no report is of it."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"No report is of the model {model!r}.",
            hint="Pipelines such as `athanor train` write one; see all: athanor report list",
        )
