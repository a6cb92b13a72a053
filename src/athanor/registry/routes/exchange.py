"""Whole models over HTTP, in one archive."""

import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from athanor.kernel.http import Caller, provide, room_router
from athanor.registry.errors import UploadTooLarge
from athanor.registry.records import ModelArrival, NewCode
from athanor.registry.service.exchange import Exchange
from athanor.registry.types import ModelVersion

router = room_router("registry")
TheExchange = Annotated[Exchange, provide(Exchange)]
MOST_BYTES = 8 << 30
"""Of an archive that is sent."""


async def received(request: Request, target: Path) -> Path:
    """Write a request's body to a file, in constant memory.

    Raises: UploadTooLarge.
    """
    size = 0
    with target.open("wb") as stream:
        async for chunk in request.stream():
            size += len(chunk)
            if size > MOST_BYTES:
                raise UploadTooLarge("more bytes", f"{MOST_BYTES:,} bytes")
            stream.write(chunk)
    return target


def attachment(name: str) -> dict[str, str]:
    """Headers that have a browser keep an answer as a file, and not show it."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    return {
        "content-disposition": f'attachment; filename="{plain}"',
        "x-content-type-options": "nosniff",
    }


@router.get("/models/{name}/archive", response_class=StreamingResponse)
def give_whole(name: str, who: Caller, exchange: TheExchange) -> StreamingResponse:
    """A model with all its versions as a zip archive."""
    return StreamingResponse(
        exchange.give_whole(who, name),
        media_type="application/zip",
        headers=attachment(f"{name}.zip"),
    )


@router.post("/models/{name}/code", status_code=201)
def take_code(name: str, new: NewCode, who: Caller, exchange: TheExchange) -> ModelVersion:
    """Make a model's next version of a user's own Python, maybe around a registered version."""
    return exchange.take_code(who, replace(new, model=name))


@router.put("/model-archives", status_code=201)
async def take_whole(
    request: Request, who: Caller, exchange: TheExchange, *, name: str = "", project: str = ""
) -> ModelArrival:
    """Take in a model with all its versions, numbers kept."""
    with TemporaryDirectory(prefix="athanor-upload-") as place:
        archive = await received(request, Path(place) / "model.zip")
        return await run_in_threadpool(
            exchange.take_whole, who, archive, name=name, project=project
        )
