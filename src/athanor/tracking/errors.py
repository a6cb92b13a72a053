"""What can go wrong with parameters and metrics."""

from athanor.kernel import Conflict, Invalid, TooLarge


class ParamChanged(Conflict):
    """A parameter is set once."""

    def __init__(self, key: str, kept: str, given: str) -> None:
        super().__init__(
            f"The parameter {key!r} is already {kept!r} and can't become {given!r}.",
            hint="Log what changes as a metric, or start another run.",
        )


class BadKey(Invalid):
    """A key that can't name a metric or parameter."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"{key[:60]!r} can't name a metric or a parameter.",
            hint="Use 1 to 250 letters, digits, and _ - . space : /",
        )


class BatchTooLarge(TooLarge):
    """More points in one batch than the limit."""

    def __init__(self, what: str, count: int, limit: int) -> None:
        super().__init__(
            f"A batch holds at most {limit:,} {what}; this one has {count:,}.",
            hint="Log it in several batches.",
        )
