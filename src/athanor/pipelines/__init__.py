"""Pipelines: plain functions composed, cached by content, run in forks, started by what happens."""

from typing import TYPE_CHECKING

from athanor.kernel.front_door import lazily

if TYPE_CHECKING:
    from athanor.pipelines.authoring import (
        If,
        Pipeline,
        Step,
        operation,
        pipeline,
        step,
    )
    from athanor.pipelines.engines.local import (
        LocalEngine,
        Surroundings,
        local_engine,
    )
    from athanor.pipelines.service import (
        Pipelines,
    )
    from athanor.pipelines.store import (
        RunStore,
        SqlRunStore,
        SqlTriggerStore,
        TriggerStore,
    )
    from athanor.pipelines.triggers import (
        TriggerWatch,
    )
    from athanor.pipelines.types import (
        Compiled,
        Explanation,
        GalleryEntry,
        NewTrigger,
        PipelineRun,
        Submission,
        Task,
        Trigger,
    )

__getattr__ = lazily(
    __name__,
    {
        "Compiled": "types",
        "Explanation": "types",
        "GalleryEntry": "types",
        "If": "authoring",
        "LocalEngine": "engines.local",
        "NewTrigger": "types",
        "Pipeline": "authoring",
        "PipelineRun": "types",
        "Pipelines": "service",
        "RunStore": "store",
        "SqlRunStore": "store",
        "SqlTriggerStore": "store",
        "Step": "authoring",
        "Submission": "types",
        "Surroundings": "engines.local",
        "Task": "types",
        "Trigger": "types",
        "TriggerStore": "store",
        "TriggerWatch": "triggers",
        "local_engine": "engines.local",
        "operation": "authoring",
        "pipeline": "authoring",
        "step": "authoring",
    },
)

__all__ = [
    "Compiled",
    "Explanation",
    "GalleryEntry",
    "If",
    "LocalEngine",
    "NewTrigger",
    "Pipeline",
    "PipelineRun",
    "Pipelines",
    "RunStore",
    "SqlRunStore",
    "SqlTriggerStore",
    "Step",
    "Submission",
    "Surroundings",
    "Task",
    "Trigger",
    "TriggerStore",
    "TriggerWatch",
    "local_engine",
    "operation",
    "pipeline",
    "step",
]
