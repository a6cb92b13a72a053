"""Artifacts over MLflow's protocol: the proxy, listings, downloads, uploads in parts."""

import asyncio
import mimetypes
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from athanor.tracking.errors import (
    ArtifactFileNotFound,
    BadArtifactPath,
    BadParts,
    ElsewhereKept,
    NotAFile,
    OtherProjectsPath,
    PathTaken,
    UploadNotFound,
)
from athanor.tracking.files import FileEntry, SentPart
from athanor.tracking.homes import Homes
from athanor.tracking.logic.paths import below, clean, place_of
from athanor.tracking.logic.ranges import asked_range
from athanor.tracking.mlflow.calls import Answer, Answered, Call
from athanor.tracking.mlflow.failures import MlflowError, invalid
from athanor.tracking.mlflow.records import Record, Required
from athanor.tracking.mlflow.routing import MlflowRoutes
from athanor.tracking.service.files import RunFiles
from athanor.tracking.service.logged_models import LoggedModels

_PROXY = "mlflow-artifacts"
_LOGGED = "models:/m-"
_PIECE = 1 << 20
_AJAX_LIMIT = 10 * 1024 * 1024
_LONGEST_EXPIRATION = 604_800
_UNSUPPORTED = "{} is not supported for the current artifact repository"
_TEXTS = re.compile(
    "txt|log|err|cfg|conf|cnf|cf|ini|properties|prop|hocon|toml|yaml|yml|xml|json|js|py|py3|csv|tsv"
    "|md|rst|ipynb|MLmodel|MLproject|mlproject"
)
"""Extensions (or whole names) that are told as plain text, as MLflow does."""
_PLAIN = re.compile(r"[A-Za-z0-9!#$&+.^_`|~-]+")
_SAFE = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox; default-src 'none'",
    "cache-control": "no-cache",
    "accept-ranges": "bytes",
}
"""A browser neither guesses what an artifact is, nor lets it act."""


class ListArtifacts(Record):
    """A listing of a run's artifacts."""

    run_id: str = ""
    run_uuid: str = ""
    path: str | None = None
    page_token: str | None = None


class ListProxied(Record):
    """A listing of the tree."""

    path: str = ""


class CreateUpload(Record):
    """An upload in parts: `path` is the file on the client's disk."""

    path: Required
    num_parts: int = 1


class UploadPart(Record):
    """A part that was sent."""

    part_number: int = 0
    etag: str = ""
    url: str = ""


class CompleteUpload(Record):
    """All parts were sent."""

    path: Required
    parts: list[UploadPart]
    upload_id: str = ""


class AbortUpload(Record):
    """Parts won't come."""

    path: Required
    upload_id: str = ""


class PresignedUpload(Record):
    """A wish for an address to send a file to."""

    path: Required
    run_id: str = ""
    model_id: str = ""
    expiration: int = 900


class PresignedDownload(Record):
    """A wish for an address to get a file from."""

    run_id: Required
    path: Required
    expiration: int = 900


