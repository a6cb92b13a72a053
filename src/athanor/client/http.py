"""HTTP to a server: the transport of clients that have one."""

import ssl
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import msgspec

from athanor.kernel import Answer, Invalid, Unavailable, error_from_dict
from athanor.kernel.sending import json_of
from athanor.kernel.transport import PREFIX

# httpx loads a command line of its own where it finds rich: a fifth of what our commands cost.
if "httpx" not in sys.modules:
    sys.modules["httpx._main"] = None  # type: ignore[assignment]
    import httpx

    del sys.modules["httpx._main"]
else:
    import httpx

_CHUNK = 1 << 20
_FIRST_ERROR = 400


def _trust(url: str) -> ssl.SSLContext:
    """Whose certificates count; nobody's where none is shown, which spares reading them all."""
    if urlsplit(url).scheme == "https":
        return httpx.create_ssl_context(trust_env=False)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class ServerUnreachable(Unavailable):
    """Nobody answers at the server's address."""

    def __init__(self, url: str, cause: Exception) -> None:
        super().__init__(
            f"No Athanor server answers at {url} ({type(cause).__name__}).",
            hint="Start one: athanor up",
        )


class BadServerUrl(Invalid):
    """What was given as a server's address is none."""

    def __init__(self, url: str) -> None:
        guess = f"; perhaps http://{url}" if "/" not in url and ":" in url else ""
        super().__init__(
            f"{url!r} is no address of a server.",
            hint=f"Write it as `athanor up` prints it: http://HOST:PORT{guess}",
        )


class HttpTransport:
    """Sends requests to a server; safe to share between threads."""

    def __init__(self, url: str, *, token: str = "") -> None:
        """Nothing is sent yet.

        Raises: BadServerUrl.
        """
        if not _is_address(url):
            raise BadServerUrl(url)
        self.url = url.rstrip("/")
        self.token = token
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=httpx.Timeout(600.0, connect=10.0),
            trust_env=False,
            verify=_trust(self.url),
        )

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: object = None,
        content: bytes | Path | None = None,
    ) -> Answer:
        """Send one request.

        Raises: the AthanorError that the server told; ServerUnreachable.
        """
        data, headers = encoded(body, content)
        try:
            answer = self._client.request(
                method, PREFIX + path, params=asked(query), content=data, headers=headers
            )
        except httpx.TransportError as error:
            raise ServerUnreachable(self.url, error) from error
        finally:
            if data is not None and not isinstance(data, bytes):
                data.close()
        return told(answer.status_code, dict(answer.headers), answer.content)

    def stream(self, path: str, *, query: Mapping[str, object] | None = None) -> Iterator[bytes]:
        """The body of a GET as it comes.

        Raises: the AthanorError that the server told; ServerUnreachable.
        """
        try:
            with self._client.stream("GET", PREFIX + path, params=asked(query)) as answer:
                if answer.status_code >= _FIRST_ERROR:
                    told(answer.status_code, {}, answer.read())
                yield from answer.iter_bytes(_CHUNK)
        except httpx.TransportError as error:
            raise ServerUnreachable(self.url, error) from error

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and parts.port != 0
            and not any(letter.isspace() for letter in url)
        )
    except ValueError:  # a port that is none, a bracket that does not close
        return False


def encoded(
    body: object, content: bytes | Path | None
) -> tuple[bytes | IO[bytes] | None, dict[str, str]]:
    """The bytes to send and their headers."""
    if content is not None:
        data = content.open("rb") if isinstance(content, Path) else content
        headers = {"content-type": "application/octet-stream"}
        if isinstance(content, Path):
            headers["content-length"] = str(content.stat().st_size)
        return data, headers
    if body is not None:
        return json_of(body), {"content-type": "application/json"}
    return None, {}


def asked(query: Mapping[str, object] | None) -> dict[str, Any]:
    """Query parameters without those that are None; truth values as `true` and `false`."""
    return {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in (query or {}).items()
        if value is not None
    }


def told(status: int, headers: Mapping[str, str], content: bytes) -> Answer:
    """The answer, or the failure that it tells, raised."""
    if status < _FIRST_ERROR:
        return Answer(status=status, headers=headers, content=content)
    try:
        data = msgspec.json.decode(content)
    except msgspec.DecodeError:
        data = None
    if not isinstance(data, dict) or "message" not in data:
        data = {"message": f"The server answered {status}.", "status": status}
    raise error_from_dict({"status": status, **data})
