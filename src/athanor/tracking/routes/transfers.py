"""Arrivals and departures over HTTP."""

from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated

import msgspec
from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from athanor.kernel.http import Caller, provide, room_router
from athanor.tracking.errors import BadContent
from athanor.tracking.records import (
    ExperimentHere,
    ExperimentRecord,
    FileRecord,
    LoggedModelRecord,
    RunRecord,
)
from athanor.tracking.service.arrivals import Arrivals
from athanor.tracking.service.departures import Departures

_IN_MEMORY = 8 << 20
_LONGEST_LIST = 1 << 20

router = room_router("tracking")
TheArrivals = Annotated[Arrivals, provide(Arrivals)]
TheDepartures = Annotated[Departures, provide(Departures)]


@router.post("/transfers/wanted")
def wanted(marks: dict[str, str], who: Caller, arrivals: TheArrivals) -> list[str]:
    """Which owners have not arrived with these marks."""
    return arrivals.wanted(who, marks)


@router.post("/transfers/experiments")
def take_experiments(
    records: list[ExperimentRecord], who: Caller, arrivals: TheArrivals
) -> list[ExperimentHere]:
    """Find experiments by project and name, or make them."""
    return arrivals.take_experiments(who, records)


@router.post("/transfers/runs")
def take_runs(records: list[RunRecord], who: Caller, arrivals: TheArrivals) -> list[str]:
    """Take in runs with all but their files; the ids of new ones."""
    return arrivals.take_runs(who, records)


@router.post("/transfers/logged-models")
def take_logged_models(
    records: list[LoggedModelRecord], who: Caller, arrivals: TheArrivals
) -> list[str]:
    """Take in logged models with all but their files; the ids of new ones."""
    return arrivals.take_logged_models(who, records)


@router.post("/transfers/files")
def take_files(files: dict[str, list[FileRecord]], who: Caller, arrivals: TheArrivals) -> list[str]:
    """Put files in their places, by owner; the digests of content that is not here yet."""
    return arrivals.take_files(who, files)


@router.post("/transfers/lacking")
def lacking(digests: list[str], who: Caller, arrivals: TheArrivals) -> list[str]:
    """Which of these contents are not here."""
    return arrivals.lacking(who, digests)


@router.put("/transfers/content", status_code=204)
async def take_content(request: Request, who: Caller, arrivals: TheArrivals) -> None:
    """Take in the bytes of files: a line of JSON (pairs of digest and size), then their bytes."""
    with SpooledTemporaryFile(max_size=_IN_MEMORY) as kept:
        async for piece in request.stream():
            await run_in_threadpool(kept.write, piece)
        kept.seek(0)
        await run_in_threadpool(_take, arrivals, who, kept)


def _take(arrivals: Arrivals, who: Caller, kept: IO[bytes]) -> None:
    try:
        listed = msgspec.json.decode(kept.readline(_LONGEST_LIST), type=list[tuple[str, int]])
    except msgspec.MsgspecError as error:
        raise BadContent(str(error)) from error
    arrivals.take_content(who, listed, kept)


@router.post("/transfers/settled", status_code=204)
def settle(marks: dict[str, str], who: Caller, arrivals: TheArrivals) -> None:
    """Say that owners have arrived whole."""
    arrivals.settle(who, marks)


@router.get("/transfers/experiments")
def give_experiments(
    who: Caller, departures: TheDepartures, *, project: str = "default"
) -> list[ExperimentRecord]:
    """A project's experiments, deleted ones too."""
    return departures.give_experiments(who, project)


@router.get("/transfers/runs")
def give_runs(
    who: Caller, departures: TheDepartures, *, experiment: str, after: str = ""
) -> list[RunRecord]:
    """The next runs of an experiment behind one, by id."""
    return departures.give_runs(who, experiment, after=after)


@router.get("/transfers/logged-models")
def give_logged_models(
    who: Caller, departures: TheDepartures, *, experiment: str, after: str = ""
) -> list[LoggedModelRecord]:
    """The next 100 logged models of an experiment behind one, by id."""
    return departures.give_logged_models(who, experiment, after=after)


@router.get("/transfers/files/{owner}")
def give_files(owner: str, who: Caller, departures: TheDepartures) -> list[FileRecord]:
    """The files of a run or a logged model."""
    return departures.give_files(who, owner)


@router.get("/transfers/content/{owner}", response_class=StreamingResponse)
def give_content(
    owner: str, path: str, who: Caller, departures: TheDepartures
) -> StreamingResponse:
    """A file's bytes."""
    pieces: Iterator[bytes] = departures.give_content(who, owner, path)
    return StreamingResponse(pieces, media_type="application/octet-stream")
