"""The root of every failure that Athanor names.

A room's `errors.py` subclasses one of the kinds below. A failure says what happened, to which
thing, and, in `hint`, what to do next. It travels as JSON over pipes and HTTP and is raised again
on the other side as the same class where that class is loaded, as its kind otherwise.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar


class AthanorError(Exception):
    """A failure with a name, a status and a way out."""

    status: ClassVar[int] = 500
    """The HTTP status that it is told with."""

    def __init__(
        self, message: str, *, hint: str = "", details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details: dict[str, Any] = dict(details or {})

    @property
    def code(self) -> str:
        """The failure's name on the wire: the class name in snake case."""
        return code_of(type(self))

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def __reduce__(self) -> tuple[Any, ...]:
        return error_from_dict, (error_to_dict(self),)


class Invalid(AthanorError):
    """The request can't be understood as it stands."""

    status = 400


class Unauthorized(AthanorError):
    """The caller did not say who he is."""

    status = 401


class Forbidden(AthanorError):
    """The caller may not do this."""

    status = 403


class NotFound(AthanorError):
    """The thing does not exist, or not for this caller."""

    status = 404


class Conflict(AthanorError):
    """The thing's state does not allow it now."""

    status = 409


class TooLarge(AthanorError):
    """More than the stated limit."""

    status = 413


class Unprocessable(AthanorError):
    """Well-formed, and still not usable: bad data in a good envelope."""

    status = 422


class TooManyRequests(AthanorError):
    """Faster than the stated rate."""

    status = 429


class Internal(AthanorError):
    """A failure of our own, told without its insides."""

    status = 500


class Unavailable(AthanorError):
    """Not now; later perhaps."""

    status = 503


class TookTooLong(AthanorError):
    """The stated time is over."""

    status = 504


class StorageFull(AthanorError):
    """The disk is nearly full: reading goes on, writing does not."""

    status = 507


KINDS: tuple[type[AthanorError], ...] = (
    Invalid,
    Unauthorized,
    Forbidden,
    NotFound,
    Conflict,
    TooLarge,
    Unprocessable,
    TooManyRequests,
    Internal,
    Unavailable,
    TookTooLong,
    StorageFull,
)


def code_of(kind: type[AthanorError]) -> str:
    """The name on the wire of a class of failures."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__).lower()


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that lists the names closest to one that does not exist, or "" if none is."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(repr(item) for item in near)}?" if near else ""


def error_to_dict(error: AthanorError) -> dict[str, Any]:
    """The failure as JSON-able data."""
    return {
        "error": error.code,
        "status": error.status,
        "message": error.message,
        "hint": error.hint,
        "details": error.details,
    }


def error_from_dict(data: Mapping[str, Any]) -> AthanorError:
    """The failure that `error_to_dict` told, as its own class if loaded, else as its kind."""
    code, status = str(data.get("error", "")), int(data.get("status", 500))
    kind = next((kind for kind in _loaded(AthanorError) if code_of(kind) == code), None)
    if kind is None:
        kind = next((kind for kind in KINDS if kind.status == status), AthanorError)
    error = kind.__new__(kind)
    AthanorError.__init__(
        error,
        str(data.get("message", "Something went wrong.")),
        hint=str(data.get("hint", "")),
        details=data.get("details") or {},
    )
    return error


def _loaded(kind: type[AthanorError]) -> Iterator[type[AthanorError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _loaded(child)
