"""Kinds of expectations, and suites from elsewhere, over HTTP."""

from typing import Annotated

from athanor.data.service.checks import Checks
from athanor.data.types.checks import ExpectationKind, ImportedSuite, SuiteOrder
from athanor.kernel.http import Caller, provide, room_router

router = room_router("data")
TheChecks = Annotated[Checks, provide(Checks)]


@router.get("/expectation-kinds", name="expectation_kinds")
def kinds(who: Caller, checks: TheChecks) -> list[ExpectationKind]:
    """All kinds of expectations, with what they take."""
    return checks.kinds(who)


@router.post("/datasets/{name}/suites", status_code=201, name="import_suite")
def import_suite(name: str, order: SuiteOrder, who: Caller, checks: TheChecks) -> ImportedSuite:
    """A suite of pandera or Great Expectations as expectations."""
    return checks.import_suite(who, name, order.suite, keep=order.keep)
