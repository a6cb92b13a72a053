"""Pipelines: plain functions composed, cached by content, run in forks, started by what happens."""

from typing import TYPE_CHECKING

from athanor.kernel.front_door import lazily

if TYPE_CHECKING:
    from athanor.pipelines.authoring import (
        Collected,
        Elif,
        Else,
        ExitHandler,
        FinalStatus,
        If,
        OneOf,
        ParallelFor,
        Pipeline,
        SqlStep,
        Step,
        operation,
        pipeline,
        sql_step,
        step,
    )
    from athanor.pipelines.engines.local import (
        LocalEngine,
        Surroundings,
        local_engine,
    )
    from athanor.pipelines.news import (
        RunNews,
    )
    from athanor.pipelines.secrets import (
        FolderSecrets,
        Secrets,
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
    from athanor.pipelines.workbench import (
        Workbench,
    )

__getattr__ = lazily(
    __name__,
    {
        "Collected": "authoring",
        "Compiled": "types",
        "Elif": "authoring",
        "Else": "authoring",
        "ExitHandler": "authoring",
        "Explanation": "types",
        "FinalStatus": "authoring",
        "FolderSecrets": "secrets",
        "GalleryEntry": "types",
        "If": "authoring",
        "LocalEngine": "engines.local",
        "NewTrigger": "types",
        "OneOf": "authoring",
        "ParallelFor": "authoring",
        "Pipeline": "authoring",
        "PipelineRun": "types",
        "Pipelines": "service",
        "RunNews": "news",
        "RunStore": "store",
        "Secrets": "secrets",
        "SqlRunStore": "store",
        "SqlStep": "authoring",
        "SqlTriggerStore": "store",
        "Step": "authoring",
        "Submission": "types",
        "Surroundings": "engines.local",
        "Task": "types",
        "Trigger": "types",
        "TriggerStore": "store",
        "TriggerWatch": "triggers",
        "Workbench": "workbench",
        "local_engine": "engines.local",
        "operation": "authoring",
        "pipeline": "authoring",
        "sql_step": "authoring",
        "step": "authoring",
    },
)

__all__ = [
    "Collected",
    "Compiled",
    "Elif",
    "Else",
    "ExitHandler",
    "Explanation",
    "FinalStatus",
    "FolderSecrets",
    "GalleryEntry",
    "If",
    "LocalEngine",
    "NewTrigger",
    "OneOf",
    "ParallelFor",
    "Pipeline",
    "PipelineRun",
    "Pipelines",
    "RunNews",
    "RunStore",
    "Secrets",
    "SqlRunStore",
    "SqlStep",
    "SqlTriggerStore",
    "Step",
    "Submission",
    "Surroundings",
    "Task",
    "Trigger",
    "TriggerStore",
    "TriggerWatch",
    "Workbench",
    "local_engine",
    "operation",
    "pipeline",
    "sql_step",
    "step",
]
