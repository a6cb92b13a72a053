"""The verbs of reports over a transport."""

from athanor.kernel import Transport
from athanor.kernel.transport import segment
from athanor.responsible.types import Contents, Indicator, Report


class ReportsClient:
    """Evaluation reports."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def reports(self, *, limit: int = 50) -> list[Report]:
        """The newest reports, newest first."""
        answer = self._transport.send("GET", "/reports", query={"limit": limit})
        return answer.read(list[Report])

    def report(self, report_id: str) -> Contents:
        """A report with all its data; `latest` is the newest one, `churn@champion` a model's."""
        return self._transport.send("GET", _path(report_id)).read(Contents)

    def page(self, report_id: str) -> bytes:
        """A report as one self-contained HTML page, named as for `report`."""
        return self._transport.send("GET", f"{_path(report_id)}/page").content

    def indicators(self) -> list[Indicator]:
        """What each figure of a report means."""
        return self._transport.send("GET", "/indicators").read(list[Indicator])


def _path(report_id: str) -> str:
    return f"/reports/{segment(report_id)}"
