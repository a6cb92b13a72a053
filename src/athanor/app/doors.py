"""The doors of the API: who may come in, and under which name.

On loopback without accounts the caller is the local owner, but only under loopback's own names and
from no foreign page: neither DNS rebinding nor a web page in the same browser gets in.
"""

import hmac
import ipaddress
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from athanor.kernel import Forbidden, Invalid, Unauthorized

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
GUARDED = (
    "/api/",
    "/ajax-api/",
    "/get-artifact",
    "/model-versions/get-artifact",
    "/graphql",
    "/openapi.json",
    "/metrics",
)
"""What wants the token where one is demanded: the rest is the studio's files, and health."""


class UnknownHost(Forbidden):
    """The request was sent to a name that is not this server's."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"This server does not answer to the host name {host!r}.",
            hint="Call it as localhost or 127.0.0.1.",
        )


class UnknownOrigin(Forbidden):
    """A page of another origin sent the request."""

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"Requests from pages of {origin!r} are refused.",
            hint="Open the studio at this server's own address.",
        )


class TokenWanted(Unauthorized):
    """No token, or a wrong one."""

    def __init__(self) -> None:
        super().__init__(
            "This server wants a token.",
            hint="Send 'Authorization: Bearer <token>'; the owner finds it in the workspace's "
            "server.json, or chose it with ATHANOR_TOKEN.",
        )


class NoTokenChosen(Invalid):
    """Bound to an address that others reach, without a token."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"Refusing to listen on {host} without a token: anybody there could do everything.",
            hint="Set ATHANOR_TOKEN to a long secret, or stay on 127.0.0.1.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The rule for one listener."""

    loopback: bool
    """Whether it listens on loopback alone."""
    token: str
    """What callers must send; "" if none is demanded."""

    @classmethod
    def for_host(cls, host: str, *, token: str, demanded: bool) -> "Doors":
        """The rule for an address.

        Raises: NoTokenChosen for any address but loopback without a token.
        """
        loopback = is_loopback(host)
        if not loopback and not token:
            raise NoTokenChosen(host)
        return cls(loopback=loopback, token=token if demanded or not loopback else "")

    def check(self, path: str, headers: Mapping[str, str]) -> None:
        """Return if a request may come in; header names are in lower case.

        Raises: UnknownHost, UnknownOrigin, TokenWanted.
        """
        host = headers.get("host", "")
        if self.loopback and name_of(host) not in LOOPBACK_NAMES:
            raise UnknownHost(host)
        origin = headers.get("origin")
        if origin is not None and not _same_origin(origin, host):
            raise UnknownOrigin(origin)
        if self.token and path.startswith(GUARDED):
            given = _token_in(headers.get("authorization", ""))
            if not hmac.compare_digest(given.encode(), self.token.encode()):
                raise TokenWanted


def _token_in(authorization: str) -> str:
    """A bearer's token, or the password of a basic one (as MLflow's clients send it); or ""."""
    kind, _, given = authorization.partition(" ")
    given = given.strip()
    if kind.lower() == "bearer":
        return given
    if kind.lower() != "basic":
        return ""
    try:
        return b64decode(given, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def name_of(host: str) -> str:
    """The name in a Host header, without its port."""
    if host.startswith("["):
        name, closed, _ = host[1:].partition("]")
        return name.lower() if closed else ""
    return host.partition(":")[0].lower()


def _same_origin(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and parts.netloc.lower() == host.lower()
