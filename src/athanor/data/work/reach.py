"""What a source may be read from, by whom it was named.

Who is on this machine may name what he could read himself: any path, any address. Others see no
more of the machine and of its network than from outside. The link-local addresses, at which clouds
tell a machine its credentials, are nobody's.
"""

import http.client
import re
import socket
import urllib.request
from dataclasses import replace
from email.message import Message
from pathlib import Path
from typing import IO, Any, NoReturn
from urllib.parse import unquote, urlsplit, urlunsplit

from athanor.data.errors import BadSource, SourceRefused, SourceUnreachable
from athanor.data.records import NewSource
from athanor.kernel.addresses import address_of, is_public
from athanor.kernel.foreign import at_addresses, hosts_of, without_secrets

_FAR = frozenset(
    {"http", "https", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "hf", "ftp", "sftp"}
)
"""Schemes whose files lie elsewhere, whatever the rest of the URL says."""
_SERVICES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "hf"})
"""What stands for a host in their URLs is a bucket or a repository."""
_WEB = frozenset({"http", "https"})
_OPTIONS = frozenset(
    {"anon", "key", "secret", "token", "region", "endpoint_url", "requester_pays", "username",
     "password", "project", "account_key", "sas_token"}
)  # fmt: skip
"""What others may say to a store: nothing that names a host, a file or a setting of the server."""
_TOLD = frozenset({"fd00:ec2::254", "100.100.100.200"})
"""Where Amazon by IPv6, and Alibaba, tell credentials."""
_LINK = re.compile(r"::(?=[A-Za-z][\w+.-]*://)")
_BRACKETS = re.compile(r"\[[^]]*\]")


def is_query(new: NewSource) -> bool:
    """Whether a source is a query on a database, whatever its address looks like.

    Raises: BadSource where its kind says another thing than its SQL.
    """
    if new.sql and new.kind not in {"", "query"}:
        raise BadSource(
            f"A source with SQL is a query, and its kind says {new.kind!r}.",
            "Leave out the kind, or the SQL.",
        )
    if new.kind == "query" and not new.sql:
        raise BadSource("A query has no SQL.", "Give the SELECT as sql, or another kind.")
    return bool(new.sql)


def local_path(url: str) -> Path | None:
    """The path that an address means, if it is of this machine.

    Raises: SourceUnreachable where the address is none, or is that of a file of another machine.
    """
    if any(character < " " or character == "\x7f" for character in url):
        raise SourceUnreachable(repr(url), "it is no address: it holds control characters.")
    if "://" not in url:
        return Path(url)
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise SourceUnreachable(url, f"it is no address: {error}.") from error
    if parts.scheme != "file":
        return None
    if parts.netloc.lower() not in {"", "localhost"}:
        raise SourceUnreachable(
            url,
            f"it names a file of another machine, {parts.netloc}.",
            hint="Write file:///PATH for a file of the server's machine.",
        )
    return Path(unquote(parts.path))


def is_web(url: str) -> bool:
    """Whether an address is read by HTTP."""
    return urlsplit(url if "://" in url else "").scheme in _WEB


def check_source(new: NewSource, *, near: bool) -> None:
    """See that a source may be read; `near` is whether it was named on this machine.

    Raises: BadSource, SourceRefused, SourceUnreachable.
    """
    if is_query(new):
        if new.uri:
            _check_database(new.uri, near=near)
    elif new.uri:
        _check_url(new.uri, near=near)
        if new.kind in {"files", "delta"} and is_web(new.uri):
            raise BadSource(
                f"What is read by HTTP is one file, and the kind says {new.kind!r}.",
                "Leave out the kind, or name the place by the scheme of its object store.",
            )
    if new.remote:
        _check_url(new.remote, near=near)
    _check_options(new, near=near)


def settled(new: NewSource, *, near: bool) -> NewSource:
    """A source with addresses, judged now, in place of the names of its hosts.

    For libraries that connect by themselves: the name would be looked up again, and might mean
    another address by then. HTTP is judged where it connects, and an endpoint by HTTPS proves its
    name. Who is near may name any address.
    Raises: SourceRefused, SourceUnreachable.
    """
    if near or not new.uri or (is_web(new.uri) and not new.sql):
        return new
    if is_query(new):
        shown = without_secrets(new.uri)
        addresses = [_address_of(host, shown) for host in hosts_of(new.uri)]
        return replace(new, uri=at_addresses(new.uri, addresses))
    if urlsplit(new.uri).scheme not in _SERVICES:
        return replace(new, uri=_settled_url(new.uri))
    endpoint = new.options.get("endpoint_url", "")
    if urlsplit(endpoint).scheme == "http":
        return replace(new, options={**new.options, "endpoint_url": _settled_url(endpoint)})
    return new


