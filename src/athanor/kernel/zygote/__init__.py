"""Workers as processes: forks of a warm parent on Linux, fresh interpreters elsewhere."""

from athanor.kernel.zygote.choice import HEAVY_MODULES, choose_workers
from athanor.kernel.zygote.fresh import SpawnWorkers
from athanor.kernel.zygote.warm import ZygoteWorkers

__all__ = ["HEAVY_MODULES", "SpawnWorkers", "ZygoteWorkers", "choose_workers"]