class VersionSource(Protocol):
    """Where the files of a registered model's version lie."""

    def __call__(self, call: Call, name: str, version: str) -> str:
        """A location. Raises: what the registry raises where there is no such version."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactServices:
    """What the artifact routes call."""

    files: RunFiles
    models: LoggedModels
    homes: Homes
    version_source: VersionSource


def add_artifact_routes(routes: MlflowRoutes, services: ArtifactServices) -> None:
    """Register the routes of artifacts."""
    routes.translate(BadArtifactPath, "INVALID_PARAMETER_VALUE", lambda error: str(error.message))
    routes.translate(ArtifactFileNotFound, "RESOURCE_DOES_NOT_EXIST", _message)
    for kind in (NotAFile, PathTaken, OtherProjectsPath, BadParts):
        routes.translate(kind, "INVALID_PARAMETER_VALUE", _message)
    routes.translate(UploadNotFound, "RESOURCE_DOES_NOT_EXIST", _message)
    routes.translate(ElsewhereKept, "INVALID_PARAMETER_VALUE")
    _add_proxy(routes, services.files)
    _add_uploads(routes, services.files)
    _add_locations(routes, services)
    _add_presigned(routes, services)


def send_file(call: Call, files: RunFiles, path: str, project: str) -> Answer:
    """A file of the tree as an answer: whole, or the part of it that was asked for."""
    entry = files.file(call.who, path, project=project)
    name = entry.name
    etag = f'"{entry.digest.removeprefix("sha256:")}"'
    headers = {
        **_SAFE,
        "content-disposition": _attachment(name),
        "etag": etag,
    }
    if etag in call.headers.get("if-none-match", ""):
        return Answer(status=304, headers=headers)
    wanted = call.headers.get("range", "")
    if call.headers.get("if-range", etag) != etag:
        wanted = ""
    part = asked_range(wanted, entry.size)
    if part is None:
        headers["content-range"] = f"bytes */{entry.size}"
        return Answer(status=416, headers=headers)
    start, end = part
    headers["content-length"] = str(end - start)
    if wanted and (start, end) != (0, entry.size):
        headers["content-range"] = f"bytes {start}-{end - 1}/{entry.size}"
    return Answer(
        body=files.read(call.who, entry, start=start, end=end),
        status=206 if "content-range" in headers else 200,
        media_type=_media_type(name),
        headers=headers,
    )


def listed(entries: list[FileEntry], folder: str) -> list[dict[str, Any]]:
    """Entries as the protocol tells them, their names below `folder`."""
    return [
        {"path": below(folder, entry.name), "is_dir": True}
        if entry.is_folder
        else {"path": below(folder, entry.name), "is_dir": False, "file_size": entry.size}
        for entry in entries
    ]


def tree_path(location: str, path: str) -> str:
    """Where in the tree a path below an artifact location lies.

    Raises: BadArtifactPath; ElsewhereKept where that location is none of the tree.
    """
    place = place_of(location)
    if place.kind != "tree":
        raise ElsewhereKept(location)
    return below(place.path, path)


def _message(error: Any) -> str:
    return str(error.message)


def _add_proxy(routes: MlflowRoutes, files: RunFiles) -> None:
    def download(call: Call) -> Answered:
        return send_file(call, files, call.path["path"], call.project)

    def listing(call: Call) -> Answered:
        asked = call.read(ListProxied)
        found = files.listing(call.who, asked.path, project=call.project)
        return {"files": listed(found, "")} if found else {}

    def delete(call: Call) -> Answered:
        files.delete(call.who, call.path["path"], project=call.project)
        return {}

    async def upload(call: Call) -> Answered:
        if call.path["path"].endswith("/"):
            raise BadArtifactPath("it names a folder")
        with files.receive(call.who, call.path["path"], project=call.project) as reception:
            await _take(call.chunks(), reception.write)
            await asyncio.to_thread(reception.keep)
        return {}

    routes.add("GET", "artifacts", listing, base=_PROXY)
    routes.add("GET", "artifacts/{path:path}", download, base=_PROXY)
    routes.add("PUT", "artifacts/{path:path}", upload, base=_PROXY, streams=True)
    routes.add("DELETE", "artifacts/{path:path}", delete, base=_PROXY)


async def _take(pieces: AsyncIterator[bytes], write: Callable[[bytes], None]) -> None:
    """Write what comes in, a megabyte at a time: the client waits while the disk does."""
    waiting = bytearray()
    async for piece in pieces:
        waiting += piece
        if len(waiting) >= _PIECE:
            await asyncio.to_thread(write, bytes(waiting))
            waiting.clear()
    if waiting:
        await asyncio.to_thread(write, bytes(waiting))


def _add_uploads(routes: MlflowRoutes, files: RunFiles) -> None:
    def create(call: Call) -> Answered:
        asked = call.read(CreateUpload)
        folder = clean(call.path["path"])
        path = below(folder, _last_part(asked.path))
        upload = files.begin_upload(call.who, path, asked.num_parts, project=call.project)
        address = f"{_origin(call)}/api/2.0/mlflow-artifacts/mpu/part/{upload.id}"
        credentials: list[Mapping[str, Any]] = [
            {"url": f"{address}/{number}", "part_number": number, "headers": _passed_on(call)}
            for number in range(1, upload.parts + 1)
        ]
        return {"upload_id": upload.id, "credentials": credentials}

    async def part(call: Call) -> Answered:
        number = call.path["number"]
        if not number.isascii() or not number.isdigit() or len(number) > 6:
            raise invalid(f"Invalid part number {number[:20]!r}.")
        with files.receive_part(call.who, call.path["upload_id"], int(number)) as reception:
            await _take(call.chunks(), reception.write)
            etag = await asyncio.to_thread(reception.keep)
        return Answer(body=b"{}", headers={"etag": f'"{etag}"'})

    def complete(call: Call) -> Answered:
        asked = call.read(CompleteUpload)
        parts = [SentPart(number=part.part_number, etag=part.etag) for part in asked.parts]
        files.complete_upload(call.who, asked.upload_id, parts)
        return {}

    def abort(call: Call) -> Answered:
        files.abort_upload(call.who, call.read(AbortUpload).upload_id)
        return {}

    for template in ("", "/{path:path}"):
        routes.add("POST", f"mpu/create{template}", _rooted(create), base=_PROXY)
        routes.add("POST", f"mpu/complete{template}", _rooted(complete), base=_PROXY)
        routes.add("POST", f"mpu/abort{template}", _rooted(abort), base=_PROXY, writes=False)
    routes.add("PUT", "mpu/part/{upload_id}/{number}", part, base=_PROXY, streams=True)


def _rooted(handler: Callable[[Call], Answered]) -> Callable[[Call], Answered]:
    """A handler whose path is "" where its route names none."""

    def handle(call: Call) -> Answered:
        call.path = {"path": "", **call.path}
        return handler(call)

    return handle


def _add_locations(routes: MlflowRoutes, services: ArtifactServices) -> None:
    answers = _Locations(services)
    routes.add("GET", "artifacts/list", answers.listing)
    routes.add("GET", "logged-models/{model_id}/artifacts/directories", answers.model_listing)
    routes.add("GET", "logged-models/{model_id}/artifacts/files", answers.of_model)
    routes.add("POST", "upload-artifact", answers.upload)
    for slashes in ("/", "//"):
        routes.add_at("GET", f"{slashes}get-artifact", answers.of_run)
        routes.add_at("GET", f"{slashes}model-versions/get-artifact", answers.of_version)


class _Locations:
    """Files by the run, the logged model or the model's version that they belong to."""

    def __init__(self, services: ArtifactServices) -> None:
        self._files = services.files
        self._models = services.models
        self._homes = services.homes
        self._version_source = services.version_source

    def listing(self, call: Call) -> Answered:
        asked = call.read(ListArtifacts)
        path = clean(asked.path or "")
        run = self._homes.run(call.who, _run_id(call, asked.run_id or asked.run_uuid))
        return self._listing(call, run.location, path, run.project)

    def model_listing(self, call: Call) -> Answered:
        path = clean(_first(call, "artifact_directory_path"))
        model = self._models.get(call.who, call.own_model(call.path["model_id"]))
        return self._listing(call, model.location, path, model.project)

    def of_run(self, call: Call) -> Answered:
        path = clean(_wanted_path(call))
        run = self._homes.run(
            call.who, _run_id(call, _first(call, "run_id") or _first(call, "run_uuid"))
        )
        return send_file(call, self._files, tree_path(run.location, path), run.project)

    def of_model(self, call: Call) -> Answered:
        wanted = _first(call, "artifact_file_path")
        if not wanted:
            raise MlflowError(
                "BAD_REQUEST", 'Request must include the "artifact_file_path" query parameter.'
            )
        path = clean(wanted)
        model = self._models.get(call.who, call.own_model(call.path["model_id"]))
        return send_file(call, self._files, tree_path(model.location, path), model.project)

    def of_version(self, call: Call) -> Answered:
        path = clean(_wanted_path(call))
        name, version = _first(call, "name"), _first(call, "version")
        source = self._version_source(call, name, version)
        if source.startswith(_LOGGED):
            model_id, _, rest = source.removeprefix("models:/").partition("/")
            source = below(self._models.get(call.who, call.own_model(model_id)).location, rest)
        return send_file(call, self._files, tree_path(source, path), call.project)

    def upload(self, call: Call) -> Answered:
        run_id, wanted = _first(call, "run_uuid"), _first(call, "path")
        if not run_id:
            raise invalid("Request must specify run_uuid.")
        if not wanted:
            raise invalid("Request must specify path.")
        path = clean(wanted)
        if len(call.body) > _AJAX_LIMIT:
            raise invalid("Artifact size is too large. Max size is 10MB.")
        if not call.body:
            raise invalid("Request must specify data.")
        run = self._homes.run(call.who, call.own_run(run_id), writing=True)
        self._files.put(call.who, tree_path(run.location, path), [call.body], project=run.project)
        return b""

    def _listing(self, call: Call, location: str, path: str, project: str) -> Answered:
        found = self._files.listing(call.who, tree_path(location, path), project=project)
        answer: dict[str, Any] = {"root_uri": location}
        return answer | {"files": listed(found, path)} if found else answer


