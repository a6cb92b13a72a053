"""What can go wrong with a store that is read or written."""

from athanor.kernel import Invalid, NotFound, Unavailable


class NoStore(NotFound):
    """Nothing lies where a store was said to be."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"There is no store at {place}.",
            hint="Give an mlruns folder, a database (a file, sqlite:///..., postgresql://...) "
            "or a server (http://...).",
        )


class ForeignStore(Invalid):
    """Something is there, and it is no MLflow store."""

    def __init__(self, place: str, found: str) -> None:
        super().__init__(
            f"{place} is no MLflow store: {found}.",
            hint="Give an mlruns folder, the database that `mlflow server` was started with, "
            "or that server's URL.",
        )


class BrokenStore(Invalid):
    """A store of the right kind with a part that can't be read."""

    def __init__(self, place: str, found: str) -> None:
        super().__init__(
            f"The store is damaged at {place}: {found}.",
            hint="Repair or remove that part and import again: what has arrived stays.",
        )


class StoreUnreachable(Unavailable):
    """The server or database of a store does not answer."""

    def __init__(self, place: str, cause: object) -> None:
        super().__init__(
            f"The store at {place} does not answer: {cause}",
            hint="Look whether it runs and who may read it; import again: it goes on where it was.",
        )


class NoSuchExperiments(NotFound):
    """A filter names experiments that the store does not have."""

    def __init__(self, names: list[str], there: list[str]) -> None:
        shown = ", ".join(repr(name) for name in there[:10]) or "none"
        super().__init__(
            f"The store has no experiment named {', '.join(repr(name) for name in names)}.",
            hint=f"It has: {shown}{', ...' if len(there) > 10 else ''}",
        )


class PlaceTaken(Invalid):
    """An export would mix with what is there."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"{place} holds something that is no export of Athanor.",
            hint="Give an empty folder, or one that `athanor export mlflow` wrote before.",
        )


class NothingToPush(Invalid):
    """The runs are on that server already."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"What is recorded here is kept by {url} itself.",
            hint="Name another server, or a workspace of this machine by --workspace.",
        )
