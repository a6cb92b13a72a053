"""Writing pipelines as plain Python: `@step`, `@pipeline`, `If`, `operation`."""

from athanor.pipelines.authoring.composing import If, Pipeline, operation, pipeline
from athanor.pipelines.authoring.steps import Step, step

__all__ = ["If", "Pipeline", "Step", "operation", "pipeline", "step"]
