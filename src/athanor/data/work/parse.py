"""Looks SQL through in a process of its own, before a table of it is fetched."""

from dataclasses import asdict
from typing import Any

from athanor.data.logic.queries import read_query


def tables_of(sql: str) -> dict[str, Any]:
    """What a query reads, as plain data of `Reads`.

    Raises: BadQuery, NotReadOnly, UnknownRelation.
    """
    return asdict(read_query(sql))
