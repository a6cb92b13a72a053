"""A pipeline for elsewhere: it names its files, and not where they lie on this machine."""

import msgspec

from athanor.pipelines.ir.spec import Document, ExecutorSpec
from athanor.pipelines.logic.embedding import with_bare_file


def without_places(document: Document) -> Document:
    """The pipeline whose steps' sources are known by their files' names alone."""
    deployment = document.spec.deployment_spec
    executors = {label: _bare(executor) for label, executor in deployment.executors.items()}
    changed = msgspec.structs.replace(
        document.spec, deployment_spec=msgspec.structs.replace(deployment, executors=executors)
    )
    return msgspec.structs.replace(document, spec=changed)


def _bare(executor: ExecutorSpec) -> ExecutorSpec:
    if executor.container is None:
        return executor
    return msgspec.structs.replace(executor, container=with_bare_file(executor.container))
