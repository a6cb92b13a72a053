"""How many rows the logs have grown by, counted cheaply: a look costs a process."""

from collections.abc import Iterable
from pathlib import Path


class Tally:
    """Counts the lines that segments gain.

    Rows that are moved from a segment into a table were counted as its lines; those that were
    there before the first count do not matter, because the first look looks at everything.
    """

    def __init__(self) -> None:
        self._read: dict[str, int] = {}
        """Bytes counted, by path."""
        self.rows = 0
        """Lines seen so far."""

    def count(self, paths: Iterable[str]) -> int:
        """Count what is new in these segments; all lines seen so far."""
        listed = list(paths)
        for path in listed:
            begin = self._read.get(path, 0)
            try:
                if Path(path).stat().st_size == begin:
                    continue
                with Path(path).open("rb") as file:
                    file.seek(begin)
                    data = file.read()
            except FileNotFoundError:
                continue
            self.rows += data.count(b"\n")
            self._read[path] = begin + len(data)
        for path in self._read.keys() - set(listed):
            self._read.pop(path)
        return self.rows
