"""Records out of files that commands are given."""

import csv
import json as json_module
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from athanor.kernel.errors import Invalid


class FileUnreadable(Invalid):
    """A file that is neither CSV with a header nor JSON records."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"{path} can't be read: {problem}.",
            hint="Give a CSV file with a header line, a JSON list of objects, or JSON lines.",
        )


def records_told(text: str) -> Iterator[dict[str, Any]]:
    """Records out of JSON that was given in place of a file: `{...}`, `[{...}]`; else a file's.

    Raises: FileUnreadable.
    """
    if text.lstrip()[:1] not in {"[", "{"}:
        yield from records_of(Path(text))
        return
    given = Path("The JSON that was given")
    try:
        found = json_module.loads(text)
    except json_module.JSONDecodeError as error:
        raise FileUnreadable(given, str(error)) from error
    yield from _rows_in(found, given)


def records_of(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a CSV file (numbers as numbers, empty cells as null) or of a JSON file."""
    if file.suffix.lower() == ".csv":
        try:
            with file.open(newline="", encoding="utf-8-sig") as stream:
                for row in csv.DictReader(stream):
                    yield {name: _cell(text) for name, text in row.items()}
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise FileUnreadable(file, str(error)) from error
        return
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8-sig")
        found = json_module.loads(text) if text.lstrip()[:1] in {"[", "{"} else None
    except (OSError, UnicodeDecodeError) as error:
        raise FileUnreadable(file, str(error)) from error
    except json_module.JSONDecodeError:
        found = None
    if found is None:
        try:
            found = [json_module.loads(line) for line in text.splitlines() if line.strip()]
        except json_module.JSONDecodeError as error:
            raise FileUnreadable(file, str(error)) from error
    yield from _rows_in(found, file)


def _rows_in(found: Any, where: Path) -> list[dict[str, Any]]:
    """The objects in what JSON says. Raises: FileUnreadable."""
    rows = found.get("records", [found]) if isinstance(found, dict) else found
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise FileUnreadable(where, "it holds something else than objects")
    return rows


def _cell(text: str | None) -> Any:
    if text is None or text == "":
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
