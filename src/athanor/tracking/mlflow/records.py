"""Requests as records: JSON or a query string, read the way protobuf's JSON is read.

Names come in snake or camel case, 64-bit numbers as numbers or texts, doubles also as the texts
`NaN`, `Infinity` and `-Infinity`; unknown fields are ignored and null is a field left out. A body
that is plain and right is decoded by msgspec in one go; anything else takes the long way, which
finds out what to say.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from athanor.tracking.mlflow.failures import MlflowError, invalid

_SEE = " See the API docs for more information about request parameters."
_INT64 = 1 << 63
_SMALL = 8192
_LONG = re.compile(rb"[0-9]{19}")

Required = Annotated[str, msgspec.Meta(min_length=1)]
"""A text that has to be there and not empty."""


class Record(msgspec.Struct, omit_defaults=True):
    """A request's form. A field without a default is required; those stand first.

    Types: `Required`, `str`, `int` (64 bits), `float`, `bool`, `list[...]`, `dict[str, ...]`,
    other Records, `Any` (raw JSON), and each of them `| None`. An enumeration is a `str`.
    """


R = TypeVar("R", bound=Record)


def missing(name: str) -> MlflowError:
    """The refusal of a request without a required parameter."""
    return invalid(f"Missing value for required parameter '{name}'.{_SEE}")


def unfit(name: str, value: object) -> MlflowError:
    """The refusal of a parameter of the wrong type."""
    try:
        shown = json.dumps(value, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError):
        shown = repr(value)
    except RecursionError:
        shown = "[...]"
    hint = f" Hint: Value was of type '{type(value).__name__}'."
    return invalid(f"Invalid value {shown[:500]} for parameter '{name}' supplied: {hint}{_SEE}")


def read_json(body: bytes, form: type[R]) -> R:
    """A body as a record.

    Raises: MlflowError.
    """
    plan = _plan(form)
    plain = body.islower() or plan.odd.search(body) is None
    if plain and not _has_long_number(body):
        try:
            read: R = plan.decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
        else:
            return read
    return _from_mapping(_parsed(body), form)


def _has_long_number(body: bytes) -> bool:
    """Whether a number may be beyond 64 bits; of large bodies the database says so."""
    return len(body) < _SMALL and _LONG.search(body) is not None


def read_query(query: Mapping[str, Sequence[str]], form: type[R]) -> R:
    """A query string as a record: fields that hold lists take every value, others the first.

    Raises: MlflowError.
    """
    given: dict[str, Any] = {}
    for field in _plan(form).fields:
        values = query.get(field.name)
        if values is None:
            continue
        if field.kind == "list":
            given[field.name] = list(values)
        elif field.kind is bool:
            if values[0].lower() not in {"true", "false"}:
                raise invalid(f"Invalid boolean value: {values[0]}, must be 'true' or 'false'.")
            given[field.name] = values[0].lower() == "true"
        else:
            given[field.name] = values[0]
    return _from_mapping(given, form)


class _Field(msgspec.Struct, frozen=True):
    name: str
    camel: str
    kind: Any
    """A type; `"list"` or `"dict"`, whose elements are `inner`."""
    inner: Any
    required: bool
    filled: bool
    """Whether an empty text counts as missing."""


class _Plan(msgspec.Struct, frozen=True):
    fields: tuple[_Field, ...]
    camel_marks: tuple[bytes, ...]
    odd: re.Pattern[bytes]
    """Finds any of them."""
    decoder: Any


@cache
def _plan(form: type[Record]) -> _Plan:
    hints = get_type_hints(form, include_extras=True)
    fields = []
    marks: set[bytes] = set()
    for known in msgspec.structs.fields(form):
        hint = hints[known.name]
        kind, inner = _shape(hint)
        fields.append(
            _Field(
                name=known.name,
                camel=_camel(known.name),
                kind=kind,
                inner=inner,
                required=known.required,
                filled=hint == Required,
            )
        )
        if _camel(known.name) != known.name:
            marks.add(f'"{_camel(known.name)}"'.encode())
        nested = inner if kind in {"list", "dict"} else kind
        if isinstance(nested, type) and issubclass(nested, Record):
            marks.update(_plan(nested).camel_marks)
    camel_marks = tuple(sorted(marks))
    odd = re.compile(b"|".join(map(re.escape, camel_marks)) or b"(?!)")
    return _Plan(tuple(fields), camel_marks, odd, msgspec.json.Decoder(form))


def _shape(hint: Any) -> tuple[Any, Any]:
    """What a type hint holds: its kind, and the elements' type of a list or a mapping."""
    origin = get_origin(hint)
    if origin is Annotated:
        return _shape(get_args(hint)[0])
    if origin in {Union, UnionType}:
        (inner,) = (part for part in get_args(hint) if part is not type(None))
        return _shape(inner)
    if origin is list:
        return "list", _shape(get_args(hint)[0])[0]
    if origin is dict:
        return "dict", _shape(get_args(hint)[1])[0]
    return hint, None


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _parsed(body: bytes) -> dict[str, Any]:
    """The body as a mapping; old clients send their JSON encoded twice."""
    try:
        found = json.loads(body) if body.strip() else {}
        if isinstance(found, str):
            found = json.loads(found)
    except (ValueError, RecursionError):
        # As in MLflow, what is no JSON is an empty request: the answer names what is missing.
        return {}
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise MlflowError("BAD_REQUEST", "The request's body has to be a JSON object.")
    return found


