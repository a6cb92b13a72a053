"""Person trace and erase over HTTP."""

from typing import TYPE_CHECKING

from fastapi import APIRouter

from athanor.app.persons.service import Erasure, Persons
from athanor.kernel.holder import Holding, Person
from athanor.kernel.http import Caller, room_router

if TYPE_CHECKING:
    from athanor.app.house import House


def person_routes(house: "House") -> APIRouter:
    """The routes over a house."""
    router = room_router("persons")

    @router.post("/persons/trace")
    def trace_person(person: Person, who: Caller) -> list[Holding]:
        """What holds a person's rows, or came of them."""
        persons: Persons = house.services[Persons]
        return persons.trace(who, person)

    @router.post("/persons/erase")
    def erase_person(erasure: Erasure, who: Caller) -> list[Holding]:
        """Remove a person's rows everywhere; a dry run, which is the default, tells what goes."""
        persons: Persons = house.services[Persons]
        return persons.erase(who, erasure)

    return router
