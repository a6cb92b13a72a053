"""The port to whatever runs pipelines."""

from typing import Protocol

from athanor.pipelines.types import Task


class Engine(Protocol):
    """Takes runs out of the database and brings them to their end. All state is there."""

    def start(self) -> None:
        """Begin; runs that were under way when the last engine ended go on."""
        ...

    def wake(self) -> None:
        """Look for new runs and cancellations at once."""
        ...

    def stop(self) -> None:
        """End; running steps are stopped and run again at the next start."""
        ...

    def compile(self, target: str) -> str:
        """The YAML of a pipeline named `module:attribute`, compiled apart from the server.

        Raises: BadPipeline and its kinds.
        """
        ...

    def order(self, task: Task) -> str:
        """The code and inputs of a task's last attempt as JSON; "" where there was none."""
        ...

    def log(self, task: Task) -> str:
        """What a task has written so far, all its attempts."""
        ...
