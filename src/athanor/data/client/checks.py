"""Kinds of expectations, and suites from elsewhere, over a transport."""

from collections.abc import Mapping
from typing import Any

from athanor.data.types.checks import ExpectationKind, ImportedSuite, SuiteOrder
from athanor.kernel import Transport
from athanor.kernel.transport import segment


class ChecksClient:
    """What expectations there can be, and those that other tools wrote."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def kinds(self) -> list[ExpectationKind]:
        """All kinds of expectations, with what they take."""
        return self._transport.send("GET", "/expectation-kinds").read(list[ExpectationKind])

    def import_suite(
        self, name: str, suite: Mapping[str, Any], *, keep: bool = False
    ) -> ImportedSuite:
        """A suite of pandera or Great Expectations as expectations; kept if that is asked for."""
        body = SuiteOrder(suite=dict(suite), keep=keep)
        answer = self._transport.send("POST", f"/datasets/{segment(name)}/suites", body=body)
        return answer.read(ImportedSuite)