def _from_mapping(given: Mapping[str, Any], form: type[R], path: str = "") -> R:
    values: dict[str, Any] = {}
    for field in _plan(form).fields:
        if field.camel != field.name and field.camel in given and field.name in given:
            raise invalid(
                f"Request specifies both '{field.name}' and '{field.camel}'; "
                "provide only one of them."
            )
        value = given.get(field.name, given.get(field.camel))
        if value is None and field.name == "run_id":
            value = given.get("run_uuid")  # its name of old, which some clients send alone
        if field.required and (value is None or (field.filled and value == "")):
            raise missing(path + field.name)
        if value is None:
            continue
        values[field.name] = _read_field(field, value, path + field.name)
    return form(**values)


def _read_field(field: _Field, value: Any, name: str) -> Any:
    if field.kind == "list":
        if not isinstance(value, list):
            raise unfit(name, value)
        return [_read(field.inner, item, f"{name}[{at}]", value) for at, item in enumerate(value)]
    if field.kind == "dict":
        if not isinstance(value, dict):
            raise unfit(name, value)
        return {key: _read(field.inner, item, f"{name}.{key}", item) for key, item in value.items()}
    return _read(field.kind, value, name, value)


def _read(kind: Any, value: Any, name: str, shown: Any) -> Any:
    """One value as its kind. Raises: MlflowError that shows `shown`."""
    if kind is Any:
        return value
    if isinstance(kind, type) and issubclass(kind, Record):
        if not isinstance(value, dict):
            raise unfit(name.partition("[")[0], shown)
        return _from_mapping(value, kind, f"{name}.")
    read = _READERS[kind](value)
    if read is None:
        raise unfit(name.partition("[")[0], shown)
    return read


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _whole(value: object) -> int | None:
    """A 64-bit number, also as a text or as a double without a fraction."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if value != value.strip():
            return None
        try:
            value = int(value)
        except ValueError:
            value = _number(value)  # "1.0" and "1e3" are whole, as protobuf reads them
    if isinstance(value, float):
        if not value.is_integer():
            return None
        value = int(value)
    return value if isinstance(value, int) and -_INT64 <= value < _INT64 else None


_NAMED = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def _number(value: object) -> float | None:
    """A double; NaN and infinities only as texts, so that 1e400 is an error and no infinity."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if value in _NAMED:
            return _NAMED[value]
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, int):
        try:
            value = float(value)
        except OverflowError:
            return None
    return value if isinstance(value, float) and math.isfinite(value) else None


_READERS: dict[Any, Any] = {str: _text, bool: _truth, int: _whole, float: _number}
