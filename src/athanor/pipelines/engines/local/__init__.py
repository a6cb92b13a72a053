"""The engine of one machine: each task is a fresh fork of a warm worker.

Steps' processes load their part of this package alone, and nothing of the engine.
"""

from typing import TYPE_CHECKING

from athanor.kernel.front_door import lazily

if TYPE_CHECKING:
    from athanor.pipelines.engines.local.assembly import Surroundings, local_engine
    from athanor.pipelines.engines.local.engine import LocalEngine

PRELOAD: tuple[str, ...] = (
    "athanor.pipelines.engines.local.child",
    "athanor.pipelines.engines.local.apart",
    "athanor.pipelines.engines.local.foreign",
    "athanor.pipelines.engines.local.values",
    "athanor.pipelines.authoring",
    "athanor.pipelines.materializers.files",
    "athanor.pipelines.materializers.value",
    "athanor.pipelines.materializers.table",
    "pyarrow.pandas_compat",
    "pyarrow.vendored.version",
    "narwhals.stable.v2._namespace",
    "narwhals._pandas_like.namespace",
    "narwhals._pandas_like.dataframe",
    "narwhals._interchange.dataframe",
    "athanor.pipelines.engines.local.warming",
    "encodings.cp437",
)
"""What a zygote loads so that its forks need not."""

__getattr__ = lazily(
    __name__,
    {"LocalEngine": "engine", "Surroundings": "assembly", "local_engine": "assembly"},
)

__all__ = ["PRELOAD", "LocalEngine", "Surroundings", "local_engine"]
