"""What can be wrong with the settings of an endpoint's prediction log."""

from collections.abc import Iterable

from athanor.kernel.errors import Invalid, nearest


class LogPolicyInvalid(Invalid):
    """The log can't be kept in this way."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"The prediction log can't be kept so: {problem}.",
            hint="durability is os, fsync or off; sample is 0 to 1; redact names input columns.",
        )


class RedactedColumnUnknown(Invalid):
    """No deployment of the endpoint reads the column."""

    def __init__(self, endpoint: str, column: str, known: Iterable[str]) -> None:
        super().__init__(
            f"No deployment of endpoint {endpoint!r} reads a column {column!r}.",
            hint=nearest(column, known) or f"See its inputs: athanor endpoint show {endpoint}",
        )
