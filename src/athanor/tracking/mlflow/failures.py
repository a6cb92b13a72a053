"""How failures are told to MLflow's clients: `{"error_code", "message"}` with the status they know.

Our own errors carry their status; what MLflow calls them is looked up here. A room whose error
has another name there, or whose words clients match, says so with `Failures.translate`.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from athanor.kernel import AthanorError

STATUS_OF = {
    "INTERNAL_ERROR": 500,
    "INVALID_STATE": 500,
    "NOT_IMPLEMENTED": 501,
    "TEMPORARILY_UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
    "REQUEST_LIMIT_EXCEEDED": 429,
    "RESOURCE_EXHAUSTED": 429,
    "RESOURCE_CONFLICT": 409,
    "NOT_FOUND": 404,
    "ENDPOINT_NOT_FOUND": 404,
    "RESOURCE_DOES_NOT_EXIST": 404,
    "PERMISSION_DENIED": 403,
    "UNAUTHENTICATED": 401,
    "BAD_REQUEST": 400,
    "RESOURCE_ALREADY_EXISTS": 400,
    "INVALID_PARAMETER_VALUE": 400,
}
"""MLflow's error codes with the HTTP status of each."""

_CODE_OF_STATUS = {
    400: "INVALID_PARAMETER_VALUE",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    409: "RESOURCE_CONFLICT",
    413: "INVALID_PARAMETER_VALUE",
    422: "INVALID_PARAMETER_VALUE",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    507: "RESOURCE_EXHAUSTED",
}
_KEEPS_STATUS = "INVALID_STATE"
"""MLflow tells it with 500, on which clients try again for minutes: ours keeps its own."""
_OWN_STATUS = frozenset({413, 422, 507})
"""Statuses of ours that MLflow has no code for: the code is the nearest, the status stays."""


class MlflowError(Exception):
    """A failure as MLflow's clients know it; raised by protocol modules."""

    def __init__(self, code: str, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = STATUS_OF.get(code, 500) if status is None else status

    def body(self) -> bytes:
        """The JSON that is sent."""
        # What was refused for having no valid text may be quoted in the message.
        message = self.message.encode(errors="replace").decode()
        return msgspec.json.encode({"error_code": self.code, "message": message})


def invalid(message: str) -> MlflowError:
    """A parameter is wrong: `INVALID_PARAMETER_VALUE`, 400."""
    return MlflowError("INVALID_PARAMETER_VALUE", message)


Say = Callable[[Any], str]


def bare(error: AthanorError) -> str:
    """An error's message alone, without our hint: where clients match MLflow's words."""
    return error.message


class Failures:
    """What our errors are called on MLflow's wire."""

    def __init__(self) -> None:
        self._known: dict[type[AthanorError], tuple[str, Say | None]] = {}

    def translate(self, kind: type[AthanorError], code: str, say: Say | None = None) -> None:
        """Tell errors of a class under an MLflow code, in words that `say` finds.

        Without `say` the words are the error's own, with its hint.
        """
        self._known[kind] = (code, say)

    def told(self, error: AthanorError) -> MlflowError:
        """The failure as MLflow's clients know it."""
        for kind in type(error).__mro__:
            found = self._known.get(kind)
            if found is not None:
                code, say = found
                status = error.status if code == _KEEPS_STATUS else None
                return MlflowError(code, str(error) if say is None else say(error), status=status)
        code = _CODE_OF_STATUS.get(error.status, "INTERNAL_ERROR")
        status = error.status if error.status in _OWN_STATUS else None
        return MlflowError(code, str(error), status=status)
