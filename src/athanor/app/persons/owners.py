"""Whose blobs are: the rows of the database that name them, in words."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Table, Text, or_, select, type_coerce

from athanor.app.keeping.places import Tree
from athanor.app.keeping.rows import texts_of
from athanor.app.keeping.unused import digests_in, files_of
from athanor.kernel.database import Database, metadata

_TELLING = frozenset({"kernel_event", "kernel_job"})
_TITLES = {
    "data_version": ("data", "file", "raw file of {dataset}@{number}"),
    "features_training_set": ("features", "training set", "rows pinned by {name}@{version}"),
    "features_version": ("features", "version", "{view}@{number}"),
    "lineage_artifact": ("lineage", "artifact", "{name}"),
    "monitoring_monitor": ("monitoring", "summary", "reference of {endpoint}"),
    "serving_ticket": ("serving", "ticket", "ticket {id} of {endpoint}"),
    "tracking_file": ("tracking", "file", "{path}"),
}
_NAMED_SO = ("digest", "blob", "sha256", "sketch", "request", "answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A row that names a blob, itself or by the folder that it lies in."""

    table: str
    room: str
    kind: str
    name: str
    id: str = ""
    """The artifact's id, where there is one."""
    type: str = ""
    """The artifact's type, such as `model`."""
    path: str = ""
    """The file's path in its folder."""


def owners_of(
    database: Database, storage_url: str, wanted: Collection[str]
) -> dict[str, list[Owner]]:
    """By digest, who names it; nobody where it is left out. An artifact comes before others."""
    bare = {digest.removeprefix("sha256:"): digest for digest in wanted}
    found: dict[str, list[Owner]] = {}
    if not bare:
        return found
    storage, folders = Tree(storage_url), dict[str, Mapping[str, str]]()
    with database.connection() as connection:
        for table in metadata.sorted_tables:
            texts = [column for column in texts_of(table) if table.name not in _TELLING]
            if not texts:
                continue
            likely = [
                plain.contains("sha256:") | plain.contains("/blobs/")
                for plain in (type_coerce(column, Text) for column in texts)
            ]
            sure = [column.is_not(None) for column in texts
                    if any(word in column.name for word in _NAMED_SO)]  # fmt: skip
            plain = [type_coerce(c, Text).label(c.name) if c in texts else c for c in table.columns]
            query = select(*plain).where(or_(*likely, *sure))
            for row in connection.execution_options(yield_per=500).execute(query).mappings():
                named = {digest for column in texts for digest in digests_in(row[column.name])}
                for digest in named:
                    if digest not in folders:
                        folders[digest] = files_of(storage, digest)
                    for blob, path in {digest: "", **folders[digest]}.items():
                        whole = bare.get(blob)
                        if whole:
                            found.setdefault(whole, []).append(_owner(table, dict(row), path))
    return {
        digest: sorted(owners, key=lambda owner: owner.table != "lineage_artifact")
        for digest, owners in found.items()
    }


def _owner(table: Table, row: Mapping[str, Any], path: str) -> Owner:
    room, _, rest = table.name.partition("_")
    keys = " ".join(str(row[column.name]) for column in table.primary_key.columns)
    room, kind, title = _TITLES.get(table.name, (room, rest.replace("_", " "), keys))
    return Owner(
        table=table.name,
        room=room,
        kind=kind,
        name=title.format_map(row) if table.name in _TITLES else keys,
        id=_artifact(table.name, row),
        type=str(row["type"]) if table.name == "lineage_artifact" else "",
        path=path,
    )


def _artifact(table: str, row: Mapping[str, Any]) -> str:
    if table == "features_version":
        return str(orjson.loads(row["body"])["artifact_id"])
    return str(row.get("artifact_id") or row.get("id") or "")
