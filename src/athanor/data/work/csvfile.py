"""CSV files as typed Arrow batches: all values are read as text, typed over the whole column."""

import csv
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
from pyarrow import csv as pacsv

from athanor.data.errors import (
    DuplicateColumns,
    EmptyFile,
    OtherDateOrder,
    RaggedRows,
    TooManyColumns,
    UnreadableFile,
    WrongTypes,
)
from athanor.data.logic.forms import (
    Dialect,
    column_names,
    dialect_of,
    repeated,
    stated_delimiter,
)
from athanor.data.logic.inference import Guess
from athanor.data.logic.orders import DateOrder
from athanor.data.logic.plans import Kind, Plan, convert
from athanor.data.types import ReadOptions
from athanor.data.work.text import plain_text
from athanor.kernel.wording import counted

MOST_COLUMNS = 2_000
_BLOCK = 16 << 20
_RAGGED_KEPT = 20
_NO_ROW = "there is a header, but no row below it."
_NO_SIGN = frozenset("\"'\r\n\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvFile:
    """A CSV file that was looked through once, ready to be read."""

    path: Path
    encoding: str
    dialect: Dialect
    names: tuple[str, ...]
    plans: tuple[Plan, ...]
    rows: int
    notes: tuple[str, ...]
    missing: tuple[str, ...]

    def schema(self) -> pa.Schema:
        """The Arrow schema of the batches."""
        return pa.schema([pa.field(plan.name, plan.arrow) for plan in self.plans])

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, in their order."""
        schema = self.schema()
        for batch in _words(self.path, self.path.name, self.dialect, self.names):
            arrays = [
                convert(batch.column(place), plan, self.missing)
                for place, plan in enumerate(self.plans)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def open_csv(
    path: Path,
    file: str,
    into: Path,
    options: ReadOptions,
    wanted: Mapping[str, Kind],
    orders: Mapping[str, DateOrder] = MappingProxyType({}),
) -> CsvFile:
    """Look a CSV file through: encoding, dialect, names, and the type of each column.

    `wanted` gives the types that columns must have (those of the dataset's earlier versions);
    cells that do not fit then turn the column to text, and its plan tells which they are.
    `orders` gives the order of day and month in the rows that these come after.

    Raises: EmptyFile, UnreadableFile, DuplicateColumns, RaggedRows, WrongTypes, TooManyColumns,
    OtherDateOrder.
    """
    plain, encoding = plain_text(path, file, into, options.encoding)
    with plain.open("rb") as stream:
        head = stream.read(1 << 18).decode("utf-8", errors="ignore")
    if not head.strip():
        raise EmptyFile(file, "there is nothing but blanks in the file.")
    _check_dialect(file, options)
    stated, length = stated_delimiter(head)
    if stated:
        plain, head = _without(plain, len(head[:length].encode()), into), head[length:]
    try:
        dialect = dialect_of(head, delimiter=options.delimiter or stated, decimal=options.decimal)
    except csv.Error as error:
        raise UnreadableFile(
            file,
            f"its first rows can't be read: {error}.",
            hint="Is a quote or a line end missing?",
        ) from error
    cells = _header_cells(plain, file, dialect)
    if len(cells) > MOST_COLUMNS:
        raise TooManyColumns(file, len(cells), MOST_COLUMNS)
    names, notes = column_names(cells if dialect.header else [""] * len(cells))
    if not dialect.header:
        notes = ["The file has no header; columns are called column_1, column_2 ..."]
    if twice := repeated(names):
        raise DuplicateColumns(file, twice)
    guesses = _guesses(dialect, names, options, wanted, orders)
    plans, rows = _plans(plain, file, dialect, names, guesses)
    notes += [f"Column {plan.name!r} {plan.note}" for plan in plans if plan.note]
    return CsvFile(
        path=plain,
        encoding=encoding,
        dialect=dialect,
        names=tuple(names),
        plans=tuple(plans),
        rows=rows,
        notes=tuple(notes),
        missing=options.missing,
    )


def _guesses(
    dialect: Dialect,
    names: Sequence[str],
    options: ReadOptions,
    wanted: Mapping[str, Kind],
    orders: Mapping[str, DateOrder],
) -> list[Guess]:
    stated = DateOrder(way=options.dates, sure=True, stated=True) if options.dates else None
    return [
        Guess(
            name,
            decimal=dialect.decimal,
            guessed=not options.decimal and dialect.delimiter != "," and dialect.decimal in ".,",
            missing=options.missing,
            wanted="text" if name in options.text else wanted.get(name),
            dates=stated or orders.get(name),
        )
        for name in names
    ]


def _plans(
    path: Path, file: str, dialect: Dialect, names: Sequence[str], guesses: Sequence[Guess]
) -> tuple[list[Plan], int]:
    rows, last = 0, ""
    for batch in _words(path, file, dialect, names):
        for place, guess in enumerate(guesses):
            guess.feed(batch.column(place), rows)
        rows += batch.num_rows
        last = batch.column(-1)[-1].as_py() if batch.num_rows else last
    if not rows:
        raise EmptyFile(file, _NO_ROW)
    _check_closed(path, file, rows, last)
    plans = []
    for guess in guesses:
        if guess.dates is not None and (cell := guess.other_way()) is not None:
            order = guess.dates
            raise OtherDateOrder(file, guess.name, cell, way=order.way, sure=order.sure)
        plan, mistaken = guess.decide()
        if mistaken:
            against = plan.against
            raise WrongTypes(file, plan.name, plan.kind, against.cells, against.count)
        plans.append(plan)
    return plans, rows


def _check_closed(path: Path, file: str, rows: int, last: str) -> None:
    """See that the last cell was closed where it was quoted: an open quote swallows all rows below.

    Raises: UnreadableFile.
    """
    if not last:
        return
    opened = '"{}'.format(last.replace('"', '""')).encode()
    with path.open("rb") as stream:
        stream.seek(0, 2)
        stream.seek(max(stream.tell() - max(64, len(opened)), 0))
        tail = stream.read()
    lines = last.count("\n")
    # Without a line's end in it, it is open where the file is cut off within it.
    if tail.rstrip().endswith(b'"') if lines else not tail.endswith(opened):
        return
    what = f": it swallows {counted(lines, 'line')} below." if lines else "; the file is cut off."
    raise UnreadableFile(
        file,
        f"a quote is opened in the last cell of row {rows} ({last.splitlines()[0][:60]!r}) and "
        f"never closed{what}",
        hint='Close the quote there; a quote that is part of a cell is written twice: "".',
        row=rows,
    )


def _without(path: Path, length: int, into: Path) -> Path:
    """A twin of a file without its first bytes."""
    target = into / "unstated"
    with path.open("rb") as stream, target.open("wb") as out:
        stream.seek(length)
        shutil.copyfileobj(stream, out, 1 << 20)
    return target


def _header_cells(path: Path, file: str, dialect: Dialect) -> list[str]:
    """The first row's cells."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.reader(stream, delimiter=dialect.delimiter)
        try:
            found = next((row for row in rows if row), None)
        except csv.Error as error:
            raise UnreadableFile(
                file, f"the header can't be read: {error}.", hint="Is a quote left open in it?"
            ) from error
    if found is None:
        raise EmptyFile(file)
    return found


def _words(
    path: Path, file: str, dialect: Dialect, names: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    ragged: list[tuple[int, int, str]] = []
    try:
        reader = _reader(path, file, dialect, names, ragged)
        yield from reader
    except pa.ArrowInvalid as error:
        if ragged:
            raise RaggedRows(file, len(names), ragged) from error
        raise _unreadable(path, file, error) from error
    if ragged:
        raise RaggedRows(file, len(names), ragged)


def _reader(
    path: Path,
    file: str,
    dialect: Dialect,
    names: Sequence[str],
    ragged: list[tuple[int, int, str]],
) -> pacsv.CSVStreamingReader:
    def note(row: pacsv.InvalidRow) -> str:
        if len(ragged) < _RAGGED_KEPT:
            # The parser counts lines from 1, the header among them.
            number = (row.number or 0) - (1 if dialect.header else 0)
            ragged.append((number, row.actual_columns, row.text))
        return "skip"

    # Threads would lose the numbers of invalid rows.
    reading = pacsv.ReadOptions(
        use_threads=False,
        block_size=_BLOCK,
        column_names=list(names),
        skip_rows_after_names=1 if dialect.header else 0,
    )
    parsing = pacsv.ParseOptions(
        delimiter=dialect.delimiter,
        newlines_in_values=True,
        invalid_row_handler=note,
    )
    converting = pacsv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
    )
    try:
        # As a stream: by its name alone, Arrow would take a file for compressed that is not.
        return pacsv.open_csv(
            pa.OSFile(str(path)),
            read_options=reading,
            parse_options=parsing,
            convert_options=converting,
        )
    except pa.ArrowInvalid as error:
        raise _unreadable(path, file, error) from error


def _unreadable(path: Path, file: str, error: Exception) -> UnreadableFile:
    text = str(error)
    if "straddl" in text and path.stat().st_size <= _BLOCK:
        # One line, and no end of it.
        return EmptyFile(file, _NO_ROW)
    if "straddl" in text:
        row = _long_row(path)
        return UnreadableFile(
            file,
            f"the row that begins in line {row + 1} is longer than {_BLOCK >> 20} MB.",
            hint="Is a quote left open, or the line end missing? Mend that row.",
            row=row,
        )
    if "Empty CSV" in text:
        return EmptyFile(file)
    return UnreadableFile(file, f"the CSV parser gave up: {text}", hint="Mend the file there.")


def _long_row(path: Path) -> int:
    """How many lines stand before the first that no block can hold, or before an open quote."""
    lines, length, quotes, opened = 0, 0, 0, 0
    with path.open("rb") as stream:
        for piece in iter(lambda: stream.readline(1 << 20), b""):
            if not quotes % 2 and not length:
                opened = lines
            length += len(piece)
            quotes += piece.count(b'"')
            if length > _BLOCK:
                return opened
            if piece.endswith(b"\n"):
                lines += 1
                if not quotes % 2:
                    length = 0
    return opened


def _check_dialect(file: str, options: ReadOptions) -> None:
    for what in ("delimiter", "decimal"):
        given = getattr(options, what)
        if given and (len(given) != 1 or given.isalnum() or given in _NO_SIGN):
            raise UnreadableFile(
                file, f"{given[:20]!r} can't be a {what}.", hint="Give one sign, such as , or ;"
            )
