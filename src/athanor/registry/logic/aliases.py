"""Where an alias goes back to."""

from collections.abc import Iterable

from athanor.registry.types import AliasMove


def stack_of(moves: Iterable[AliasMove]) -> list[int]:
    """The versions that an alias has pointed at, undone ones left out; the last is the present.

    `moves` stand in the order in which they were made. Setting an alias anew puts a version on
    top, a rollback takes one off, removing it empties the stack.
    """
    stack: list[int] = []
    for move in moves:
        if move.kind == "rollback":
            stack.pop()
        elif move.number is None:
            stack.clear()
        elif not stack or stack[-1] != move.number:
            stack.append(move.number)
    return stack
