"""Where the artifact tree is kept: which content stands at which path."""

from collections.abc import Iterator
from typing import Any, Protocol

from sqlalchemy import BigInteger, Column, Index, String, Table, Text, delete, select

from athanor.kernel import Database, Instant, metadata
from athanor.kernel.upserts import dialect_of
from athanor.tracking.errors import PathTaken
from athanor.tracking.files import FileEntry

_MANY = 500


class FileStore(Protocol):
    """The artifact tree. Paths are clean: see `logic.paths`."""

    def put(self, entry: FileEntry) -> None:
        """Set the content at a path; the folders that lead to it are made.

        Raises: PathTaken where a folder stands there, or a file on the way.
        """
        ...

    def find(self, path: str) -> FileEntry | None:
        """What stands at a path."""
        ...

    def children(self, folder: str) -> list[FileEntry]:
        """What stands in a folder, by path; "" is the root."""
        ...

    def files(self, path: str) -> list[FileEntry]:
        """The file at a path, or all those below it, by path."""
        ...

    def remove(self, path: str) -> int:
        """Take away a file, or a folder with all below it; how many files that were."""
        ...

    def digests(self) -> Iterator[str]:
        """The content that is in use; one may come several times."""
        ...


# A folder has no digest. It stands here as long as there is something in it, so that a listing
# reads one folder's rows alone, however much lies below.
file_table = Table(
    "tracking_file",
    metadata,
    Column("path", Text, primary_key=True),
    Column("folder", Text, nullable=False),
    Column("digest", String(80)),
    Column("size", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_tracking_file_folder", file_table.c.folder)
Index("ix_tracking_file_digest", file_table.c.digest)

_COLUMNS = (file_table.c.path, file_table.c.digest, file_table.c.size, file_table.c.at)


class SqlFileStore:
    """The artifact tree in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect: Any = dialect_of(database)

    def put(self, entry: FileEntry) -> None:
        """Set the content at a path; the folders that lead to it are made."""
        above = _above(entry.path)
        with self._database.transaction() as connection:
            standing = select(file_table.c.path, file_table.c.digest).where(
                file_table.c.path.in_([*above, entry.path])
            )
            known: dict[str, str | None] = dict(map(tuple, connection.execute(standing)))
            for path, digest in known.items():
                if (path == entry.path) != (digest is not None):
                    raise PathTaken(entry.path, path)
            for path in above:
                if path not in known:
                    folder = self._row(FileEntry(path=path, at=entry.at))
                    connection.execute(
                        self._dialect.insert(file_table).values(folder).on_conflict_do_nothing()
                    )
            row = self._row(entry)
            changes = {name: row[name] for name in ("digest", "size", "at")}
            connection.execute(
                self._dialect.insert(file_table)
                .values(row)
                .on_conflict_do_update(index_elements=["path"], set_=changes)
            )

    def find(self, path: str) -> FileEntry | None:
        """What stands at a path."""
        query = select(*_COLUMNS).where(file_table.c.path == path)
        with self._database.connection() as connection:
            row = connection.execute(query).first()
        return None if row is None else _entry(row)

    def children(self, folder: str) -> list[FileEntry]:
        """What stands in a folder, by path."""
        query = select(*_COLUMNS).where(file_table.c.folder == folder)
        with self._database.connection() as connection:
            found = [_entry(row) for row in connection.execute(query)]
        return sorted(found, key=lambda entry: entry.path)

    def files(self, path: str) -> list[FileEntry]:
        """The file at a path, or all those below it, by path."""
        with self._database.connection() as connection:
            found = [
                _entry(row)
                for row in connection.execute(
                    select(*_COLUMNS).where(file_table.c.path.in_(_below(path)))
                )
            ]
        files = (entry for entry in found if not entry.is_folder)
        return sorted(files, key=lambda entry: entry.path)

    def remove(self, path: str) -> int:
        """Take away a file, or a folder with all below it; folders left empty go too."""
        with self._database.transaction() as connection:
            going = self.files(path)
            paths = select(_below(path).subquery().c.path)
            connection.execute(delete(file_table).where(file_table.c.path.in_(paths)))
            for folder in reversed(_above(path)):
                inside = select(file_table.c.path).where(file_table.c.folder == folder).limit(1)
                if connection.execute(inside).first() is not None:
                    break
                connection.execute(delete(file_table).where(file_table.c.path == folder))
        return len(going)

    def digests(self) -> Iterator[str]:
        """The content that is in use."""
        last = ""
        while True:
            query = (
                select(file_table.c.digest)
                .where(file_table.c.digest > last)
                .distinct()
                .order_by(file_table.c.digest)
                .limit(_MANY)
            )
            with self._database.connection() as connection:
                page = list(connection.execute(query).scalars())
            if not page:
                return
            yield from page
            last = page[-1]

    @staticmethod
    def _row(entry: FileEntry) -> dict[str, Any]:
        return {
            "path": entry.path,
            "folder": entry.path.rpartition("/")[0],
            "digest": entry.digest or None,
            "size": entry.size,
            "at": entry.at,
        }


def _entry(row: Any) -> FileEntry:
    return FileEntry(path=row.path, digest=row.digest or "", size=row.size, at=row.at)


def _above(path: str) -> list[str]:
    """The folders that lead to a path, the outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]


def _below(path: str) -> Any:
    """The paths of what stands at a path and of everything below it."""
    tree = (
        select(file_table.c.path)
        .where(file_table.c.path == path if path else file_table.c.folder == "")
        .cte("tree", recursive=True)
    )
    return select(
        tree.union_all(select(file_table.c.path).where(file_table.c.folder == tree.c.path)).c.path
    )
