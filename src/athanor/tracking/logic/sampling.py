"""Thinning out: some of many points, the first and the last among them."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """At most `most` items, evenly spread; the last one is always there.

    The items are cut into `most` stretches of nearly the same length, as SQL's NTILE does, and the
    first of each is taken; where the very last is not among them, it replaces the last taken.
    """
    if len(items) <= most:
        return list(items)
    length, longer = divmod(len(items), most)
    taken = [items[index * length + min(index, longer)] for index in range(most)]
    taken[-1] = items[-1]
    return taken
