"""What can go wrong when an endpoint is taken elsewhere, each with what to do next."""

from collections.abc import Iterable

from athanor.kernel.errors import Conflict, Invalid, nearest


class ExportUnknown(Invalid):
    """There is no such form of export."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        names = list(known)
        super().__init__(
            f"There is no {what} {name!r}.",
            hint=nearest(name, names) or f"There are: {', '.join(names)}.",
        )


class ExportImpossible(Conflict):
    """The endpoint can't be taken elsewhere as it stands."""

    def __init__(self, endpoint: str, reason: str) -> None:
        super().__init__(
            f"Endpoint {endpoint!r} can't be exported: {reason}.",
            hint=f"See its deployments: athanor endpoint show {endpoint}",
        )


class BadManifest(Invalid):
    """A manifest that Kubernetes would refuse."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem, hint=hint)
