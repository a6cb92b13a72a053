"""Workers as processes: forks of a warm parent on Linux, fresh interpreters elsewhere.

A zygote loads its own part of this package alone: what it holds makes each of its forks dearer.
"""

from typing import TYPE_CHECKING

from athanor.kernel.front_door import lazily

if TYPE_CHECKING:
    from athanor.kernel.zygote.choice import HEAVY_MODULES, choose_workers
    from athanor.kernel.zygote.fresh import SpawnWorkers
    from athanor.kernel.zygote.warm import ZygoteWorkers

__getattr__ = lazily(
    __name__,
    {
        "HEAVY_MODULES": "choice",
        "SpawnWorkers": "fresh",
        "ZygoteWorkers": "warm",
        "choose_workers": "choice",
    },
)

__all__ = ["HEAVY_MODULES", "SpawnWorkers", "ZygoteWorkers", "choose_workers"]