def _add_presigned(routes: MlflowRoutes, services: ArtifactServices) -> None:
    def upload_url(call: Call) -> Answered:
        asked = call.read(PresignedUpload)
        if bool(asked.run_id) == bool(asked.model_id):
            raise invalid("Exactly one of run_id and model_id must be provided.")
        clean(asked.path)
        if asked.run_id:
            location = services.homes.run(call.who, call.own_run(asked.run_id)).location
        else:
            location = services.models.get(call.who, call.own_model(asked.model_id)).location
        if place_of(location).kind == "tree":
            raise invalid(
                "Presigned upload is not supported for proxied artifact storage (artifact URI "
                f"scheme: {location.partition(':')[0]}). This endpoint requires a direct cloud "
                "storage artifact URI."
            )
        raise MlflowError("NOT_IMPLEMENTED", _UNSUPPORTED.format("Presigned upload"))

    def download_url(call: Call) -> Answered:
        asked = call.read(PresignedDownload)
        clean(asked.path)
        if not 1 <= asked.expiration <= _LONGEST_EXPIRATION:
            raise invalid(
                f"expiration must be between 1 and {_LONGEST_EXPIRATION} seconds "
                f"(got {asked.expiration})."
            )
        location = services.homes.run(call.who, call.own_run(asked.run_id)).location
        if place_of(location).kind == "tree":
            raise invalid(
                "Presigned download is not supported for runs with proxied artifact storage "
                f"(artifact URI scheme: {location.partition(':')[0]}). This endpoint requires a "
                "run with a direct cloud storage artifact URI."
            )
        raise MlflowError("NOT_IMPLEMENTED", _UNSUPPORTED.format("Presigned download"))

    def presigned(call: Call) -> Answered:
        clean(call.path["path"])
        raise MlflowError("NOT_IMPLEMENTED", _UNSUPPORTED.format("Multipart download"))

    routes.add("POST", "artifacts/presigned-upload-url", upload_url, writes=False)
    routes.add("POST", "artifacts/presigned-download-url", download_url, writes=False)
    routes.add("GET", "presigned/{path:path}", presigned, base=_PROXY)


