"""Writing pipelines as plain Python: steps, pipelines, branches, loops, exit tasks, SQL."""

from athanor.pipelines.authoring.composing import Pipeline, operation, pipeline
from athanor.pipelines.authoring.control import (
    Collected,
    Elif,
    Else,
    ExitHandler,
    If,
    OneOf,
    ParallelFor,
)
from athanor.pipelines.authoring.settings import StepSettings
from athanor.pipelines.authoring.sql import SqlStep, sql_step
from athanor.pipelines.authoring.status import FinalStatus
from athanor.pipelines.authoring.steps import Step, step

__all__ = [
    "Collected",
    "Elif",
    "Else",
    "ExitHandler",
    "FinalStatus",
    "If",
    "OneOf",
    "ParallelFor",
    "Pipeline",
    "SqlStep",
    "Step",
    "StepSettings",
    "operation",
    "pipeline",
    "sql_step",
    "step",
]
