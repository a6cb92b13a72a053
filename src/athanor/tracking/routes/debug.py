"""What is wrong with trainings, over HTTP."""

from typing import Annotated

from athanor.kernel.http import Caller, provide, room_router
from athanor.tracking.hints import Diagnosis
from athanor.tracking.service.debug import Debug

router = room_router("tracking")
TheDebug = Annotated[Debug, provide(Debug)]


@router.get("/runs/{run_id}/hints")
def diagnosis(run_id: str, who: Caller, debug: TheDebug) -> Diagnosis:
    """What is wrong with a run as far as it was judged, and whether it should stop."""
    return debug.diagnosis(who, run_id)


@router.post("/runs/{run_id}/hints")
def judge(run_id: str, who: Caller, debug: TheDebug) -> Diagnosis:
    """Judge a run now, with its model and its files."""
    return debug.judge(who, run_id, whole=True)
