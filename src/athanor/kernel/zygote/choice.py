"""Which kind of workers this machine gets."""

import platform
from collections.abc import Sequence

from athanor.kernel.workers import Workers
from athanor.kernel.zygote.fresh import SpawnWorkers
from athanor.kernel.zygote.warm import ZygoteWorkers

HEAVY_MODULES: tuple[str, ...] = (
    "numpy",
    "pyarrow",
    "pyarrow.parquet",
    "pandas",
    "sklearn.pipeline",
    "sklearn.compose",
    "sklearn.linear_model",
    "lightgbm",
)
"""What a server's zygote loads ahead: the libraries that nearly every task needs.

Ordered so that each finds what it builds on. Submodules of scikit-learn that these do not pull in
load in a few milliseconds in the one task that asks for them.
"""


def choose_workers(preload: Sequence[str] = (), *, ahead: bool = True) -> Workers:
    """Forks of a zygote with `preload` loaded, or fresh interpreters where a fork is unsafe.

    The modules are loaded `ahead`, or with the first `warm_up`.

    macOS's frameworks break in a forked child, so only Linux forks.
    """
    if platform.system() == "Linux":
        return ZygoteWorkers(preload, ahead=ahead)
    return SpawnWorkers()
