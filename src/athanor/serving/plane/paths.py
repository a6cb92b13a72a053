"""The plane's addresses: what a path asks for, and of which endpoint."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

GET, POST = "GET", "POST"


@dataclass(frozen=True, slots=True)
class Aim:
    """What one address stands for."""

    verb: str
    method: str = GET
    endpoint: str = ""
    """The endpoint that it names; "" where it stands for the only one, or for all."""
    model: str = ""
    """The model's name, where the address has one of its own (Open Inference Protocol)."""
    version: str = ""


_ROOT: Mapping[tuple[str, ...], Aim] = {
    ("healthz",): Aim("healthz"),
    ("readyz",): Aim("readyz"),
    ("metrics",): Aim("metrics"),
    ("ping",): Aim("ping"),
    ("health",): Aim("ping"),
    ("version",): Aim("version"),
    ("invocations",): Aim("invocations", POST),
    ("predict",): Aim("predict", POST),
}
_OF_ENDPOINT: Mapping[str, tuple[str, str]] = {
    "predict": ("predict", POST),
    "invocations": ("invocations", POST),
    "ping": ("ping", GET),
    "health": ("ping", GET),
    "version": ("version", GET),
}
_OF_MODEL: Mapping[tuple[str, ...], tuple[str, str]] = {
    (): ("model", GET),
    ("ready",): ("model_ready", GET),
    ("infer",): ("infer", POST),
    ("config",): ("config", GET),
    ("stats",): ("stats", GET),
}


def aim_of(path: str) -> Aim | None:
    """What this path (without its query) asks for, or None where it is no address.

    A whole address (`http://host/path`), as proxies send it, stands for its path: RFC 9112, 3.2.2.
    """
    if path[:8].lower().startswith(("http://", "https://")):
        path = path.partition("://")[2].partition("/")[2]
    parts = tuple(unquote(part) for part in path.strip("/").split("/"))
    if found := _ROOT.get(parts):
        return found
    if parts[0] == "v2":
        return _oip(parts[1:], "")
    if parts[0] != "endpoints" or len(parts) == 1:
        return None
    name, rest = parts[1], parts[2:]
    if not rest:
        return Aim("endpoint", endpoint=name)
    if rest[0] == "v2":
        return _oip(rest[1:], name)
    found_verb = _OF_ENDPOINT.get(rest[0]) if len(rest) == 1 else None
    return Aim(*found_verb, endpoint=name) if found_verb else None


def _oip(parts: tuple[str, ...], endpoint: str) -> Aim | None:
    match parts:
        case ():
            return Aim("server", endpoint=endpoint)
        case ("health", "live"):
            return Aim("live", endpoint=endpoint)
        case ("health", "ready"):
            return Aim("ready", endpoint=endpoint)
        case ("models", "stats"):
            return Aim("stats", endpoint=endpoint)
        case ("models", name, *rest) if name:
            version = ""
            if len(rest) > 1 and rest[0] == "versions":
                version, rest = rest[1], rest[2:]
            found = _OF_MODEL.get(tuple(rest))
            if found is None:
                return None
            return Aim(*found, endpoint=endpoint, model=name, version=version)
        case ("repository", "index"):
            return Aim("index", POST, endpoint)
        case ("repository", "models", name, ("load" | "unload") as verb):
            return Aim(verb, POST, endpoint, name)
    return None
