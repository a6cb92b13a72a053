"""The port of runtimes. A module that implements it has `load(folder) -> Runtime`.

To add one: implement `Runtime` and serve it with `athanor.serving.runtimes.serving.serve`. Models
with environments of their own import this module there, and what it imports: msgspec alone.
"""

from typing import Any, Protocol, runtime_checkable

from athanor.serving.logic.frames import Body, Hello, Reply


class Runtime(Protocol):
    """A loaded model."""

    hello: Hello
    """Its classes, and whether rows of several requests may share one call."""

    def predict(self, rows: list[list[Any]]) -> Reply:
        """Predict rows given in the order of the signature's columns.

        The answer for a row does not depend on the rows beside it, where `hello.batching` is
        `whole`. Raises: any exception; it costs these rows alone.
        """
        ...


@runtime_checkable
class ReadsBodies(Protocol):
    """A runtime whose `hello.bodies` names some."""

    def answer(self, body: Body) -> Reply:
        """The answer for the rows of a body, or why there is none; raises nothing of the body's."""
        ...
