"""What is wrong with trainings, over a transport."""

from athanor.kernel import Transport
from athanor.kernel.transport import segment
from athanor.tracking.hints import Diagnosis


class DebugClient:
    """Hints on runs."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def diagnosis(self, run_id: str) -> Diagnosis:
        """What is wrong with a run as far as it was judged, and whether it should stop."""
        return self._transport.send("GET", _path(run_id)).read(Diagnosis)

    def judge(self, run_id: str) -> Diagnosis:
        """Judge a run now, with its model and its files."""
        return self._transport.send("POST", _path(run_id)).read(Diagnosis)


def _path(run_id: str) -> str:
    return f"/runs/{segment(run_id)}/hints"
