"""Bodies of MLflow's `/invocations`, read as its scoring server reads them.

What a body becomes is what MLflow 3's `mlflow.pyfunc.scoring_server` makes of it with pandas and
numpy, coercions included: a text "1.5" is a double, 33.5 is the long 33, a null double is NaN, a
null long is refused. Two deviations: numbers beyond the column's range are refused, where pandas
wraps them around; and messages name the row.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from athanor.serving.errors import TooManyRecords
from athanor.serving.errors.protocols import InvocationRefused
from athanor.serving.logic.coercions import (
    MISSING,
    NUMPY,
    Cast,
    array_cast,
    csv_cast,
    frame_cast,
)
from athanor.serving.logic.signature import Row, rows_of
from athanor.serving.types import InputColumn, Signature

FORMATS = ("dataframe_records", "dataframe_split", "inputs", "instances")
_UNIFIED = ("messages", "prompt", "input")
_ONE_OF = (
    "The input must be a JSON dictionary with exactly one of the input fields "
    "{'dataframe_records', 'dataframe_split', 'inputs', 'instances'}"
)
_ENFORCEMENT = "INVALID_PARAMETER_VALUE"

Columns: TypeAlias = dict[Any, list[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """Rows of one body."""

    rows: list[Row]
    columns: Columns
    """What came, by column, those that the model does not read included."""
    bare: bool = False
    """Whether the answer is the predictions alone (MLflow's unified input)."""


def read_json(signature: Signature, body: bytes, max_rows: int) -> Invocation:
    """The rows of a JSON body.

    Raises: InvocationRefused, TooManyRecords.
    """
    asked = _loaded(body)
    if any(key in asked for key in _UNIFIED):
        data = {key: value for key, value in asked.items() if key != "params"}
        columns = {key: [value] for key, value in data.items()}
        return _invocation(signature, _kept(signature, columns), 1, bare=True)
    found = [key for key in asked if key in FORMATS]
    if len(found) != 1:
        raise InvocationRefused(f"{_ONE_OF}. Received dictionary with input fields: {found}.")
    columns, rows, cast = _positional(signature, found[0], asked[found[0]]) or _READERS[found[0]](
        signature, asked[found[0]]
    )
    if rows < 0:
        raise _enforced("All arrays must be of the same length")
    if rows > max_rows:
        raise TooManyRecords(rows, max_rows)
    return _invocation(signature, _converted(signature, columns, cast), rows)


def _positional(signature: Signature, form: str, data: Any) -> tuple[Columns, int, Cast] | None:
    """The values by place, of a model that takes them so.

    That is one that reads one tensor, and one without a signature, whose columns are its
    estimator's: all are optional.
    """
    width, tensor = len(signature.columns), _reads_a_tensor(signature)
    if not (tensor or (width and not any(column.required for column in signature.columns))):
        return None
    rows, split = data, form == "dataframe_split"
    if split:
        named = data.get("columns") if isinstance(data, dict) else None
        if not isinstance(data, dict) or _named(signature, named) or (named and not tensor):
            return None
        rows = data.get("data")
    elif form == "dataframe_records":
        rows = _unnamed(signature, data)
    if not isinstance(rows, list) or not rows or not isinstance(rows[0], list):
        return None
    values = _flattened(rows)
    if values is None or len(values) != len(rows) * width:
        return None
    columns = {name: values[place::width] for place, name in enumerate(signature.names)}
    return columns, len(rows), array_cast if form in {"inputs", "instances"} else frame_cast


def _reads_a_tensor(signature: Signature) -> bool:
    """Whether the columns are the places of a tensor, or have no names."""
    names = signature.names
    return bool(names) and names == tuple(f"x{place}" for place in range(len(names)))


def _by_place(signature: Signature, columns: Mapping[Any, Any]) -> bool:
    """Whether columns that have names of their own are those of a tensor, in its order."""
    fits = len(columns) == len(signature.columns) and not _named(signature, list(columns))
    return fits and _reads_a_tensor(signature)


def _named(signature: Signature, columns: Any) -> bool:
    """Whether these are the signature's names, in any order."""
    texts = isinstance(columns, list) and all(isinstance(name, str) for name in columns)
    return texts and set(signature.names) <= set(columns)


def _unnamed(signature: Signature, records: Any) -> list[list[Any]] | None:
    """The values of records that go by names of their own, in the order of the first one's."""
    if not isinstance(records, list) or not records or not isinstance(records[0], dict):
        return None
    first = records[0]
    alike = all(isinstance(item, dict) and item.keys() == first.keys() for item in records)
    if not alike or not _by_place(signature, first):
        return None
    return [[record[name] for name in first] for record in records]


def _flattened(values: list[Any]) -> list[Any] | None:
    """The values of nested lists in row-major order; None where the lists are of several shapes."""
    while values and isinstance(values[0], list):
        if len({len(value) if isinstance(value, list) else -1 for value in values}) > 1:
            return None
        values = [item for value in values for item in value]
    return None if any(isinstance(value, list) for value in values) else values


def read_csv(signature: Signature, body: bytes, max_rows: int) -> Invocation:
    """The rows of a CSV body with a header line.

    Raises: InvocationRefused, TooManyRecords.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvocationRefused(
            f"Invalid input. Ensure that input is a valid UTF-8 encoded string. Error: '{error!r}'"
        ) from None
    columns, rows = _csv(text, max_rows)
    if _by_place(signature, columns):
        columns = dict(zip(signature.names, columns.values(), strict=True))
    for column in signature.columns:
        if column.type == "datetime" and column.name in columns:
            raise _no_frame("CSV", f"column {column.name} holds times, which CSV can't carry")
        if column.name in columns:
            cast = csv_cast(column, columns[column.name])
            columns[column.name] = [
                _guarded(column, value, row, cast) for row, value in enumerate(columns[column.name])
            ]
    return _invocation(signature, columns, rows)


def _loaded(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvocationRefused(
            f"Invalid input. Ensure that input is a valid JSON formatted string. "
            f"Error: '{type(error).__name__}: {error}'"
        ) from None
    if isinstance(asked, list):
        raise InvocationRefused(f"Invalid input. {_ONE_OF}. Received a list.")
    if not isinstance(asked, dict):
        raise InvocationRefused(
            f"Invalid input. {_ONE_OF}. Received unexpected input type '{type(asked)}'."
        )
    return asked


_NEVER_MISSING = frozenset({"float", "long", "integer"})
"""Types that a column of doubles, which holds what is missing, is not converted to."""


# The four forms: values by column, how many rows, and how values are cast.


def _records(_signature: Signature, data: Any) -> tuple[Columns, int, Cast]:
    if not isinstance(data, list):
        told = "dictionary" if isinstance(data, dict) else f"type {type(data)}"
        raise InvocationRefused(
            f"Invalid input. Dataframe records format must be a list of records. Got {told}."
        )
    return *_frame(data), frame_cast


def _frame(data: list[Any]) -> tuple[Columns, int]:
    """Columns of pandas.DataFrame(data) for a list."""
    if data and isinstance(data[0], dict):
        names = dict.fromkeys(key for item in data if isinstance(item, dict) for key in item)
        if not all(isinstance(item, dict) for item in data):
            raise _no_frame("records", "a record is no object")
        return {name: [item.get(name, MISSING) for item in data] for name in names}, len(data)
    width = max((len(item) if isinstance(item, list) else 1 for item in data), default=0)
    return {place: [None] * len(data) for place in range(width)}, len(data)


def _split(signature: Signature, data: Any) -> tuple[Columns, int, Cast]:
    if not isinstance(data, dict):
        told = "list" if isinstance(data, list) else f"type {type(data)}"
        raise InvocationRefused(
            f"Invalid input. Dataframe split format must be a dictionary. Got {told}."
        )
    if "data" not in data or not data.keys() <= {"columns", "data", "index"}:
        raise InvocationRefused(
            "Invalid input. Dataframe split format must have 'data' field and optionally "
            f"'columns' and 'index' fields. Got {set(data)}."
        )
    names, values, index = data.get("columns"), data["data"], data.get("index")
    if isinstance(values, dict):
        values = None
    if not isinstance(values, list) or not isinstance(names, list | None):
        raise _no_frame("split", '"data" or "columns" is no list')
    if not isinstance(index, list | dict | None):
        raise _no_frame("split", f"the index is {index!r:.40}, and no list")
    if isinstance(index, list) and len(index) != len(values):
        raise _no_frame("split", f"{len(index)} index entries for {len(values)} rows")
    if names is None:
        return *_frame(values), frame_cast
    if values and isinstance(values[0], dict):
        found, rows = _frame(values)
        return {name: found.get(name, [MISSING] * rows) for name in names}, rows, frame_cast
    lists = [item if isinstance(item, list) else [item] for item in values]
    width = max(map(len, lists), default=len(names))
    if width != len(names):
        raise _no_frame("split", f"{len(names)} columns passed, passed data had {width} columns")
    if any(isinstance(name, dict | list) for name in names):
        raise _no_frame("split", "a column's name is no text")
    twice = [name for name in signature.names if names.count(name) > 1]
    if twice:
        raise _enforced(f"The columns {twice} came more than once")
    filled = [item + [None] * (width - len(item)) for item in lists]
    return (
        {name: [item[place] for item in filled] for place, name in enumerate(names)},
        len(values),
        frame_cast,
    )


def _instances(signature: Signature, data: Any) -> tuple[Columns, int, Cast]:
    if not (isinstance(data, list) and data and isinstance(data[0], dict)):
        columns, rows, cast = _inputs(signature, data)
        if rows < 0:
            raise _uneven()
        return columns, rows, cast
    columns = {}
    for item in data:
        if not isinstance(item, dict):
            raise _unusable("an instance is no object")
        for name, value in item.items():
            columns.setdefault(name, []).append(value)
            if isinstance(value, list) and name in signature.names:
                raise _incompatible(name, "object", signature)
    rows = _even(columns)
    if rows < 0:
        raise _uneven()
    return columns, rows, array_cast


def _inputs(signature: Signature, data: Any) -> tuple[Columns, int, Cast]:
    if isinstance(data, list) and data and all(isinstance(item, dict) for item in data):
        columns, rows = _frame(data)
        return columns, rows, array_cast
    if isinstance(data, list) and len(signature.columns) == 1:
        return {signature.names[0]: data}, len(data), array_cast
    if not isinstance(data, dict):
        _nameless(signature, data)
        rows = len(data) if isinstance(data, list) else 1
        return {0: [None] * rows}, rows, array_cast
    if data and not any(isinstance(value, list) for value in data.values()):
        return {name: [value] for name, value in data.items()}, 1, array_cast
    lengths = [len(value) for value in data.values() if isinstance(value, list)]
    rows = max(lengths, default=0)
    columns = {
        name: value if isinstance(value, list) else [value] * rows for name, value in data.items()
    }
    return columns, _even(columns), array_cast


def _nameless(signature: Signature, data: Any) -> None:
    """Values without names are first made an array of the first column's type."""
    if not signature.columns:
        raise _enforced("The model tells no columns, so that values need names")
    column = signature.columns[0]
    values = data if isinstance(data, list) else [data]
    for row, value in enumerate(values):
        for item in value if isinstance(value, list) else [value]:
            _guarded(column, item, row, array_cast)


_READERS: Mapping[str, Callable[[Signature, Any], tuple[Columns, int, Cast]]] = {
    "dataframe_records": _records,
    "dataframe_split": _split,
    "instances": _instances,
    "inputs": _inputs,
}


def _uneven() -> InvocationRefused:
    return InvocationRefused(
        "Invalid input. The length of values for each input/column name are not the same"
    )


def _even(columns: Columns) -> int:
    """How many rows the columns have; -1 where they differ."""
    lengths = {len(values) for values in columns.values()}
    return -1 if len(lengths) > 1 else lengths.pop() if lengths else 0


# Casts of single values: as pandas' astype casts a frame's, and as numpy.array does.


def _converted(signature: Signature, columns: Columns, cast: Cast) -> Columns:
    found = dict(columns)
    for column in signature.columns:
        if column.name not in found:
            continue
        values = found[column.name]
        if cast is array_cast and MISSING in values and column.type in _NEVER_MISSING:
            raise _incompatible(column.name, "float64", signature)
        found[column.name] = [
            _guarded(column, value, row, cast) for row, value in enumerate(values)
        ]
    return found


def _guarded(column: InputColumn, value: Any, row: int, cast: Cast) -> Any:
    try:
        found = cast(column, value)
        if not isinstance(found, float | bool | None):
            # What no frame holds, half a surrogate pair or an endless number, reaches no model.
            msgspec.msgpack.encode(found)
        return found
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InvocationRefused(
            "Invalid input. Data is not compatible with model signature. Failed to convert column "
            f"{column.name} to type '{NUMPY[column.type]}' in row {row}. "
            f"Error: '{type(error).__name__}: {error}'",
            hint=f"The model reads column {column.name!r} as {column.type}.",
            final=isinstance(error, OverflowError | UnicodeError | RecursionError),
        ) from None


def _csv(text: str, max_rows: int) -> tuple[Columns, int]:
    """A CSV text by column, as pandas.read_csv has it.

    Blank lines are left out, short rows filled up; more fields than names make the first ones an
    index.
    """
    try:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        lines = [line for line in reader if len(line) > 1 or (line and not line[0].isspace())]
    except csv.Error as error:
        raise _no_frame("CSV", str(error)) from None
    if not lines:
        raise _no_frame("CSV", "No columns to parse from file")
    names, data = _unique(lines[0]), lines[1:]
    if len(data) > max_rows:
        raise TooManyRecords(len(data), max_rows)
    if data and (index := len(data[0]) - len(names)) > 0:
        data = [line[index:] for line in data]
    for number, line in enumerate(data):
        if len(line) > len(names):
            raise _no_frame(
                "CSV", f"row {number} has {len(line)} fields and {len(names)} are expected"
            )
    width = len(names)
    filled = [line + [""] * (width - len(line)) for line in data]
    return {name: [line[place] for line in filled] for place, name in enumerate(names)}, len(data)


def _unique(names: Iterable[str]) -> list[str]:
    """Names as pandas makes them unique: a, a.1, a.2."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        count = seen.get(name, 0)
        seen[name] = count + 1
        found.append(f"{name}.{count}" if count else name)
    return found


# What the model's signature says.


def _kept(signature: Signature, columns: Columns) -> Columns:
    """Values whose types are enforced and not cast (MLflow's unified input)."""
    for column in signature.columns:
        value = columns.get(column.name, [None])[0]
        if column.name in columns and not _SAME[column.type](value):
            raise _incompatible(column.name, type(value).__name__, signature)
    return columns


_SAME: Mapping[str, Callable[[Any], bool]] = {
    "double": lambda value: isinstance(value, float) or value in (0, 1),
    "float": lambda value: value in (0, 1),
    "long": lambda value: type(value) is int,
    "integer": lambda value: False,  # noqa: ARG005 - whole numbers are longs
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "datetime": lambda value: isinstance(value, str),
    "binary": lambda value: isinstance(value, str),
}


def _invocation(
    signature: Signature, columns: Columns, rows: int, *, bare: bool = False
) -> Invocation:
    missing = [item.name for item in signature.columns if item.name not in columns]
    required = {item.name for item in signature.columns if item.required}
    if any(name in required for name in missing):
        told = f"Model is missing inputs {[name for name in missing if name in required]}."
        extra = [name for name in columns if name not in signature.names]
        if extra:
            told += f" Note that there were extra inputs: {extra}."
        raise _enforced(told)
    if missing or not rows:
        reason = f"optional columns are left out: {missing}" if missing else "there are no rows"
        raise InvocationRefused(
            "Encountered an unexpected error while evaluating the model. Verify that the "
            f"serialized input Dataframe is compatible with the model for inference: {reason}."
        )
    found = rows_of(signature, columns, rows)
    return Invocation(rows=found, columns=columns, bare=bare)


def _enforced(reason: str) -> InvocationRefused:
    return InvocationRefused(
        f"Failed to predict data. \nError: Failed to enforce schema of data. Error: {reason}",
        name=_ENFORCEMENT,
        hint="See the model's columns: GET /endpoints/NAME",
    )


def _incompatible(name: str, found: str, signature: Signature) -> InvocationRefused:
    (type_,) = (column.type for column in signature.columns if column.name == name)
    return _enforced(
        f"Incompatible input types for column {name}. "
        f"Can not safely convert {found} to {NUMPY[type_]}."
    )


def _no_frame(form: str, reason: str) -> InvocationRefused:
    return InvocationRefused(
        f"Invalid input. The {form} body is not a valid dataframe representation. Error: '{reason}'"
    )


def _unusable(reason: str) -> InvocationRefused:
    return InvocationRefused(
        f"Invalid input. Ensure that the input is a valid JSON-formatted string.\nError: {reason}"
    )
