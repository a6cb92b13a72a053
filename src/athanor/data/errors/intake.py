"""What can be wrong with a source or a file that is to become a version."""

from collections.abc import Sequence

from athanor.data.types.datasets import DATE_ORDERS
from athanor.kernel.errors import Forbidden, Invalid, TooLarge, Unprocessable, nearest


class SourceUnreachable(Unprocessable):
    """What the data should come from can't be reached or read."""

    def __init__(self, where: str, what: str, *, hint: str = "") -> None:
        super().__init__(
            f"{where}: {what}",
            hint=hint
            or "Check the address, the credentials in the server's environment, and "
            "that the server's machine reaches it.",
            details={"source": where},
        )


class SourceRefused(Forbidden):
    """What the data should come from may not be read, or not by somebody from elsewhere."""

    def __init__(self, where: str, why: str, *, near: bool = False) -> None:
        super().__init__(
            f"{where} may not be read: {why}.",
            hint="Hand the file in, or name the source on the server's machine; who starts the "
            "server may allow it to all: sources_near = true in athanor.toml."
            if near
            else "Hand the file in instead.",
            details={"source": where},
        )


class BadSource(Invalid):
    """What is said about a source does not fit together."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what, hint=hint)


class UnreadableFile(Unprocessable):
    """The file is not a table that can be read."""

    def __init__(self, file: str, what: str, *, hint: str = "", row: int | None = None) -> None:
        super().__init__(
            f"{file}: {what}",
            hint=hint or "Hand in a CSV, JSON-lines or Parquet file.",
            details={"file": file} | ({"row": row} if row is not None else {}),
        )


class EmptyFile(UnreadableFile):
    """There is no row in the file."""

    def __init__(self, file: str, what: str = "the file is empty.") -> None:
        super().__init__(file, what, hint="Hand in a table with a header and at least one row.")


class RaggedRows(UnreadableFile):
    """Rows that have more or fewer cells than the header."""

    def __init__(self, file: str, expected: int, rows: Sequence[tuple[int, int, str]]) -> None:
        row, found, text = rows[0]
        others = ", ".join(str(number) for number, _, _ in rows[1:10])
        super().__init__(
            file,
            f"row {row} has {found} cells where the header has {expected}: {text[:120]!r}."
            + (f" The same is wrong in row {others}." if others else ""),
            hint='Quote cells that hold the delimiter ("a, b"), or mend these rows.',
            row=row,
        )
        self.details |= {
            "rows": [number for number, _, _ in rows],
            "expected": expected,
            "found": found,
        }


class WrongTypes(UnreadableFile):
    """A column of numbers or dates holds something else further down."""

    def __init__(
        self, file: str, column: str, expected: str, cells: Sequence[tuple[int, str]], count: int
    ) -> None:
        row, value = cells[0]
        others = ", ".join(str(number) for number, _ in cells[1:10])
        super().__init__(
            file,
            f"column {column!r} holds {expected}s, but row {row} holds {value[:60]!r}"
            + (f" ({count} such cells; further rows: {others})." if count > 1 else "."),
            hint=f"Mend the cells; or, if the column is text: --text {column!r}; "
            f"or, if the word means that the value is missing: --missing {value[:60]!r}",
            row=row,
        )
        self.details |= {
            "column": column,
            "value": value,
            "count": count,
            "rows": [number for number, _ in cells],
        }


class OtherDateOrder(UnreadableFile):
    """Rows that are appended have day and month in another order than the rows before."""

    def __init__(
        self, file: str, column: str, cell: tuple[int, str], *, way: str, sure: bool
    ) -> None:
        row, value = cell
        other = next(order for order in DATE_ORDERS if order != way)
        super().__init__(
            file,
            f"row {row}: column {column!r} holds {value[:60]!r}, which can only be "
            f"{DATE_ORDERS[other]}; the dataset's dates were read as {DATE_ORDERS[way]}"
            + ("." if sure else ", by guess, as no part of theirs is above 12."),
            hint=(
                f"If this file alone is written so, say it: --dates {other}. If the earlier rows "
                f"are too, they were read wrongly: add them anew with --dates {other}, without "
                "--append."
            ),
            row=row,
        )
        self.details |= {"column": column, "value": value, "order": way, "sure": sure}


class DuplicateColumns(UnreadableFile):
    """Two columns have one name."""

    def __init__(self, file: str, names: Sequence[str]) -> None:
        listed = ", ".join(repr(name) for name in names[:10])
        super().__init__(
            file,
            f"more than one column is called {listed}.",
            hint="Names must differ, and by more than upper and lower case. Rename one of them.",
        )
        self.details["columns"] = list(names)


class TooManyColumns(TooLarge):
    """More columns than a table may have here."""

    def __init__(self, file: str, found: int, limit: int) -> None:
        super().__init__(
            f"{file}: {found} columns; a table may have {limit}.",
            hint="Is the delimiter right (--delimiter)? Else split the table, or make it long.",
        )


class UnknownColumn(Unprocessable):
    """A role was given to a column that does not exist."""

    def __init__(self, role: str, name: str, known: Sequence[str]) -> None:
        near = nearest(name, known)
        listed = ", ".join(known[:30]) + (" ..." if len(known) > 30 else "")
        super().__init__(
            f"There is no column {name!r}, which was named as the {role} column.",
            hint=f"{near} The columns are: {listed}.".strip(),
            details={"role": role, "column": name, "columns": list(known)},
        )


class UnfitTable(Unprocessable):
    """A first version that breaks what its roles demand; nothing was made."""

    def __init__(self, file: str, failing: Sequence[tuple[str, list[int]]]) -> None:
        super().__init__(
            f"{file}: " + " ".join(message for message, _ in failing),
            hint="Mend these rows, or give the roles to other columns. Nothing was stored.",
            details={
                "checks": [{"message": message, "rows": rows} for message, rows in failing],
                "rows": failing[0][1] if failing else [],
            },
        )
