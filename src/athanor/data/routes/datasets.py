"""Datasets, watched folders and SQL over HTTP."""

from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from starlette.concurrency import run_in_threadpool

from athanor.data.logic.forms import archive_kind
from athanor.data.records import NewSource
from athanor.data.service import Datasets, Sources, Sql, Watches
from athanor.data.types import (
    CheckResult,
    Dataset,
    DatasetVersion,
    DateWay,
    Expectation,
    Mode,
    NewVersion,
    OfferedTable,
    Profile,
    Quarantine,
    QueryResult,
    ReadOptions,
    Roles,
    SchemaRule,
    Watch,
    WatchedFile,
)
from athanor.data.types import Query as SqlQuery
from athanor.kernel.http import Caller, provide, room_router
from athanor.kernel.nearness import Near

router = room_router("data")
TheDatasets = Annotated[Datasets, provide(Datasets)]
TheWatches = Annotated[Watches, provide(Watches)]
TheSql = Annotated[Sql, provide(Sql)]
TheSources = Annotated[Sources, provide(Sources)]
Names = Annotated[list[str], Query()]
_NAME_BYTES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWatch:
    """A folder to be watched."""

    folder: str
    mode: Mode = "append"
    roles: Roles = field(default_factory=Roles)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keeping:
    """How a version is stored."""

    keep: bool = True
    schema_rule: SchemaRule = "widen"
    look: bool = True


def _roles(
    target: str = "",
    id: str = "",
    time: str = "",
    sensitive: Names = [],  # noqa: B006
) -> Roles:
    return Roles(target=target, id=id, time=time, sensitive=tuple(sensitive))


def _reading(
    *,
    text: Names = [],  # noqa: B006 - FastAPI copies it
    missing: Names = [],  # noqa: B006 - same
    delimiter: str = "",
    decimal: str = "",
    encoding: str = "",
    dates: DateWay = "",
    first: Annotated[float, Query(gt=0, le=1)] = 1.0,
) -> ReadOptions:
    return ReadOptions(
        text=tuple(text),
        missing=tuple(missing),
        delimiter=delimiter,
        decimal=decimal,
        encoding=encoding,
        dates=dates,
        first=first,
    )


@router.get("/datasets")
def datasets(who: Caller, datasets: TheDatasets) -> list[Dataset]:
    """All datasets, by name."""
    return datasets.datasets(who)


@router.put("/datasets/{name}/versions", status_code=201)
async def add(  # noqa: PLR0917 - one parameter a part of the request
    name: str,
    request: Request,
    who: Caller,
    datasets: TheDatasets,
    sources: TheSources,
    roles: Annotated[Roles, Depends(_roles)],
    reading: Annotated[ReadOptions, Depends(_reading)],
    keeping: Annotated[_Keeping, Depends()],
    file: str = "upload",
    mode: Mode = "replace",
) -> DatasetVersion:
    """Read the body, a file of any size, as the next version of a dataset."""
    with datasets.upload() as folder:
        path = folder / "upload"
        with path.open("wb") as stream:
            async for chunk in request.stream():
                stream.write(chunk)
        with path.open("rb") as stream:
            packed = archive_kind(stream.read(1 << 16))
        if packed:
            named = path.rename(folder / _as_name(file))
            source = NewSource(
                uri=str(named),
                mode=mode,
                roles=roles,
                read=reading,
                schema=keeping.schema_rule,
                look=keeping.look,
            )
            return await run_in_threadpool(sources.add_from, who, name, source)
        new = NewVersion(
            path=path,
            file_name=file,
            mode=mode,
            roles=roles,
            read=reading,
            keep=keeping.keep,
            schema=keeping.schema_rule,
            look=keeping.look,
        )
        return await run_in_threadpool(datasets.add, who, name, new)


def _as_name(file: str) -> str:
    """A name that a file system takes, of whatever an upload is called; its end tells its kind."""
    bare = "".join(sign for sign in PurePath(file.replace("\\", "/")).name if sign.isprintable())
    cut = bare.encode("utf-8", "ignore")[-_NAME_BYTES:].decode("utf-8", "ignore")
    return "upload" if cut in {"", ".", ".."} else cut


