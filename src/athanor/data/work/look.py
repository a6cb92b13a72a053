"""Looks at versions that exist: rows by their number, expectations tried again."""

from dataclasses import asdict
from typing import Any

import msgspec
import pyarrow.parquet as pq

from athanor.data.logic.expectations import suggested
from athanor.data.types import Expectation, Profile, Roles
from athanor.data.work.earlier import Base
from athanor.data.work.findings import Subject
from athanor.data.work.ingest import present
from athanor.data.work.places import located
from athanor.data.work.profile import connected, profile_of
from athanor.data.work.telling import plain_values
from athanor.data.work.verify import verified
from athanor.kernel.sqltext import identifier


def rows(version: dict[str, Any], numbers: list[int]) -> list[dict[str, Any]]:
    """The rows of these numbers (from 1), each with its number."""
    if not numbers:
        return []
    with connected(_leading(msgspec.convert(version, Base), max(numbers))) as connection:
        # Numbers are ours, and few: they may stand in the text.
        listed = ", ".join(str(int(number)) for number in numbers)
        names = connection.view("source").columns
        # Longer than any of theirs, and so none of them.
        number = identifier("#" * (1 + max(map(len, names))))
        found = connection.sql(
            f"SELECT * FROM (SELECT row_number() OVER () AS {number}, * FROM source "  # noqa: S608
            f"LIMIT {max(numbers)}) WHERE {number} IN ({listed}) ORDER BY {number}"
        ).to_arrow_table()
    numbered, *cells = (plain_values(column) for column in found.columns)
    return [
        {"row": place, "values": dict(zip(names, row, strict=True))}
        for place, *row in zip(numbered, *cells, strict=True)
    ]


def _leading(base: Base, rows: int) -> list[str]:
    """The files that hold the first rows; the others need not be opened."""
    found, count = [], 0
    for file in base.files:
        [path] = located(base.table_uri, [file])
        found.append(path)
        count += pq.read_metadata(path).num_rows
        if count >= rows:
            break
    return found


def suggest(version: dict[str, Any], roles: dict[str, Any]) -> list[dict[str, Any]]:
    """Expectations by a version's profile."""
    base, asked = msgspec.convert(version, Base), msgspec.convert(roles, Roles)
    schema = pq.read_schema(base.paths()[-1]).remove_metadata()
    kept = present(asked, schema.names)
    return [asdict(item) for item in suggested(_profile(base, kept), kept)]


def profile(version: dict[str, Any], roles: dict[str, Any]) -> dict[str, Any]:
    """The profile of a version that was stored unseen."""
    return asdict(_profile(msgspec.convert(version, Base), msgspec.convert(roles, Roles)))


def check(
    version: dict[str, Any], roles: dict[str, Any], expectations: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """What comes of expectations on a version."""
    base, asked = msgspec.convert(version, Base), msgspec.convert(roles, Roles)
    profile = _profile(base, asked)
    with connected(base.paths()) as connection:
        subject = Subject(
            connection=connection,
            profile=profile,
            whole=profile,
            appended=False,
            files=tuple(base.paths()),
        )
        results = verified(subject, msgspec.convert(expectations, list[Expectation]))
    return [asdict(result) for result in results]


def _profile(base: Base, roles: Roles) -> Profile:
    paths = base.paths()
    schema = pq.read_schema(paths[-1]).remove_metadata()
    count = sum(pq.read_metadata(path).num_rows for path in paths)
    with connected(paths) as connection:
        return profile_of(connection, schema, count, present(roles, schema.names))
