"""Object stores and other far file systems, by URL.

S3 is reached through s3fs where that is installed, else through Arrow, which brings a client of its
own. Credentials and the endpoint come from the environment (`AWS_ACCESS_KEY_ID`,
`AWS_SECRET_ACCESS_KEY`, `AWS_ENDPOINT_URL` ...), unless they are given.
"""

import hashlib
import importlib
import os
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_S3 = ("s3://", "s3a://")


def filesystem_of(url: str, options: Mapping[str, Any] | None = None) -> tuple[Any, str]:
    """An fsspec file system, and the URL's path in it.

    Raises: ImportError where a package for the scheme is missing, ValueError for an unknown scheme.
    """
    import fsspec  # noqa: PLC0415 - only where something lies far away

    given = dict(options or {})
    if not url.startswith(_S3):
        filesystem, path = fsspec.core.url_to_fs(url, **given)
        return filesystem, str(path)
    endpoint = given.pop("endpoint_url", "") or endpoint_url()
    try:
        client = {"client_kwargs": {"endpoint_url": endpoint}} if endpoint else {}
        filesystem, path = fsspec.core.url_to_fs(url, **(client | given))
    except ImportError:
        return _by_arrow(endpoint, tuple(sorted(given.items()))), url.split("://", 1)[1]
    return filesystem, str(path)


def endpoint_url() -> str:
    """The S3-compatible server of the environment; empty is Amazon's."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")


def cached_copy(url: str) -> Path:
    """Where this machine keeps its copy of a table's file, whose name is never used twice."""
    folder = Path(tempfile.gettempdir()) / f"athanor-tables-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{hashlib.sha256(url.encode()).hexdigest()}.parquet"


def table_options(url: str) -> dict[str, str]:
    """What Delta needs to know beside the environment to write to a URL."""
    if not url.startswith(_S3):
        return {}
    found = {"conditional_put": "etag"}
    if endpoint := endpoint_url():
        found |= {"endpoint_url": endpoint}
        if endpoint.startswith("http://"):
            found |= {"allow_http": "true"}
    return found


@cache
def _by_arrow(endpoint: str, pairs: tuple[tuple[str, Any], ...]) -> Any:
    from fsspec.implementations.arrow import ArrowFSWrapper  # noqa: PLC0415 - as above

    # By name: what reaches blobs needs Arrow only where these lie in S3 and s3fs is not there.
    found = importlib.import_module("pyarrow.fs").S3FileSystem
    given, options = dict(pairs), dict[str, Any]()
    if endpoint:
        scheme, _, host = endpoint.partition("://")
        options |= {"endpoint_override": host.rstrip("/"), "scheme": scheme}
    if str(given.get("anon", "")).lower() in {"1", "true"}:
        options["anonymous"] = True
    for theirs, ours in (("key", "access_key"), ("secret", "secret_key"), ("token",
                         "session_token"), ("region", "region")):  # fmt: skip
        if theirs in given:
            options[ours] = given[theirs]
    return ArrowFSWrapper(found(**options))
