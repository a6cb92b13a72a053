"""Batch predictions over HTTP."""

import asyncio
import contextlib
import time
from typing import Annotated

from fastapi import Query, Request
from starlette.concurrency import run_in_threadpool

from athanor.kernel.http import Caller, provide, room_router
from athanor.kernel.nearness import Near
from athanor.pipelines import RunNews
from athanor.serving.service.batches import Batches
from athanor.serving.types.batches import Batch, BatchFile, NewBatch

router = room_router("serving")
_PIECE = 1 << 20
"""Bytes that are written at once."""
TheBatches = Annotated[Batches, provide(Batches)]
TheNews = Annotated[RunNews, provide(RunNews)]
_LOOK_SECONDS = 1.0


@router.put("/batch-files", status_code=201)
async def add_file(
    request: Request,
    who: Caller,
    near: Near,
    batches: TheBatches,
    file: str,
    path: str = "",
    seal: str = "",
) -> BatchFile:
    """Keep the body, a file of any size, so that batches can name it.

    A client on this machine may name the file's `path` instead, with its seal.
    """
    if path:
        return await run_in_threadpool(batches.add_near, who, file, path, seal, near=near)
    waiting: list[bytes] = []
    size = 0
    with batches.add_file(who, file) as arriving:
        async for piece in request.stream():
            waiting.append(piece)
            size += len(piece)
            if size >= _PIECE:
                await run_in_threadpool(arriving.write, b"".join(waiting))
                waiting, size = [], 0
        await run_in_threadpool(arriving.write, b"".join(waiting))
        return await run_in_threadpool(arriving.keep)


@router.post("/batches", status_code=202)
def submit(new: NewBatch, who: Caller, batches: TheBatches) -> Batch:
    """Have a model version predict the rows of a dataset, a query or files."""
    return batches.submit(who, new)


@router.get("/batches")
def list_batches(
    who: Caller,
    batches: TheBatches,
    state: str = "",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> list[Batch]:
    """Batch predictions, newest first."""
    return batches.list(who, state=state, limit=limit)


@router.get("/batches/{batch_id}")
async def get(
    batch_id: str,
    who: Caller,
    batches: TheBatches,
    news: TheNews,
    wait: Annotated[float, Query(ge=0, le=30)] = 0.0,
) -> Batch:
    """One batch prediction, and how far it is; with `wait`, as soon as it has ended.

    It waits for so many seconds at most.
    """
    ends = time.monotonic() + wait
    with news.of(batch_id) as heard:
        found = await run_in_threadpool(batches.get, who, batch_id)
        while not found.ended and (left := ends - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                # Another process may end it too: look again now and then.
                await asyncio.wait_for(heard.wait(), min(left, _LOOK_SECONDS))
            heard.clear()
            found = await run_in_threadpool(batches.get, who, batch_id)
    return found


@router.post("/batches/{batch_id}/cancel")
def cancel(batch_id: str, who: Caller, batches: TheBatches) -> Batch:
    """Stop a batch prediction."""
    return batches.cancel(who, batch_id)


@router.post("/batches/{batch_id}/resume")
def resume(batch_id: str, who: Caller, batches: TheBatches) -> Batch:
    """Go on with a batch prediction that failed or was cancelled."""
    return batches.resume(who, batch_id)
