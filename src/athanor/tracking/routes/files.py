"""The artifact tree over HTTP."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from athanor.kernel import DEFAULT_PROJECT
from athanor.kernel.http import Caller, provide, room_router
from athanor.tracking.files import FileEntry, SentPart, Upload
from athanor.tracking.service.files import PartReception, Reception, RunFiles

router = room_router("tracking")
TheFiles = Annotated[RunFiles, provide(RunFiles)]
Project = Annotated[str, Query(max_length=255)]

_PIECE = 1 << 20
_SAFE = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox; default-src 'none'",
    "content-disposition": "attachment",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUpload:
    """A file that will come in parts."""

    path: str
    parts: int
    """1 to 10,000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedUpload:
    """All parts were sent."""

    parts: list[SentPart] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPart:
    """A part that has arrived."""

    etag: str
    """The sha256 of its bytes, in hex."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What a deletion took away."""

    files: int


@router.get("/files")
def listing(
    who: Caller,
    files: TheFiles,
    path: str = "",
    *,
    deep: bool = False,
    project: Project = DEFAULT_PROJECT,
) -> list[FileEntry]:
    """What stands in a folder; with `deep`, all files below it."""
    if deep:
        return files.tree(who, path, project=project)
    return files.listing(who, path, project=project)


@router.get("/files/{path:path}", response_class=StreamingResponse)
def read(
    path: str, who: Caller, files: TheFiles, project: Project = DEFAULT_PROJECT
) -> StreamingResponse:
    """A file's bytes."""
    entry = files.file(who, path, project=project)
    headers = {**_SAFE, "content-length": str(entry.size), "etag": f'"{entry.digest}"'}
    return StreamingResponse(
        files.read(who, entry), media_type="application/octet-stream", headers=headers
    )


@router.put("/files/{path:path}", status_code=201)
async def put(
    path: str,
    request: Request,
    who: Caller,
    files: TheFiles,
    project: Project = DEFAULT_PROJECT,
) -> FileEntry:
    """Write a file; the body is its bytes."""
    with files.receive(who, path, project=project) as reception:
        await _take(request, reception)
        return await run_in_threadpool(reception.keep)


@router.delete("/files/{path:path}")
def delete(path: str, who: Caller, files: TheFiles, project: Project = DEFAULT_PROJECT) -> Deleted:
    """Take away a file, or a folder with all below it."""
    return Deleted(files=files.delete(who, path, project=project))


@router.post("/uploads", status_code=201)
def begin_upload(
    new: NewUpload, who: Caller, files: TheFiles, project: Project = DEFAULT_PROJECT
) -> Upload:
    """Announce a file that comes in parts."""
    return files.begin_upload(who, new.path, new.parts, project=project)


@router.put("/uploads/{upload_id}/{number}")
async def receive_part(
    upload_id: str, number: int, request: Request, who: Caller, files: TheFiles
) -> KeptPart:
    """Send one part; the body is its bytes."""
    with files.receive_part(who, upload_id, number) as reception:
        await _take(request, reception)
        return KeptPart(etag=await run_in_threadpool(reception.keep))


@router.post("/uploads/{upload_id}/complete")
def complete_upload(
    upload_id: str, sent: CompletedUpload, who: Caller, files: TheFiles
) -> FileEntry:
    """Put the parts together."""
    return files.complete_upload(who, upload_id, sent.parts)


@router.delete("/uploads/{upload_id}", status_code=204)
def abort_upload(upload_id: str, who: Caller, files: TheFiles) -> None:
    """Forget an upload."""
    files.abort_upload(who, upload_id)


async def _take(request: Request, reception: Reception | PartReception) -> None:
    waiting = bytearray()
    async for piece in request.stream():
        waiting += piece
        if len(waiting) >= _PIECE:
            await run_in_threadpool(reception.write, bytes(waiting))
            waiting.clear()
    if waiting:
        await run_in_threadpool(reception.write, bytes(waiting))
