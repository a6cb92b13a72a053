"""What a protocol has to say about predictions.

To add one: implement `Dialect` in a module of this folder, and name its address in
`athanor.serving.plane.paths`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from athanor.kernel.errors import AthanorError
from athanor.serving.logic.frames import Body
from athanor.serving.logic.predictions import Predicted
from athanor.serving.logic.routing import Route, Target
from athanor.serving.logic.signature import Row
from athanor.serving.plane.exchange import Answer
from athanor.serving.plane.http import Limits, Request

JSON = b"application/json"


@dataclass(slots=True)
class Asked:
    """Rows to predict, and what their dialect needs to answer."""

    rows: list[Row]
    keys: Sequence[str | None] | None = None
    """The value of the endpoint's key column in each row; None where it has none."""
    extra: Any = None
    """The dialect's own."""
    absent: dict[str, dict[str, int]] | None = None
    """Of features that are looked up: how many rows have none, by name and why (`not_found`,
    `expired`)."""
    beside: Sequence[dict[str, Any]] | None = None
    """Where features are looked up: the keys and the request's values of each row that are no
    inputs of the model, as the log keeps them."""
    body: Body | None = None
    """The request itself, where a worker reads its rows."""
    refusal: AthanorError | None = None
    """Why the plane does not read the body."""


class Dialect(Protocol):
    """One protocol's words for predictions."""

    def read(self, route: Route, target: Target, request: Request, limits: Limits) -> Asked:
        """The rows of a request.

        Raises: an AthanorError that says what is wrong with it.
        """
        ...

    def write(self, target: Target, asked: Asked, predicted: Predicted) -> Answer:
        """The answer for these rows."""
        ...

    def refuse(self, error: AthanorError) -> Answer:
        """The answer that tells a failure."""
        ...
