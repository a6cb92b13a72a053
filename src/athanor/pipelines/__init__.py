"""Pipelines: plain functions composed, cached by content, run in forks, started by what happens."""

from athanor.pipelines.authoring import If, Pipeline, Step, operation, pipeline, step
from athanor.pipelines.engines.local import LocalEngine, Surroundings, local_engine
from athanor.pipelines.service import Pipelines
from athanor.pipelines.store import RunStore, SqlRunStore, SqlTriggerStore, TriggerStore
from athanor.pipelines.triggers import TriggerWatch
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
