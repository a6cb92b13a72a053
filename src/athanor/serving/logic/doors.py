"""Who may knock: the checks of Host, Origin and token that stand before every request."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from athanor.serving.errors import BadRequest, ForeignHost, ForeignOrigin, TokenNeeded

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_DEFAULT_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """What a listener lets in."""

    loopback: bool = True
    """Whether it listens on loopback: then only loopback's names are its Host."""
    origins: tuple[str, ...] = ()
    """Origins of our own pages (`http://127.0.0.1:8000`); any other is foreign."""
    tokens: tuple[str, ...] = ()
    """Where there are any, each request has to carry one of them."""

    def check(self, host: Sequence[str], origin: Sequence[str], authorization: str) -> None:
        """Return if the request may come in. Each header is given with all its occurrences.

        Raises: BadRequest, ForeignHost, ForeignOrigin, TokenNeeded.
        """
        if len(host) != 1:
            raise BadRequest("A request needs exactly one Host header.")
        if self.loopback and _name(host[0]) not in LOOPBACK:
            raise ForeignHost
        if any(item not in self.origins for item in origin):
            raise ForeignOrigin
        if self.tokens:
            scheme, _, given = authorization.partition(" ")
            sent = given.strip().encode("utf-8", "surrogateescape")
            known = [hmac.compare_digest(token.encode(), sent) for token in self.tokens]
            if scheme.lower() != "bearer" or not any(known):
                raise TokenNeeded


def loopback_origins(*ports: int) -> tuple[str, ...]:
    """The origins of pages that this machine's own server serves on these ports."""
    return tuple(
        f"http://{name}" if str(port) == _DEFAULT_PORTS["http"] else f"http://{name}:{port}"
        for port in ports
        for name in sorted(LOOPBACK)
    )


def _name(host: str) -> str:
    name, colon, port = host.strip().lower().rpartition(":")
    if not colon or not port.isdigit():
        return host.strip().lower()
    return name