def _first(call: Call, name: str) -> str:
    return next(iter(call.query.get(name, ())), "")


def _wanted_path(call: Call) -> str:
    if "path" not in call.query:
        raise MlflowError("BAD_REQUEST", 'Request must include the "path" query parameter.')
    return _first(call, "path")


def _run_id(call: Call, given: str) -> str:
    if not given:
        raise invalid(
            "Missing value for required parameter 'run_id'. "
            "See the API docs for more information about request parameters."
        )
    return call.own_run(given)


def _last_part(path: str) -> str:
    """The name of a file on a client's disk, whatever system that is of."""
    return path.replace("\\", "/").rpartition("/")[2]


def _origin(call: Call) -> str:
    """Where the client reached this server."""
    scheme = call.headers.get("x-forwarded-proto", "http").split(",")[0].strip()
    return f"{scheme if scheme in {'http', 'https'} else 'http'}://{call.headers.get('host', '')}"


def _passed_on(call: Call) -> dict[str, str]:
    """What a part has to be sent with: MLflow's client sends it as if to an object store."""
    names = {"authorization": "Authorization", "x-mlflow-workspace": "X-MLFLOW-WORKSPACE"}
    return {shown: call.headers[name] for name, shown in names.items() if name in call.headers}


def _attachment(name: str) -> str:
    """How a browser is told to keep a file, and by which name (RFC 6266)."""
    if _PLAIN.fullmatch(name):
        return f"attachment; filename={name}"
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"


def _media_type(name: str) -> str:
    extension = name.rpartition(".")[2]
    if _TEXTS.fullmatch(extension):
        return "text/plain"
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
