"""The shapes as Prefect runs them, with its temporary server."""

# mypy: ignore-errors
# The library is in an environment of its own.

import sys

from prefect import flow, task

COUNT = {"one": 1, "chain": 20, "fan": 100}[sys.argv[1]]


@task
def one(value: int) -> int:
    """One more."""
    return value + 1


@flow
def shape() -> int:
    """The steps of the shape."""
    if sys.argv[1] == "fan":
        return sum(future.result() for future in [one.submit(index) for index in range(COUNT)])
    value = 0
    for _ in range(COUNT):
        value = one(value)
    return value


shape()
