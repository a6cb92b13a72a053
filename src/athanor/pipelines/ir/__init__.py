"""The intermediate representation: Kubeflow Pipelines v2 `PipelineSpec`, read and written."""
