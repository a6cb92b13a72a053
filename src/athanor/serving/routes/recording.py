"""The prediction log's settings over HTTP."""

from typing import Annotated

from athanor.kernel.http import Caller, provide, room_router
from athanor.serving.service import Recording
from athanor.serving.types.recording import LogPolicy, LogStatus

router = room_router("serving")
TheRecording = Annotated[Recording, provide(Recording)]


@router.get("/endpoints/{name}/log")
def log_policy(name: str, who: Caller, serving: TheRecording) -> LogPolicy:
    """How the endpoint's predictions are logged."""
    return serving.log_policy(who, name)


@router.put("/endpoints/{name}/log")
def keep_log(name: str, policy: LogPolicy, who: Caller, serving: TheRecording) -> LogPolicy:
    """Log the endpoint's predictions in this way: durability, sample, columns to redact."""
    return serving.keep_log(who, name, policy)


@router.get("/endpoints/{name}/log/status")
def log_status(name: str, who: Caller, serving: TheRecording) -> LogStatus:
    """How the endpoint's predictions are logged, and how far the log is behind."""
    return serving.log_status(who, name)
