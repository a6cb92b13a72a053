"""Person trace and erase over a transport."""

from athanor.kernel import Transport
from athanor.kernel.holder import Holding


class PersonsClient:
    """Finds a person's rows in every room, and erases them."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def trace(self, column: str, value: str) -> list[Holding]:
        """What holds rows whose column has this value, or came of them."""
        body = {"column": column, "value": str(value)}
        return self._transport.send("POST", "/persons/trace", body=body).read(list[Holding])

    def erase(
        self, column: str, value: str, *, dry_run: bool = True, derived: str = "name"
    ) -> list[Holding]:
        """Remove those rows everywhere; a dry run, which is the default, tells what would go.

        Datasets that were made of them and lost the column are named, or, by `derived`, made anew
        where a recipe made them ("rebuild") or removed ("purge").
        """
        body = {"column": column, "value": str(value), "dry_run": dry_run, "derived": derived}
        return self._transport.send("POST", "/persons/erase", body=body).read(list[Holding])
