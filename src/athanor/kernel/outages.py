"""How the metadata database fails, in words."""

from sqlalchemy.exc import OperationalError

from athanor.kernel.errors import StorageFull, Unavailable


class DatabaseUnavailable(Unavailable):
    """The metadata database does not answer."""

    def __init__(self, cause: Exception) -> None:
        reason = str(getattr(cause, "orig", cause)).strip().splitlines() or [type(cause).__name__]
        if is_damaged(cause):
            super().__init__(
                f"The metadata database is damaged: {reason[0]}.",
                hint="End the server, and bring a backup back into an empty folder: "
                "athanor --workspace FOLDER restore BACKUP. Keep the damaged athanor.db: "
                "SQLite's own `.recover` may save rows of it.",
            )
            return
        super().__init__(
            f"The metadata database can't be reached: {reason[0]}.",
            hint="See that ATHANOR_DATABASE_URL is right and that the database is running.",
        )


def is_damaged(error: Exception) -> bool:
    """Whether SQLite says that its file is none of its own, or broken."""
    text = str(getattr(error, "orig", error))
    return "file is not a database" in text or "disk image is malformed" in text


class DatabaseFull(StorageFull):
    """The database's disk is full; the transaction was undone."""

    def __init__(self) -> None:
        super().__init__(
            "The disk of the metadata database is full; nothing of this request was kept.",
            hint="Free some space there and try again.",
        )


def is_full(error: BaseException) -> bool:
    """Whether SQLite says that its disk is."""
    text = str(error)
    return isinstance(error, OperationalError) and (
        "disk is full" in text or "disk I/O error" in text
    )
