"""Databases for tests: SQLite in memory or in a file, and a real Postgres started on the spot.

Every database that is handed out holds all rooms' tables. They are made once, in a template, and
copied from there.
"""

import os
import pwd
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
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

# Making a database costs forty times as much as emptying one.
_SEND_AWAY = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_EMPTY = """
DO $$
DECLARE
    one record;
    has_rows boolean;
    filled text[] := '{}';
BEGIN
    FOR one IN SELECT format('%I', tablename) AS name FROM pg_tables WHERE schemaname = 'public'
    LOOP
        EXECUTE 'SELECT EXISTS (SELECT 1 FROM ' || one.name || ')' INTO has_rows;
        IF has_rows THEN filled := filled || one.name; END IF;
    END LOOP;
    IF cardinality(filled) > 0 THEN
        EXECUTE 'TRUNCATE ' || array_to_string(filled, ', ') || ' CASCADE';
    END IF;
    FOR one IN SELECT format('%I', sequencename) AS name FROM pg_sequences
        WHERE schemaname = 'public' AND last_value IS NOT NULL
    LOOP
        EXECUTE 'ALTER SEQUENCE ' || one.name || ' RESTART';
    END LOOP;
END $$
"""
_SHAPE = """
SELECT md5(string_agg(
    concat_ws(' ', relname, relkind, attname, atttypid, attnotnull), ';' ORDER BY relname, attnum))
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relnamespace = to_regnamespace('public')
"""

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

    def emptied(self, name: str) -> str:
        """Take everything out of a database; the digest of its tables, which stay."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            connection.execute(_SEND_AWAY)
            connection.execute(_EMPTY)
            found = connection.execute(_SHAPE).fetchone()
        return str(found and found[0])

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
        self._free: dict[Path, list[str]] = {}
        self._whole: dict[str, str] = {}

    @contextmanager
    def memory(self) -> Iterator[Database]:
        """SQLite in memory."""
        database = Database.open("sqlite://")
        try:
            held = database.engine.raw_connection()
            with closing(held), closing(sqlite3.connect(self._made())) as made:
                copy = held.driver_connection
                assert isinstance(copy, sqlite3.Connection)
                made.backup(copy)
            yield database
        finally:
            database.close()

    @contextmanager
    def sqlite(self) -> Iterator[Database]:
        """SQLite in a file."""
        folder = self._folder / new_id()
        folder.mkdir()
        shutil.copyfile(self._made(), folder / "athanor.db")
        database = Database.open(f"sqlite:///{folder / 'athanor.db'}")
        try:
            yield database
        finally:
            database.close()
            shutil.rmtree(folder)

    @contextmanager
    def postgres(self, server: Postgres) -> Iterator[Database]:
        """A database of a running server; whoever asks next gets the same one, emptied."""
        prepare_template(server)
        free = self._free.setdefault(server.folder, [])
        name = free.pop() if free else f"test_{new_id()}"
        url = server.url(name)
        if name not in self._whole:
            url = server.create(name, template=_TEMPLATE)
            self._whole[name] = server.emptied(name)
        database = Database.open(url)
        try:
            yield database
        finally:
            database.close()
            if server.emptied(name) == self._whole[name]:
                free.append(name)
            else:
                server.drop(name)

    def _made(self) -> Path:
        """A file with every table, made once."""
        if not self._sqlite.exists():
            made = self._sqlite.with_suffix(".new")
            database = Database.open(f"sqlite:///{made}")
            create_all(database)
            database.close()
            made.rename(self._sqlite)
        return self._sqlite


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
