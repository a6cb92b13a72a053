"""Files of definitions (YAML, JSON, Python), and of rows to be pushed (JSON, CSV, Parquet)."""

import csv
import importlib.util
import json
import re
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec
import yaml

from athanor.features.authoring import collected
from athanor.features.types import Definitions
from athanor.kernel import Invalid
from athanor.kernel.documents import read_yaml

_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|m|h|d|w)\s*")
_WHOLE = re.compile(r"[+-]?(0|[1-9]\d*)")
_NUMBER = re.compile(r"[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_FIELDS = {"entities": ["keys"], "views": ["features"], "on_demand": ["features", "request"]}
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}


def read_definitions(file: Path) -> Definitions:
    """The definitions of a file. A .py file is run here, as the user's own script.

    Raises: BadDefinitionFile.
    """
    if not file.is_file():
        raise BadDefinitionFile(str(file), "there is no such file.")
    if file.suffix == ".py":
        return _of_module(file)
    try:
        found = read_yaml(file.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadDefinitionFile(str(file), " ".join(str(error).split())[:300]) from None
    if not isinstance(found, dict):
        raise BadDefinitionFile(str(file), "it holds no entities, views or services.")
    unknown = sorted(set(found) - set(Definitions.__dataclass_fields__))
    if unknown:
        raise BadDefinitionFile(str(file), f"{unknown[0]!r} is nothing that can be defined.")
    for what, lists in _FIELDS.items():
        for item in found[what] if isinstance(found.get(what), list) else ():
            if not isinstance(item, dict):
                continue
            item.update((name, _fields(item[name])) for name in lists if name in item)
            for name in ("ttl", "max_age"):
                if isinstance(item.get(name), str):
                    item[name] = _seconds(str(file), name, item[name])
    try:
        return msgspec.convert(found, Definitions)
    except msgspec.ValidationError as error:
        raise BadDefinitionFile(str(file), str(error)) from None


def _fields(told: object) -> object:
    """Fields in full: `keys: [customer]` and `features: {spent: number}` say enough."""
    if isinstance(told, dict):
        return [{"name": name, "type": kind or ""} for name, kind in told.items()]
    if isinstance(told, list):
        return [{"name": item} if isinstance(item, str) else item for item in told]
    return told


def rows_told(told: str, texts: Collection[str] = ()) -> list[dict[str, Any]]:
    """Rows given as JSON, by the path of a file with them (or @PATH), or as - for standard input.

    JSON is one object, a list of objects, or one object a line. A file may be CSV or Parquet, too,
    by its ending; in CSV numbers are numbers but for the columns `texts`, and an empty cell is
    missing. Raises: BadRows.
    """
    path = told.removeprefix("@")
    if path.lower().endswith((".csv", ".parquet")):
        return _of_table(path, texts)
    text, where = told, "A row"
    if told == "-":
        text, where = sys.stdin.read(), "Standard input"
    elif not told.lstrip().startswith(("{", "[")):
        where = told.removeprefix("@")
        try:
            text = Path(where).read_text("utf-8-sig")
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
            raise BadRows(where, f"{why}.") from None
    try:
        found = json.loads(text)
    except ValueError as error:
        found = _by_line(text, where, error)
    rows = found if isinstance(found, list) else [found]
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise BadRows(where, f"row {number} is no JSON object but {str(row)[:40]!r}.")
    return rows


def _of_table(path: str, texts: Collection[str]) -> list[dict[str, Any]]:
    try:
        if path.lower().endswith(".parquet"):
            rows: list[dict[str, Any]] = importlib.import_module("athanor.features.frames").rows(
                path
            )
            return rows
        with Path(path).open(newline="", encoding="utf-8-sig") as stream:
            return [_csv_row(row, texts) for row in csv.DictReader(stream, strict=True)]
    except (OSError, ValueError, csv.Error) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadRows(path, f"{why}.") from None


def _csv_row(row: dict[str, Any], texts: Collection[str]) -> dict[str, Any]:
    if None in row or None in row.values():
        raise ValueError(f"a row has more or fewer cells than the header: {str(row)[:60]}")
    return {name: cell if name in texts and cell else _cell(cell) for name, cell in row.items()}


def _cell(text: str) -> Any:
    if text.lower() in {"", "true", "false"}:
        return None if not text else text.lower() == "true"
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def _by_line(text: str, where: str, whole: ValueError) -> list[Any]:
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) < 2:
        raise BadRows(where, f"it is no JSON: {whole}.") from None
    try:
        json.loads(lines[0][1])
    except ValueError:
        raise BadRows(where, f"it is no JSON: {whole}.") from None
    rows = []
    for number, line in lines:
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            raise BadRows(where, f"line {number} is no JSON: {error}.") from None
    return rows


class BadRows(Invalid):
    """Rows to be pushed can't be read."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(
            f"{where}: {what}",
            hint="Give a JSON object, a list of them, or the path of a file with such or with an "
            "object a line (- is standard input), or of a .csv or .parquet file. Nothing was "
            "pushed.",
        )


class BadDefinitionFile(Invalid):
    """A file of definitions can't be read."""

    def __init__(self, file: str, what: str) -> None:
        super().__init__(
            f"{file}: {what}",
            hint="Give YAML or JSON with the lists entities, views, on_demand, services; or a "
            ".py file that makes them with athanor.features.",
        )


def _seconds(file: str, name: str, text: str) -> float:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise BadDefinitionFile(file, f"{name}: {text!r} is no duration such as 90s, 12h or 3.5d.")
    return float(found[1]) * _SECONDS[found[2]]


def _of_module(file: Path) -> Definitions:
    spec = importlib.util.spec_from_file_location("athanor_feature_definitions", file)
    if spec is None or spec.loader is None:
        raise BadDefinitionFile(str(file), "it can't be loaded.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(file.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise BadDefinitionFile(str(file), f"{type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)
    found = collected(vars(module).values())
    if found == Definitions():
        raise BadDefinitionFile(str(file), "it makes no entities, views or services.")
    return found
