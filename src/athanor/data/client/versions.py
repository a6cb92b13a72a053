"""Marks, diffs, deletion and splits over a transport."""

from collections.abc import Mapping, Sequence

from athanor.data.client.sources import version_path
from athanor.data.records import (
    Diff,
    Mark,
    NewMark,
    Overlap,
    Split,
    SplitKind,
    Vacuumed,
    VacuumOrder,
)
from athanor.data.types import DatasetVersion
from athanor.kernel import Transport
from athanor.kernel.transport import segment


class VersionVerbs:
    """What is said of versions, how they differ, how they are split, how they go."""

    _transport: Transport

    def marks(self, name: str) -> list[Mark]:
        """What is said about a dataset (number 0) and its versions."""
        return self._transport.send("GET", f"/datasets/{segment(name)}/marks").read(list[Mark])

    def mark(
        self,
        reference: str,
        *,
        tags: Sequence[str] | None = None,
        note: str | None = None,
        owners: Sequence[str] | None = None,
    ) -> Mark:
        """Say something about a dataset (NAME) or a version (NAME@...); what is None stays."""
        path = version_path(reference) if "@" in reference else f"/datasets/{segment(reference)}"
        new = NewMark(
            tags=None if tags is None else tuple(tags),
            note=note,
            owners=None if owners is None else tuple(owners),
        )
        return self._transport.send("PATCH", f"{path}/mark", body=new).read(Mark)

    def diff(self, before: str, after: str, *, key: Sequence[str] = ()) -> Diff:
        """How version `after` differs from `before`; rows are matched by `key`."""
        query = {"before": before, "after": after, "key": list(key)}
        return self._transport.send("GET", "/diff", query=query).read(Diff)

    def delete(self, reference: str) -> list[DatasetVersion]:
        """Delete a version (NAME@...) or a dataset (NAME); both can be restored."""
        path = version_path(reference) if "@" in reference else f"/datasets/{segment(reference)}"
        return self._transport.send("DELETE", path).read(list[DatasetVersion])

    def restore(self, reference: str) -> list[DatasetVersion]:
        """Bring a deleted version (NAME@3) or dataset (NAME) back."""
        path = version_path(reference) if "@" in reference else f"/datasets/{segment(reference)}"
        return self._transport.send("POST", f"{path}/restore").read(list[DatasetVersion])

    def vacuum(self, name: str, *, dry_run: bool = True, days: float = 0.0) -> Vacuumed:
        """Remove the files of deleted versions that no run used; a dry run tells what would go."""
        body = VacuumOrder(dry_run=dry_run, days=days)
        path = f"/datasets/{segment(name)}/vacuum"
        return self._transport.send("POST", path, body=body).read(Vacuumed)

    def split(
        self,
        reference: str,
        *,
        name: str = "default",
        kind: SplitKind = "random",
        shares: Mapping[str, float] | None = None,
        column: str = "",
        seed: int = 0,
    ) -> Split:
        """Divide a version's rows into named parts, and tell what these share."""
        told = {} if shares is None else {"shares": dict(shares)}
        body = {"name": name, "kind": kind, "column": column, "seed": seed} | told
        answer = self._transport.send("POST", f"{version_path(reference)}/splits", body=body)
        return answer.read(Split)

    def splits(self, reference: str) -> list[Split]:
        """The splits of a version."""
        return self._transport.send("GET", f"{version_path(reference)}/splits").read(list[Split])

    def remove_split(self, reference: str, name: str) -> None:
        """Remove a split."""
        self._transport.send("DELETE", f"{version_path(reference)}/splits/{segment(name)}")

    def overlaps(self, first: str, second: str) -> list[Overlap]:
        """What the second version shares with the first and should not, if it is to test it."""
        query = {"first": first, "second": second}
        return self._transport.send("GET", "/overlaps", query=query).read(list[Overlap])
