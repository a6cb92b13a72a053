"""Which reader a store needs, told from how it is named."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from athanor.app.moving.errors import NoStore
from athanor.app.moving.mlflow.files import FileStore
from athanor.app.moving.mlflow.locations import Locations
from athanor.app.moving.mlflow.server import ServerStore
from athanor.app.moving.mlflow.sql import SqlStore
from athanor.app.moving.source import Source


def open_store(named: str, *, artifacts: str = "") -> Source:
    """A store by a folder, a database (file or URL) or a server's URL.

    `artifacts` is the folder or URL behind `mlflow-artifacts:`, where a database's server is not
    asked.
    Raises: NoStore, ForeignStore, StoreUnreachable.
    """
    scheme = urlsplit(named).scheme
    if scheme in {"http", "https"}:
        return ServerStore(named)
    if scheme and scheme != "file" and "://" in named:
        return SqlStore(named, proxied=artifacts)
    try:
        path = Path(unquote(urlsplit(named).path) if scheme == "file" else named).expanduser()
    except RuntimeError as error:  # the home of nobody
        raise NoStore(named) from error
    if path.is_file():
        return SqlStore(str(path), proxied=artifacts)
    if not path.is_dir():
        raise NoStore(named)
    for inner in (path / "mlflow.db", path / "mlruns.db"):
        if inner.is_file():
            return SqlStore(str(inner), proxied=artifacts)
    if (path / "mlruns").is_dir():
        path = path / "mlruns"
    return FileStore(path, Locations(base=path.absolute(), proxied=artifacts))
