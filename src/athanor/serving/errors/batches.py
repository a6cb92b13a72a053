"""What can go wrong in batch predictions, each with what to do next."""

from collections.abc import Iterable

from athanor.kernel.errors import (
    Conflict,
    Invalid,
    NotFound,
    Unavailable,
    Unprocessable,
    nearest,
)


class BatchNotFound(NotFound):
    """No batch has this id."""

    def __init__(self, batch: str) -> None:
        super().__init__(
            f"There is no batch prediction {batch!r}.", hint="See what exists: athanor batch list"
        )


class BatchEnded(Conflict):
    """The batch is past what was asked of it."""

    def __init__(self, batch: str, state: str, wanted: str) -> None:
        super().__init__(
            f"Batch {batch} is {state}; it can't be {wanted}.",
            hint=f"See it: athanor batch show {batch}",
        )


class BadBatch(Invalid):
    """A batch that can't be worked through as it was asked for."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem, hint=hint or "See what it takes: athanor batch run --help")


class BatchFileMissing(NotFound):
    """A file that was to be sent before is not there."""

    def __init__(self, file: str, digest: str) -> None:
        super().__init__(
            f"The file {file!r} ({digest}) was not sent, or was cleaned away.",
            hint="Send it again: PUT /api/v1/batch-files?file=NAME, then submit.",
        )


class BatchFileElsewhere(NotFound):
    """A file that was named is not seen here, or is another one."""

    def __init__(self, file: str) -> None:
        super().__init__(
            f"The file {file!r} is not where this server could read it.",
            hint="Send it: PUT /api/v1/batch-files?file=NAME with its bytes.",
        )


class CsvNotPlain(Unprocessable):
    """A CSV file is not so ordinary that it can be read where it lies."""

    def __init__(self, file: str, problem: str) -> None:
        super().__init__(
            f"{file} is no ordinary CSV file: {problem}", hint="It is read as any other file."
        )


_VALUE_SHOWN = 60
"""Characters of a value that a message repeats."""


class BatchFileUnreadable(Unprocessable):
    """An input file that is no table."""

    def __init__(self, file: str, problem: str) -> None:
        super().__init__(
            f"{file} can't be read: {problem}",
            hint="Give CSV with a header line, JSON records, JSON lines, Parquet or Arrow files.",
        )


class InputValueUnfit(Unprocessable):
    """A row of an input file has a value that is not of its column's type."""

    def __init__(
        self, file: str, *, row: int, column: str, value: str, expected: str, count: int
    ) -> None:
        shown = value if len(value) <= _VALUE_SHOWN else f"{value[:_VALUE_SHOWN]}..."
        rows = "the only such row" if count == 1 else f"the first of {count:,} such rows"
        super().__init__(
            f"{file}: row {row:,} has {shown!r} in column {column!r}, which the model reads as "
            f"{expected}; it is {rows}.",
            hint="Mend the row; or, if the word means that the value is missing: athanor data add "
            f"NAME {file} --missing {shown!r}, then athanor batch run MODEL --data NAME --to NEW",
            details={"file": file, "row": row, "column": column, "value": shown, "rows": count},
        )


class InputColumnsMissing(Invalid):
    """The input lacks columns that the model reads."""

    def __init__(self, missing: list[str], came: Iterable[str], where: str) -> None:
        named = ", ".join(repr(name) for name in missing[:5])
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        noun = "column" if len(missing) == 1 else "columns"
        super().__init__(
            f"{where} lacks the {noun} {named}{more}, which the model reads.",
            hint=nearest(missing[0], came) or "Give a table that has the model's columns.",
            details={"columns": missing},
        )


class InputColumnUnfit(Invalid):
    """A column of the input has another type than the model reads."""

    def __init__(self, column: str, found: str, expected: str, where: str) -> None:
        super().__init__(
            f"{where} has column {column!r} with values of type {found}; the model reads "
            f"{expected}.",
            hint="Convert it, in a query for example: CAST(column AS type), or TRY_CAST where some "
            "rows may hold anything else.",
            details={"column": column, "found": found, "expected": expected},
        )


class InputColumnTaken(Conflict):
    """A column that is to be kept has the name of one that is made."""

    def __init__(self, column: str) -> None:
        super().__init__(
            f"The input's column {column!r} has the name of a column that the predictions make.",
            hint="Leave it out by naming the columns to keep: --keep COLUMN",
            details={"column": column},
        )


class TooManyRowErrors(Unprocessable):
    """The model refused more rows than were allowed."""

    def __init__(self, row: int, reason: str, allowed: int) -> None:
        super().__init__(
            f"The model refused row {row}: {reason}",
            hint="Correct the row, or let such rows pass with a null prediction: "
            f"--max-errors N (now {allowed}).",
            details={"row": row, "allowed": allowed},
        )


class BatchWorkersDied(Unavailable):
    """The processes of a batch ended again and again without an answer."""

    def __init__(self, how: str) -> None:
        super().__init__(
            f"The processes of the batch ended before they finished a chunk ({how}).",
            hint="Smaller chunks need less memory: --chunk-rows 50000. Then: athanor batch resume",
        )
