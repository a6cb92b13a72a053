"""What can go wrong with runs and artifacts."""

from collections.abc import Iterable

from athanor.kernel import Conflict, Invalid, NotFound, nearest


class RunNotFound(NotFound):
    """No run has this id."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"There is no run {run_id!r}.", hint="See what exists: athanor run list")


class RunAmbiguous(Invalid):
    """Several runs' ids begin like this."""

    def __init__(self, beginning: str, found: list[str]) -> None:
        super().__init__(
            f"Several runs begin with {beginning!r}, such as {' and '.join(found)}.",
            hint="Give more digits of the id.",
        )


class RunEnded(Conflict):
    """The run has ended; it can't change any more."""

    def __init__(self, run_id: str, state: str) -> None:
        super().__init__(
            f"The run {run_id} has ended ({state}) and can't change any more.",
            hint="Start a new run.",
        )


class ArtifactNotFound(NotFound):
    """No artifact has this id."""

    def __init__(self, artifact_id: str) -> None:
        super().__init__(
            f"There is no artifact {artifact_id!r}.",
            hint="Name one as dataset:NAME@N, model:NAME@ALIAS, prediction:ID or artifact:ID.",
        )


class BadId(Invalid):
    """An id of the caller's own that can't be one."""

    def __init__(self, given: str) -> None:
        super().__init__(
            f"{given[:100]!r} can't be an id.",
            hint="Leave it out to have one made; or use up to 80 letters, digits, _ . : and -.",
        )


class BadReference(Invalid):
    """A reference that no room understands."""

    def __init__(self, reference: str, kinds: Iterable[str]) -> None:
        known = sorted(kinds)
        near = nearest(reference.partition(":")[0], known)
        super().__init__(
            f"{reference!r} is not a reference to an artifact.",
            hint=near or f"References begin with one of: {', '.join(f'{k}:' for k in known)}.",
        )
