"""What an exit task is told."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FinalStatus:
    """How the tasks of an `ExitHandler` ended, as Kubeflow names it.

    A step takes it by a parameter with this hint, or with that of any class of this name.
    """

    state: str
    """COMPLETE, FAILED, CANCELLED or SKIPPED."""
    pipeline_job_resource_name: str = ""
    pipeline_task_name: str = ""
    error_code: int | None = None
    error_message: str | None = None