def _settled_url(url: str) -> str:
    parts = urlsplit(url)
    user, at, place = parts.netloc.rpartition("@")
    address = _address_of(unquote(parts.hostname or ""), url)
    port = place.rpartition(":")[2] if parts.port else ""
    netloc = f"{user}{at}{f'[{address}]' if ':' in address else address}"
    return urlunsplit(parts._replace(netloc=f"{netloc}:{port}" if port else netloc))


def _address_of(host: str, url: str) -> str:
    found = check_host(host, url, near=False)
    if not found:
        _refuse_unknown(host, url)
    return found[0]


def check_host(host: str, url: str, *, near: bool) -> list[str]:
    """The addresses that a host has now; none where it has no name that is known.

    Raises: SourceRefused, SourceUnreachable.
    """
    if not host.isascii():
        raise SourceUnreachable(
            url,
            f"{host!r} is no host's name: it holds other signs than ASCII.",
            hint="Check it for look-alikes; write names of other scripts as xn--...",
        )
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for text in addresses:
        address = address_of(text)
        if address.is_link_local or str(address) in _TOLD:
            raise SourceRefused(url, f"{host} is at {text}, where clouds tell credentials")
        if not (near or is_public(address)):
            raise SourceRefused(url, f"{host} is at {text}, an address of the server's own network",
                                near=True)  # fmt: skip
    return addresses


def opener(*, near: bool) -> urllib.request.OpenerDirector:
    """What downloads by HTTP: each host is judged where it is connected to, of redirects too."""
    proxies = {urlsplit(url).hostname for url in urllib.request.getproxies().values()}

    def connected(address: tuple[str, int], *rest: Any) -> socket.socket:
        host, port = address
        if host in proxies:
            return socket.create_connection(address, *rest)
        found = check_host(host, host, near=near)
        if not found:
            # Looked up once only: the next answer might be another.
            raise OSError(f"there is no host {host}")
        return socket.create_connection((found[0], port), *rest)

    def judged(kind: type[http.client.HTTPConnection]) -> Any:
        def made(host: str, **options: Any) -> http.client.HTTPConnection:
            connection = kind(host, **options)
            connection._create_connection = connected  # type: ignore[attr-defined] # noqa: SLF001
            return connection

        return made

    class ByHttp(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(judged(http.client.HTTPConnection), req)

    class ByHttps(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(judged(http.client.HTTPSConnection), req)

    class Redirects(urllib.request.HTTPRedirectHandler):
        def redirect_request(
            self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str,
            headers: Message, newurl: str,
        ) -> urllib.request.Request | None:  # fmt: skip
            # A proxy would connect to it unjudged.
            check_host(urlsplit(newurl).hostname or "", newurl, near=near)
            return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]

    found = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        ByHttp(),
        ByHttps(),
        urllib.request.HTTPDefaultErrorHandler(),
        Redirects(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        found.add_handler(handler)
    return found


def _check_url(url: str, *, near: bool) -> None:
    local = local_path(url) is not None
    # zip://inside.csv::http://host/a.zip is read through both.
    chained = "::" in _BRACKETS.sub("", url)
    for link in _LINK.split(url):
        parts = urlsplit(link if "://" in link else "")
        if not near and (local or chained or parts.scheme not in _FAR):
            raise SourceRefused(url, "it is read on the server's own machine", near=True)
        if parts.scheme in _SERVICES | {"", "file", "local"}:
            continue
        host = unquote(parts.hostname or "")
        found = check_host(host, url, near=near) if host else []
        if not (near or found or parts.scheme in _WEB):
            _refuse_unknown(host, url)


def _check_options(new: NewSource, *, near: bool) -> None:
    for name, value in new.options.items():
        if not near and name not in _OPTIONS:
            raise SourceRefused(
                new.uri, f"the option {name!r} may name what is the server's own", near=True
            )
        if "://" in value or name == "endpoint_url":  # an endpoint of its own, a proxy
            host = urlsplit(value).hostname or ""
            found = check_host(host, value, near=near) if host else []
            if not (near or found):
                _refuse_unknown(host, value)
    if not near and "token" in new.options and urlsplit(new.uri).scheme in {"gs", "gcs"}:
        raise SourceRefused(new.uri, "a token may be a file of the server", near=True)


def _check_database(url: str, *, near: bool) -> None:
    hosts, shown = hosts_of(url), without_secrets(url)
    if not (near or hosts):
        raise SourceRefused(
            shown,
            "it may be a file, a socket or another place of the server's own machine",
            near=True,
        )
    for host in hosts:
        if not (check_host(host, shown, near=near) or near):
            _refuse_unknown(host, shown)


def _refuse_unknown(host: str, url: str) -> NoReturn:
    # Whoever connects looks it up again, and might be told another address.
    raise SourceRefused(url, f"there is no host {host!r}", near=True)
