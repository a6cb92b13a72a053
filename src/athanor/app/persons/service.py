"""Person trace and erase: every room is asked, and what was done leaves an audit record."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from athanor.app.persons.columns import Columns
from athanor.app.persons.derived import Derived, DerivedHolder
from athanor.app.persons.holders import DescentHolder
from athanor.app.persons.stored import StoredHolder
from athanor.kernel import Access, Events, Invalid, Principal
from athanor.kernel.holder import Holder, Holding, Person

_log = logging.getLogger(__name__)

FAILURE = "failure"
"""The kind of a holding that tells which holder could not erase, and why."""


class NobodyNamed(Invalid):
    """No column, or no value."""

    def __init__(self) -> None:
        super().__init__(
            "A person is named by a column and its value.",
            hint="Such as: athanor person trace customer 4711",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What to do about a person."""

    column: str
    value: str
    dry_run: bool = True
    """Tell what would go; nothing goes."""
    derived: Derived = "name"
    """Of datasets that were made of the rows and lost the column: `name` them, `rebuild` those that
    a recipe made, or `purge` them."""


class Persons:
    """Asks all holders; of what versions held, also what came of it."""

    def __init__(
        self,
        holders: Sequence[Holder],
        descent: DescentHolder,
        *,
        derived: DerivedHolder,
        stored: StoredHolder,
        columns: Columns,
        events: Events,
        access: Access,
    ) -> None:
        self._holders = holders
        self._descent = descent
        self._derived = derived
        self._stored = stored
        self._columns = columns
        self._events = events
        self._access = access

    def trace(self, who: Principal, person: Person) -> list[Holding]:
        """What holds a person's rows or came of them.

        Raises: NobodyNamed, ColumnUnknown.
        """
        self._access.require(who, "persons.trace", person.column)
        _check(person)
        found = [item for holder in self._holders for item in holder.holdings(person, who)]
        roots = _roots(found)
        found += self._derived.holdings(person, who, roots)
        found += self._descent.holdings(person, who, roots)
        known = {item.id for item in found}
        for root, name in self._derived.erased_before(person, who, roots).items():
            note = f"trained on {name}, erased since, which may have held such rows"
            made = self._descent.holdings(person, who, [root])
            found += [replace(item, note=note) for item in made
                      if item.kind == "model" and item.id not in known]  # fmt: skip
            known |= {item.id for item in made}
        found += self._stored.holdings(person, who, found)
        if not found:
            self._columns.check(person, who)
        return found

    def erase(self, who: Principal, erasure: Erasure) -> list[Holding]:
        """Remove a person's rows everywhere and mark the models that learnt from them.

        Everything is searched before anything goes. Where one holder then fails, the others go on:
        the failure is told as a holding of kind `failure`, and another erasure takes what is left.
        The audit record names the column and the value's SHA-256, not the value.
        Raises: NobodyNamed, ColumnUnknown.
        """
        self._access.require(who, "persons.erase", erasure.column)
        person = Person(column=erasure.column, value=erasure.value)
        found = self.trace(who, person)
        if erasure.dry_run:
            return found
        roots = _roots(found)
        steps: list[tuple[object, Callable[[], list[Holding]]]] = [
            (self._descent, lambda: self._descent.erase(person, who, roots)),
            *((holder, partial(holder.erase, person, who)) for holder in self._holders),
            (self._derived, lambda: self._derived.erase(person, who, roots, erasure.derived)),
            (self._stored, lambda: self._stored.erase(person, who)),
        ]
        done: list[Holding] = []
        failed: list[str] = []
        for holder, step in steps:
            try:
                done += step()
            except Exception as error:  # noqa: BLE001 - what went is told all the same
                _log.exception("An erasure of a person's rows failed in part")
                name = type(holder).__name__.removesuffix("Holder").lower()
                failed.append(f"{name}: {type(error).__name__}")
                note = f"NOT erased: {error} Erase once more: it goes on where this one ended."
                done.append(Holding(room="persons", kind=FAILURE, name=name, note=note))
        digest = hashlib.sha256(person.value.encode()).hexdigest()
        detail = {
            "column": person.column,
            "value_sha256": digest,
            "erased": [f"{item.kind} {item.name}" for item in done if item.erased],
            "marked": [item.name for item in done if item.kind == "model"],
            "left": [f"{item.kind} {item.name}: {item.note}" for item in done
                     if item.note and not item.erased and item.kind not in {"model", FAILURE}],
            "failed": failed,
        }  # fmt: skip
        self._events.tell(who, "governance.person.erased", f"sha256:{digest}", detail)
        return done


def _check(person: Person) -> None:
    if not person.column or not person.value:
        raise NobodyNamed


def _roots(found: Sequence[Holding]) -> list[str]:
    return [item.id for item in found if item.kind == "version" and item.id]
