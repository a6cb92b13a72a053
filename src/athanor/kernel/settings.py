"""Settings: one file in the workspace, environment variables, flags; each knows its source.

The order, strongest first: a flag of the command line, `ATHANOR_<NAME>` in the environment,
`athanor.toml` in the workspace, the default.
"""

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from athanor.kernel.errors import Invalid, nearest

FILE = "athanor.toml"
WORKSPACE = ".athanor"
_MARKS = (FILE, "athanor.db", "server.json")
"""What tells a workspace from an empty folder."""


class BadSetting(Invalid):
    """A setting with a value that it can't have, or one that does not exist."""

    def __init__(self, name: str, source: str, problem: str, hint: str = "") -> None:
        super().__init__(
            f"The setting {name!r} ({source}) {problem}.",
            hint=hint or "See all settings and their sources: athanor settings",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a workspace is started with."""

    workspace: Path = Path(WORKSPACE)
    """The folder that holds everything that has no other place."""
    host: str = "127.0.0.1"
    """The address that the API and the data plane listen on."""
    port: int = 8700
    """The API's port; 0 takes a free one."""
    serving_port: int = 0
    """The data plane's port; 0 takes the one behind the API's, or a free one."""
    serving_grpc_port: int = 0
    """The data plane's port for gRPC (needs the extra `grpc`); 0 does without."""
    database_url: str = ""
    """An SQLAlchemy URL; empty is SQLite in the workspace."""
    online_url: str = ""
    """Where online features are kept: redis://HOST:PORT/NUMBER (needs the extra `redis`), one
    database a workspace; empty is the metadata database."""
    storage_url: str = ""
    """An fsspec URL for blobs and tables; empty is a folder in the workspace."""
    token: str = ""
    """What callers must send as a bearer token; demanded on any address but loopback."""
    shared_host: bool = False
    """Demand the token of everybody on this machine, our own clients' too (they find it)."""
    workers: int = 0
    """How many pipeline tasks may run at once; 0 is the number of cores."""
    reserve_mb: int = 500
    """Below this much free disk, writes are refused (507) and reads go on."""
    materializers: tuple[str, ...] = ()
    """Import strings (`package.module:Class`) of materializers for values of your own types."""
    webhook_schemes: tuple[str, ...] = ("https",)
    """How webhooks may be told: `https`, and `http` where nobody listens in between."""
    webhook_private: bool = False
    """Whether webhooks may be told at private addresses: in the own network, or the cloud's."""
    sources_near: bool = False
    """Whether callers from other machines may name this one's files and network as sources of
    data; who calls from this machine may."""
    log_level: str = "info"
    """`debug`, `info`, `warning` or `error`."""


_DESCRIBED = {
    "workspace": "the folder that holds everything that has no other place",
    "host": "the address that the API and the data plane listen on",
    "port": "the API's port; 0 takes a free one",
    "serving_port": "the data plane's port; 0 takes the next one, or a free one",
    "serving_grpc_port": "the data plane's port for gRPC (needs the extra grpc); 0 does without",
    "database_url": "an SQLAlchemy URL; empty is SQLite in the workspace",
    "online_url": "redis://... for online features (needs the extra redis); empty: the database",
    "storage_url": "an fsspec URL for blobs and tables; empty is a folder in the workspace",
    "token": "the bearer token that callers must send; needed on any address but loopback",
    "shared_host": "demand the token of everybody on this machine",
    "workers": "pipeline tasks that may run at once; 0 is the number of cores",
    "reserve_mb": "below this much free disk, in MB, writes are refused and reads go on",
    "materializers": "import strings (package.module:Class) of materializers of your own types",
    "webhook_schemes": "how webhooks may be told: https, and http where nobody listens",
    "webhook_private": "webhooks may be told at private addresses of the own network",
    "sources_near": "callers from elsewhere may name this machine's files and network as sources",
    "log_level": "debug, info, warning or error",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sourced:
    """One setting, and where its value comes from."""

    name: str
    value: str
    source: str
    """`flag`, `environment`, `file`, `default`, or `the folder above` of a workspace."""
    description: str


def load_settings(
    flags: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> tuple[Settings, list[Sourced]]:
    """The settings, and each one's source. `flags` that are None were not given.

    Raises: BadSetting.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    env = os.environ if environment is None else environment
    workspace, source = _workspace(given, env)
    filed = _read_file(workspace / FILE)
    values: dict[str, Any] = {"workspace": workspace.absolute()}
    sources = {"workspace": source}
    for field in fields(Settings):
        name = field.name
        if name == "workspace":
            continue
        variable = f"ATHANOR_{name.upper()}"
        if name in given:
            raw, source = given[name], "flag"
        elif variable in env:
            raw, source = env[variable], "environment"
        elif name in filed:
            raw, source = filed[name], "file"
        else:
            raw, source = field.default, "default"
        values[name] = _converted(name, raw, type(field.default), source)
        sources[name] = source
    settings = Settings(**values)
    _check(settings, sources)
    return settings, [
        Sourced(
            name=name,
            value=_shown(name, value),
            source=sources[name],
            description=_DESCRIBED[name],
        )
        for name, value in values.items()
    ]


def _workspace(given: Mapping[str, Any], env: Mapping[str, str]) -> tuple[Path, str]:
    """The workspace, and where it was said.

    Unsaid, it is the nearest one, here or above, as version control finds its own; where there is
    none yet, it will be here.
    """
    if given.get("workspace"):
        return Path(given["workspace"]), "flag"
    if env.get("ATHANOR_WORKSPACE"):
        return Path(env["ATHANOR_WORKSPACE"]), "environment"
    here = Path.cwd()
    for folder in (here, *here.parents):
        found = folder / WORKSPACE
        if holds_workspace(found) and (folder == here or _is_private(folder, found)):
            return found, "default" if folder == here else "the folder above"
    return Path(WORKSPACE), "default"


def holds_workspace(folder: Path) -> bool:
    """Whether a folder is a workspace already, be it an empty one."""
    return any((folder / name).is_file() for name in _MARKS)


def _is_private(folder: Path, workspace: Path) -> bool:
    """Whether a workspace above is this user's, and no passer-by put it there, as in /tmp."""
    return workspace.stat().st_uid == os.getuid() and not folder.stat().st_mode & stat.S_IWOTH


def _shown(name: str, value: Any) -> str:
    if name == "token" and value:
        return "***"
    if name.endswith("_url"):
        return re.sub(r"(://[^:/@]*:)[^/]*@", r"\1***@", value)
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _read_file(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSetting(FILE, str(path), f"is not valid TOML: {error}") from error
    known = {field.name for field in fields(Settings)} - {"workspace"}
    for name in found:
        if name not in known:
            raise BadSetting(name, str(path), "does not exist", nearest(name, known))
    return found


def _converted(name: str, raw: Any, kind: type, source: str) -> Any:
    if kind is bool:
        text = str(raw).strip().lower()
        if text in {"1", "true", "yes", "on"}:
            return True
        if text in {"0", "false", "no", "off", ""}:
            return False
        raise BadSetting(name, source, f"is {raw!r}, neither true nor false")
    if kind is tuple:
        items = raw if isinstance(raw, (list, tuple)) else str(raw).split(",")
        return tuple(str(item).strip() for item in items if str(item).strip())
    if kind is int:
        try:
            return int(raw)
        except (TypeError, ValueError):
            raise BadSetting(name, source, f"is {raw!r}, not a whole number") from None
    return str(raw)


def _check(settings: Settings, sources: Mapping[str, str]) -> None:
    for name in ("port", "serving_port", "serving_grpc_port"):
        if not 0 <= getattr(settings, name) <= 65_535:
            raise BadSetting(name, sources[name], "is not a port (0 to 65535)")
    if settings.log_level not in {"debug", "info", "warning", "error"}:
        raise BadSetting(
            "log_level", sources["log_level"], f"is {settings.log_level!r}", "Say info, or debug."
        )
