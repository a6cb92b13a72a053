"""What one transaction of the engine adds, noted first and written at its end.

A statement for each kind of row, and not one for each row: in a fan-out several tasks end and
begin at once, and in a chain one begins where another ends.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

from athanor.kernel import Database, Events, Happening, Principal
from athanor.lineage import Lineage, Run, RunEnd


@dataclass(slots=True)
class Book:
    """What is to be written."""

    opened: list[Run] = field(default_factory=list)
    ended: list[RunEnd] = field(default_factory=list)
    told: list[tuple[Principal, tuple[str, Happening]]] = field(default_factory=list)


class Books:
    """The book of each thread's transaction."""

    def __init__(self, database: Database, lineage: Lineage, events: Events) -> None:
        self._database = database
        self._lineage = lineage
        self._events = events
        self._open: ContextVar[Book | None] = ContextVar("book", default=None)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is noted inside is one transaction: all of it, or nothing.

        After a power cut, steps that it was to remember may run once more: what ends a run, and
        with that tells somebody that all is done, has itself made durable.
        """
        with self._database.transaction(flat=True, durable=False):
            book = Book()
            token = self._open.set(book)
            try:
                yield
            finally:
                self._open.reset(token)
            self._write(book)

    @contextmanager
    def noting(self) -> Iterator[Book]:
        """The book of the transaction under way; where there is none, one that is written next."""
        if (found := self._open.get()) is not None:
            yield found
            return
        with self._database.transaction():
            book = Book()
            yield book
            self._write(book)

    def _write(self, book: Book) -> None:
        if book.opened or book.ended:
            self._lineage.keep_tasks(book.opened, book.ended)
        for who, news in groupby(book.told, itemgetter(0)):
            self._events.tell_each(who, [told for _, told in news])
