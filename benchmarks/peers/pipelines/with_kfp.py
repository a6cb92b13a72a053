"""The shapes as `kfp.local` runs them, with kfp installed already and no venv a task."""

# mypy: ignore-errors
# The library is in an environment of its own.

import sys

from kfp import dsl, local

COUNT = {"one": 1, "chain": 20, "fan": 100}[sys.argv[1]]


@dsl.component(install_kfp_package=False)
def one(value: int) -> int:
    """One more."""
    return value + 1


@dsl.pipeline
def shape() -> None:
    """The steps of the shape."""
    if sys.argv[1] == "fan":
        for index in range(COUNT):
            one(value=index)
        return
    task = one(value=0)
    for _ in range(COUNT - 1):
        task = one(value=task.output)


local.init(local.SubprocessRunner(use_venv=False))
shape()
