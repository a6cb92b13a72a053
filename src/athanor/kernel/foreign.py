"""Rows of a query on a database that is not ours, by an SQLAlchemy URL."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from athanor.kernel.errors import Unprocessable

_SERVERS = frozenset(
    {"postgresql", "cockroachdb", "redshift", "mysql", "mariadb", "mssql", "oracle", "clickhouse",
     "clickhousedb", "trino", "presto", "hive"}
)  # fmt: skip
"""Databases that are reached at their URL's host; others may be files."""
_HARMLESS = frozenset(
    {"sslmode", "connect_timeout", "application_name", "client_encoding", "charset", "use_unicode",
     "target_session_attrs", "encoding", "gssencmode", "channel_binding", "keepalives"}
)  # fmt: skip
"""What may stand behind the question mark without naming a host, a socket or a file."""
_LIBPQ = frozenset({"psycopg", "psycopg2", "psycopg2cffi"})
_BIND = re.compile(r"(?<![:\w\\]):(?=\w)")


class ForeignDatabaseRefused(Unprocessable):
    """The database can't be reached, or does not answer the query."""

    def __init__(self, url: str, what: str, hint: str = "") -> None:
        super().__init__(
            f"{url}: {what}",
            hint=hint or "Try the query there; check the address, the user and the password.",
            details={"source": url},
        )


def without_secrets(url: str) -> str:
    """A database's URL with its password as `***`; what can't be read is told by its scheme."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return url.partition("://")[0] + "://..."


def hosts_of(url: str) -> list[str]:
    """All hosts that a database's URL leads to; none where these can't be told for certain.

    So it is with files, with sockets, and with settings that may name another place.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return []
    if (
        parsed.get_backend_name() not in _SERVERS
        or not parsed.query.keys() <= _HARMLESS
        # libpq takes a name like this for settings.
        or set("=/\\;") & set(parsed.database or "")
    ):
        return []
    hosts = (parsed.host or "").split(",")
    return hosts if all(hosts) else []


def at_addresses(url: str, addresses: Sequence[str]) -> str:
    """A database's URL that leads to addresses, which stand in the order of its hosts.

    What is built on libpq keeps the names, too: certificates are checked by them.
    """
    parsed = make_url(url)
    told = ",".join(addresses)
    if parsed.get_driver_name() in _LIBPQ:
        found = parsed.update_query_dict({"hostaddr": told})
    else:
        found = parsed.set(host=told)
    return found.render_as_string(hide_password=False)


def duckdb_file(url: str) -> str | None:
    """The file that a DuckDB URL names, "" where it names none; None: it is another database's."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return None
    if parsed.get_backend_name() != "duckdb":
        return None
    return "" if parsed.host or parsed.query else parsed.database or ""


@contextmanager
def rows_of(
    url: str, sql: str, chunk: int
) -> Iterator[tuple[list[str], Iterator[list[Sequence[Any]]]]]:
    """The columns' names and the rows, `chunk` at a time; what the query changes is undone.

    Raises: ForeignDatabaseRefused.
    """
    shown = without_secrets(url)
    try:
        parsed = make_url(url)
        file = parsed.database or ""
        if parsed.get_backend_name() == "sqlite" and file not in {"", ":memory:"}:
            path = Path(file.removeprefix("file:"))
            if not path.exists():
                raise ForeignDatabaseRefused(shown, "there is no such file.")
        engine = create_engine(parsed, poolclass=NullPool)
    except NoSuchModuleError as error:  # an ArgumentError, too
        raise ForeignDatabaseRefused(
            shown, str(error).split("\n", 1)[0], "Install the package that brings this dialect."
        ) from error
    except (ArgumentError, ValueError) as error:
        raise ForeignDatabaseRefused(
            shown, "this is no database's URL.", "Write it as dialect://user:password@host/name."
        ) from error
    except ImportError as error:
        raise ForeignDatabaseRefused(
            shown, f"its driver is not installed ({error.name}).", f"pip install {error.name}"
        ) from error
    try:
        with engine.connect().execution_options(stream_results=True) as connection:
            result = connection.execute(text(_BIND.sub(r"\\:", sql)))
            if not result.returns_rows:
                raise ForeignDatabaseRefused(shown, "the statement gives no rows.", "Use SELECT.")
            yield list(result.keys()), _chunks(result, chunk)
            connection.rollback()
    except SQLAlchemyError as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        raise ForeignDatabaseRefused(shown, " ".join(str(cause).split())[:400]) from error
    finally:
        engine.dispose()


def _chunks(result: Any, chunk: int) -> Iterator[list[Sequence[Any]]]:
    while rows := result.fetchmany(chunk):
        yield rows
