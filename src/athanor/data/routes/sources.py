"""Versions from elsewhere, and on their way out, over HTTP."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated

from fastapi import Query
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from athanor.data.records import CONTENT_TYPES, ContentFormat, DvcExport, NewSource, SqlExport
from athanor.data.service import Sources, Sql
from athanor.data.types import DatasetVersion
from athanor.kernel.http import Caller, provide, room_router
from athanor.kernel.nearness import Near

router = room_router("data")
TheSources = Annotated[Sources, provide(Sources)]
TheSql = Annotated[Sql, provide(Sql)]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDvcExport:
    """Where a version is to go."""

    folder: str
    """The full path of a folder on the server's machine."""
    remote: str = ""
    """The remote's path or URL; empty: `remote` in that folder."""


@router.post("/datasets/{name}/versions", status_code=201)
def add_from(
    name: str, source: NewSource, who: Caller, near: Near, sources: TheSources
) -> DatasetVersion:
    """Make the next version of what a URL, query, Delta table, folder or .dvc file gives."""
    return sources.add_from(who, name, source, near=near)


@router.get(
    "/datasets/{name}/versions/{number}/content",
    response_class=FileResponse,
    responses={200: {"content": {kind: {} for kind in CONTENT_TYPES.values()}}},
)
def content(
    name: str,
    number: str,
    who: Caller,
    sources: TheSources,
    format: ContentFormat = "parquet",
    part: Annotated[str, Query(description="train, or cv.train: a part of a split")] = "",
) -> FileResponse:
    """All rows of a version, or those of a part of a split, as a file."""
    folder = Path(mkdtemp(prefix="athanor-content-"))
    target = folder / f"{name}.{format}"
    reference = f"{name}@{number}" + (f"#{part}" if part else "")
    try:
        sources.content(who, reference, target, form=format)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _sent(folder, target, CONTENT_TYPES[format])


@router.get("/datasets/{name}/versions/{number}/file", response_class=Response)
def file(name: str, number: str, path: str, who: Caller, sources: TheSources) -> Response:
    """One file of a version that was made of a folder."""
    data = sources.file(who, f"{name}@{number}", path)
    return Response(data, media_type="application/octet-stream")


@router.get("/datasets/{name}/versions/{number}/archive", response_class=FileResponse)
def archive(name: str, number: str, who: Caller, sources: TheSources) -> FileResponse:
    """All files of a version that was made of a folder, as a tar archive."""
    folder = Path(mkdtemp(prefix="athanor-archive-"))
    target = folder / f"{name}.tar"
    try:
        sources.archive(who, f"{name}@{number}", target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _sent(folder, target, "application/x-tar")


@router.post("/datasets/{name}/versions/{number}/dvc", status_code=201)
def export_dvc(
    name: str, number: str, where: NewDvcExport, who: Caller, near: Near, sources: TheSources
) -> DvcExport:
    """Write a version as a DVC project that `dvc pull` takes whole."""
    reference = f"{name}@{number}"
    return sources.export_dvc(who, reference, where.folder, remote=where.remote, near=near)


@router.post("/sql/export", response_class=FileResponse)
def export(query: SqlExport, who: Caller, sql: TheSql) -> FileResponse:
    """The whole answer to one SELECT, as a file."""
    folder = Path(mkdtemp(prefix="athanor-query-"))
    target = folder / f"answer.{query.format}"
    try:
        sql.export(who, query, target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _sent(folder, target, CONTENT_TYPES[query.format])


def _sent(folder: Path, target: Path, kind: str) -> FileResponse:
    gone = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    return FileResponse(target, media_type=kind, filename=target.name, background=gone)
