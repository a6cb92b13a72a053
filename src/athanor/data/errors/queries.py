"""What can go wrong with a query."""

from collections.abc import Iterable

from athanor.kernel.errors import Invalid, NotFound, TookTooLong, TooLarge, nearest


class BadLimits(Invalid):
    """A query's limits are outside of what a server gives."""

    def __init__(self, what: str, least: float, most: float) -> None:
        super().__init__(
            f"The query's limit of {what} is out of range.",
            hint=f"Give {least:g} to {most:,.0f}.",
        )


class BadQuery(Invalid):
    """The text is no SQL, or fails when run."""

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what, hint=hint or "One SELECT statement, in DuckDB's dialect.")


class NotReadOnly(Invalid):
    """The statement would change something, or reach beyond the tables."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} is not allowed here: SQL reads tables and changes nothing.",
            hint="Write one SELECT over datasets, runs, predictions ...",
        )


class UnknownRelation(NotFound):
    """No table has this name, or none that the caller may read."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        listed, bare = sorted(known), name.rpartition(".")[2]
        hint = nearest(name, listed) or f"There are: {', '.join(listed[:40]) or 'none yet'}."
        if bare != name:
            hint = f"Write {bare}: tables stand in no schema." if bare in listed else hint
        super().__init__(
            f"There is no table {name!r}.",
            hint=hint,
            details={"relation": name},
        )


class QueryTookTooLong(TookTooLong):
    """The query was ended at its time limit."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The query was ended after {seconds:g} seconds.",
            hint="Ask for less, or give it more time: --seconds",
        )


class QueryTooLarge(TooLarge):
    """The query wanted more memory than its limit."""

    def __init__(self, megabytes: int) -> None:
        super().__init__(
            f"The query needs more than {megabytes} MB of memory.",
            hint="Aggregate or filter first, or give it more: --memory",
        )