@router.get("/datasets/{name}")
def dataset(name: str, who: Caller, datasets: TheDatasets) -> Dataset:
    """One dataset."""
    return datasets.dataset(who, name)


@router.get("/datasets/{name}/versions")
def versions(
    name: str, who: Caller, datasets: TheDatasets, *, deleted: bool = False
) -> list[DatasetVersion]:
    """The versions, newest first; the deleted ones too with `deleted`."""
    return datasets.versions(who, name, deleted=deleted)


@router.get("/datasets/{name}/versions/{number}")
def version(name: str, number: str, who: Caller, datasets: TheDatasets) -> DatasetVersion:
    """One version: a number, `latest`, a date or time, `sha256:...` or a tag."""
    return datasets.version(who, f"{name}@{number}")


@router.get("/datasets/{name}/versions/{number}/profile")
def profile(
    name: str, number: str, who: Caller, datasets: TheDatasets, target: str = ""
) -> Profile:
    """What a version holds, column by column; against `target` in place of the dataset's own."""
    return datasets.profile(who, f"{name}@{number}", target=target)


@router.get("/datasets/{name}/versions/{number}/rows")
def rows(
    name: str,
    number: str,
    who: Caller,
    datasets: TheDatasets,
    limit: Annotated[int, Query(ge=1, le=1000)] = 20,
) -> list[dict[str, Any]]:
    """The first rows of a version."""
    return datasets.rows(who, f"{name}@{number}", limit=limit)


@router.get("/datasets/{name}/versions/{number}/checks")
def check(name: str, number: str, who: Caller, datasets: TheDatasets) -> list[CheckResult]:
    """Today's expectations, tried on a version."""
    return datasets.check(who, f"{name}@{number}")


@router.get("/datasets/{name}/versions/{number}/quarantine")
def quarantine(name: str, number: str, who: Caller, datasets: TheDatasets) -> Quarantine:
    """Why a version stands apart."""
    return datasets.quarantine(who, f"{name}@{number}")


@router.get("/datasets/{name}/versions/{number}/expectations")
def suggest(name: str, number: str, who: Caller, datasets: TheDatasets) -> list[Expectation]:
    """Expectations by the profile of a version; nothing is set."""
    return datasets.suggest(who, f"{name}@{number}")


@router.get("/datasets/{name}/expectations")
def expectations(name: str, who: Caller, datasets: TheDatasets) -> list[Expectation]:
    """What every new version must fulfil."""
    return datasets.expectations(who, name)


@router.put("/datasets/{name}/expectations")
def expect(
    name: str, expectations: list[Expectation], who: Caller, datasets: TheDatasets
) -> list[Expectation]:
    """Say what every new version must fulfil."""
    return datasets.expect(who, name, expectations)


@router.get("/watches")
def watches(who: Caller, watches: TheWatches, dataset: str = "") -> list[Watch]:
    """Watched folders."""
    return watches.watches(who, name=dataset)


@router.put("/datasets/{name}/watches", status_code=201)
def watch(name: str, new: NewWatch, who: Caller, near: Near, watches: TheWatches) -> Watch:
    """Take each file in a folder as the next version."""
    return watches.watch(who, name, new.folder, mode=new.mode, roles=new.roles, near=near)


@router.delete("/datasets/{name}/watches", status_code=204)
def unwatch(name: str, folder: str, who: Caller, watches: TheWatches) -> None:
    """Take no more files from a folder."""
    watches.unwatch(who, name, folder)


@router.get("/datasets/{name}/files")
def files(
    name: str,
    who: Caller,
    watches: TheWatches,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[WatchedFile]:
    """What became of the files of watched folders, newest first."""
    return watches.files(who, name, limit=limit)


@router.get("/sql/tables")
def tables(who: Caller, sql: TheSql) -> list[OfferedTable]:
    """What SQL may read."""
    return sql.tables(who)


@router.post("/sql")
def query(query: SqlQuery, who: Caller, sql: TheSql) -> QueryResult:
    """The answer to one SELECT."""
    return sql.query(who, query)
