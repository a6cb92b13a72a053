"""Databases for tests: SQLite in memory or in a file, and a real Postgres started on the spot.

Every database that is handed out holds all rooms' tables. They are made once, in a template, and
copied from there.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from athanor.app.tables import load_all_tables
from athanor.kernel import schema
from athanor.kernel.database import Database
from athanor.kernel.ids import new_id

_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")
_START_SECONDS = 60
_TEMPLATE = "athanor_template"

# The server lives as long as this shell's standard input: it goes with a killed test run too.
_KEEPER = '"$@" & server=$!; trap "kill -INT $server" TERM INT; read -r _; kill -INT $server; wait'


class PostgresMissing(RuntimeError):
    """This machine has no Postgres server to start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A Postgres server of our own, reachable through a socket in its folder alone."""

    folder: Path
    user: str

    def url(self, name: str) -> str:
        """The SQLAlchemy URL of one of its databases."""
        return f"postgresql://{self.user}@/{name}?host={self.folder}"

    def create(self, name: str, *, template: str = "template1") -> str:
        """Make a database as a copy of another; its URL."""
        self._execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        return self.url(name)

    def drop(self, name: str) -> None:
        """Remove a database, together with whoever is still connected to it."""
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            self._execute(sql.SQL("SELECT 1"))
        except psycopg.OperationalError:
            return False
        return True

    def _execute(self, statement: sql.SQL | sql.Composed) -> None:
        with psycopg.connect(
            host=str(self.folder), user=self.user, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement)


def postgres_programs() -> Path:
    """The folder with `initdb` and `postgres`: from PATH, else where packages put them.

    Raises: PostgresMissing.
    """
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    for place in _PLACES:
        folders += sorted(Path("/").glob(place.lstrip("/")), reverse=True)
    for folder in folders:
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            return folder
    message = "no initdb in PATH or /usr/lib/postgresql (Debian: apt-get install postgresql)"
    raise PostgresMissing(message)


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A Postgres server in a folder of its own, without durability, gone at the end.

    Raises: PostgresMissing.
    """
    programs = postgres_programs()
    user = _server_user()
    folder = Path(tempfile.mkdtemp(prefix="athanor-postgres-"))
    server: subprocess.Popen[bytes] | None = None
    try:
        data = folder / "data"
        uid, gid = None, None
        if user.pw_uid != os.geteuid():
            uid, gid = user.pw_uid, user.pw_gid
            os.chown(folder, uid, gid)
        subprocess.run(
            [
                *(str(programs / "initdb"), "--pgdata", str(data), "--username", user.pw_name),
                *("--auth", "trust", "--no-sync", "--encoding", "UTF8", "--locale", "C"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
            user=uid,
            group=gid,
        )
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [
                    *("/bin/sh", "-c", _KEEPER, "keeper", str(programs / "postgres")),
                    *("-D", str(data), "-k", str(folder), "-c", "listen_addresses="),
                    *("-c", "fsync=off"),
                    *("-c", "synchronous_commit=off", "-c", "full_page_writes=off"),
                    *("-c", "max_connections=200", "-c", "shared_buffers=32MB"),
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=folder,
                start_new_session=True,
                user=uid,
                group=gid,
            )
        postgres = Postgres(folder=folder, user=user.pw_name)
        _wait_for(postgres, server)
        yield postgres
    finally:
        if server is not None:
            server.communicate()
        shutil.rmtree(folder, ignore_errors=True)


class Databases:
    """Hands out empty databases that hold every table: `memory`, `sqlite` or `postgres`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sqlite = folder / "template.db"

    @contextmanager
    def memory(self) -> Iterator[Database]:
        """SQLite in memory."""
        database = Database.open("sqlite://")
        try:
            create_all(database)
            yield database
        finally:
            database.close()

    @contextmanager
    def sqlite(self) -> Iterator[Database]:
        """SQLite in a file."""
        if not self._sqlite.exists():
            made = self._sqlite.with_suffix(".new")
            database = Database.open(f"sqlite:///{made}")
            create_all(database)
            database.close()
            made.rename(self._sqlite)
        folder = self._folder / new_id()
        folder.mkdir()
        shutil.copyfile(self._sqlite, folder / "athanor.db")
        database = Database.open(f"sqlite:///{folder / 'athanor.db'}")
        try:
            yield database
        finally:
            database.close()
            shutil.rmtree(folder)

    @contextmanager
    def postgres(self, server: Postgres) -> Iterator[Database]:
        """A database of a running server."""
        prepare_template(server)
        name = f"test_{new_id()}"
        database = Database.open(server.create(name, template=_TEMPLATE))
        try:
            yield database
        finally:
            database.close()
            server.drop(name)


def create_all(database: Database) -> None:
    """Make the tables of the kernel and of every room."""
    load_all_tables()
    schema.create_all(database)


def prepare_template(server: Postgres) -> None:
    """Make the database that tests' databases are copied from, unless it is there."""
    marker = server.folder / "template-made"
    if marker.exists():
        return
    database = Database.open(server.create(_TEMPLATE))
    create_all(database)
    database.close()
    marker.touch()


def _server_user() -> pwd.struct_passwd:
    """Who the server runs as: Postgres refuses root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    message = "Postgres does not run as root, and there is no user postgres or nobody"
    raise PostgresMissing(message)


def _wait_for(postgres: Postgres, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_SECONDS
    while not postgres.answers():
        if server.poll() is not None or time.monotonic() > until:
            log = (postgres.folder / "log").read_text(errors="replace")
            message = f"Postgres did not start:\n{log}"
            raise RuntimeError(message)
        time.sleep(0.05)
