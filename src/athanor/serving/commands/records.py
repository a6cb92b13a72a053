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
    if isinstance(found, dict):
        found = found.get("records", [found])
    if found is None:
        try:
            found = [json_module.loads(line) for line in text.splitlines() if line.strip()]
        except json_module.JSONDecodeError as error:
            raise FileUnreadable(file, str(error)) from error
    if not all(isinstance(row, dict) for row in found):
        raise FileUnreadable(file, "it holds something else than objects")
    yield from found


def _cell(text: str | None) -> Any:
    if text is None or text == "":
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
