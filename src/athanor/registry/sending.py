"""Messages to webhooks on the wire: one address, looked up once and judged before a byte goes.

The host is resolved, every address of it is judged, and the connection goes to a judged one: a
name that changes its mind between the two looks reaches nothing. Redirects are not followed.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import SplitResult

from athanor.kernel.addresses import address_of, is_public
from athanor.registry.errors import BadWebhook
from athanor.registry.webhooks import Reach

_BODY = 64 << 10
_LONGEST = 2.0
"""Times the timeout of one look at the socket: an exchange that takes longer is cut off."""


def addresses_of(url: SplitResult, reach: Reach) -> list[str]:
    """The addresses that a URL's host has now, all of which may be told.

    Raises: BadWebhook where one may not; OSError where the host can't be resolved.
    """
    host, port = url.hostname or "", _port(url)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        plain = address_of(address)
        local = reach.loopback and plain.is_loopback
        if not (reach.private or local or is_public(plain)):
            raise BadWebhook(
                f"Webhook URL must not resolve to a non-public IP address. {host!r} resolves to "
                f"{address}."
            )
    return addresses


def post(
    url: SplitResult, body: bytes, headers: Mapping[str, str], reach: Reach
) -> tuple[int, str]:
    """Send a body to a webhook; its answer's status, and the first 64 KiB of its text.

    Raises: BadWebhook, OSError, http.client.HTTPException.
    """
    address = addresses_of(url, reach)[0]
    connection = _connection(url, address, reach.timeout)
    # Who answers byte by byte never runs into a timeout.
    watch = threading.Timer(_LONGEST * reach.timeout, connection.cut)
    watch.daemon = True
    watch.start()
    try:
        path = url.path or "/"
        target = f"{path}?{url.query}" if url.query else path
        connection.request("POST", target, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read(_BODY).decode("utf-8", "replace")
    finally:
        watch.cancel()
        connection.close()


class _Pinned(http.client.HTTPConnection):
    """Goes to one address, under the name of its host."""

    address: str = ""
    tls: ssl.SSLContext | None = None

    def connect(self) -> None:
        """Connect to the address; the certificate has to be the host's."""
        self.sock = socket.create_connection((self.address, self.port), self.timeout)
        if self.tls is not None:
            self.sock = self.tls.wrap_socket(self.sock, server_hostname=self.host)

    def cut(self) -> None:
        """Have whoever waits for an answer wait no more. From another thread."""
        with suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)


def _connection(url: SplitResult, address: str, timeout: float) -> _Pinned:
    connection = _Pinned(url.hostname or "", _port(url), timeout=timeout)
    connection.address = address
    if url.scheme == "https":
        connection.tls = ssl.create_default_context()
        connection.default_port = 443
    return connection


def _port(url: SplitResult) -> int:
    return url.port or (443 if url.scheme == "https" else 80)
