"""What a source may be read from, by whom it was named.

Who is on this machine may name what he could read himself: any path, any address. Others see no
more of the machine and of its network than from outside. The link-local addresses, at which clouds
tell a machine its credentials, are nobody's.
"""

import http.client
import re
import socket
import urllib.request
from typing import Any
from urllib.parse import unquote, urlsplit

from athanor.data.errors import SourceRefused
from athanor.data.records import NewSource
from athanor.kernel.addresses import address_of
from athanor.kernel.foreign import host_of, without_secrets

_FAR = frozenset(
    {"http", "https", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "hf", "ftp", "sftp"}
)
"""Schemes whose files lie elsewhere, whatever the rest of the URL says."""
_SERVICES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "hf"})
"""What stands for a host in their URLs is a bucket or a repository."""
_TOLD = frozenset({"fd00:ec2::254", "100.100.100.200"})
"""Where Amazon by IPv6, and Alibaba, tell credentials."""
_LINK = re.compile(r"::(?=[A-Za-z][\w+.-]*://)")
_BRACKETS = re.compile(r"\[[^]]*\]")


def check_source(new: NewSource, *, near: bool) -> None:
    """See that a source may be read; `near` is whether it was named on this machine.

    Raises: SourceRefused.
    """
    for url in (new.uri, new.remote):
        if not url:
            continue
        if new.sql and url == new.uri:
            _check_database(url, near=near)
        else:
            _check_url(url, near=near)
    for value in new.options.values():  # an endpoint of its own, a proxy
        if "://" in value:
            check_host(urlsplit(value).hostname or "", value, near=near)


def check_host(host: str, url: str, *, near: bool) -> list[str]:
    """The addresses that a host has now; none where it has no name that is known.

    Raises: SourceRefused.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for text in addresses:
        address = address_of(text)
        if address.is_link_local or str(address) in _TOLD:
            raise SourceRefused(url, f"{host} is at {text}, where clouds tell credentials")
        if not near and not address.is_global:
            raise SourceRefused(url, f"{host} is at {text}, an address of the server's own network",
                                near=True)  # fmt: skip
    return addresses


def opener(*, near: bool) -> urllib.request.OpenerDirector:
    """What downloads by HTTP: each host is judged where it is connected to, of redirects too."""
    proxies = {urlsplit(url).hostname for url in urllib.request.getproxies().values()}

    def connected(address: tuple[str, int], *rest: Any) -> socket.socket:
        host, port = address
        found = [] if host in proxies else check_host(host, host, near=near)
        return socket.create_connection((found[0] if found else host, port), *rest)

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

    found = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        ByHttp(),
        ByHttps(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        found.add_handler(handler)
    return found


def _check_url(url: str, *, near: bool) -> None:
    # zip://inside.csv::http://host/a.zip is read through both.
    chained = "::" in _BRACKETS.sub("", url)
    for link in _LINK.split(url):
        parts = urlsplit(link if "://" in link else "")
        scheme = parts.scheme.lower()
        if not near and (scheme not in _FAR or chained):
            raise SourceRefused(url, "it is read on the server's own machine", near=True)
        if parts.hostname and scheme not in {"", "file", "local", *_SERVICES}:
            check_host(unquote(parts.hostname), url, near=near)


def _check_database(url: str, *, near: bool) -> None:
    host, shown = host_of(url), without_secrets(url)
    if host:
        check_host(host, shown, near=near)
    elif not near:
        raise SourceRefused(shown, "it is read on the server's own machine", near=True)
