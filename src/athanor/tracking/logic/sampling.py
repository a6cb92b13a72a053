"""Thinning out histories: the same steps of every run, the ends of each among them."""

from collections.abc import Sequence


def shared_steps(histories: Sequence[Sequence[int]], most: int) -> frozenset[int]:
    """The steps to show of several runs, so that their curves stand over the same points.

    Where all runs together have more than `most` different steps, `most` are taken evenly, the
    last one, and where each run begins and ends: at most `most + 1 + 2 * len(histories)`.

    Args:
        histories: The steps of each run, in any order.
        most: At least 1.
    """
    every = sorted({step for steps in histories for step in steps})
    if len(every) <= most:
        return frozenset(every)
    stride = len(every) / most
    taken = {every[int(index * stride)] for index in range(most)}
    taken.add(every[-1])
    for steps in filter(None, histories):
        taken |= {min(steps), max(steps)}
    return frozenset(taken)
