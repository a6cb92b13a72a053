"""The shapes as Dagster runs them, in process."""

# mypy: ignore-errors
# The library is in an environment of its own.

import sys

from dagster import job, op

COUNT = {"one": 1, "chain": 20, "fan": 100}[sys.argv[1]]


@op
def start() -> int:
    """The first value."""
    return 0


@op
def one(value: int) -> int:
    """One more."""
    return value + 1


@job
def shape() -> None:
    """The steps of the shape."""
    value = start()
    for index in range(COUNT):
        made = one.alias(f"one_{index}")(value)
        value = value if sys.argv[1] == "fan" else made


if not shape.execute_in_process().success:
    raise SystemExit(1)
