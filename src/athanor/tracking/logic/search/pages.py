"""Pages: the tokens that lead from one to the next, and how long one may be."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import orjson

from athanor.tracking.errors import BadSearch
from athanor.tracking.logic.search.clauses import shortened

_FARTHEST = 2**62


def page_offset(token: str) -> int:
    """How many results come before the page that a token names; 0 for no token.

    Raises: BadSearch.
    """
    if not token:
        return 0
    parsed = _decoded(token)
    offset = parsed.get("offset") if isinstance(parsed, dict) else None
    if not offset:
        raise BadSearch(f"Invalid page token, parsed value={shortened(str(parsed))}")
    try:
        number = int(offset)
    except (TypeError, ValueError, OverflowError):
        number = -1
    if not 0 <= number <= _FARTHEST:
        raise BadSearch(f"Invalid page token, not stringable {shortened(str(offset))}")
    return number


def page_token(offset: int) -> str:
    """The token of the page that begins behind `offset` results."""
    return base64.b64encode(b'{"offset": %d}' % offset).decode()


def bound_page_offset(token: str, search: Mapping[str, Any]) -> int:
    """Like `page_offset`, for a token that holds its search.

    `search` has experiment_ids, filter_string and order_by.

    Raises: BadSearch.
    """
    if not token:
        return 0
    parsed = _decoded(token)
    if not isinstance(parsed, dict):
        raise BadSearch(f"Invalid page token: {shortened(token)}.")
    for key, name in (
        ("experiment_ids", "Experiment IDs"),
        ("filter_string", "Filter string"),
        ("order_by", "Order by"),
    ):
        found, expected = parsed.get(key) or None, search.get(key) or None
        if found != expected:
            asked = name[0].lower() + name[1:] if name[:3] != "Exp" else "experiment IDs"
            raise BadSearch(
                f"{name} in the page token {'do' if name[-1] == 's' else 'does'} not match the "
                f"requested {asked}. Expected: {shortened(str(expected))}. "
                f"Found: {shortened(str(found))}"
            )
    offset = parsed.get("offset") or 0
    if not isinstance(offset, int) or not 0 <= offset <= _FARTHEST:
        raise BadSearch(f"Invalid page token: {shortened(token)}.")
    return offset


def bound_page_token(offset: int, search: Mapping[str, Any]) -> str:
    """The token of a page of one search alone."""
    return base64.b64encode(orjson.dumps({**search, "offset": offset})).decode()


def check_max_results(value: int, most: int) -> None:
    """Refuse a page of nothing, or of more than is given at once.

    Raises: BadSearch.
    """
    if value < 1:
        raise BadSearch(
            f"Invalid value {value} for parameter 'max_results' supplied. "
            "It must be a positive integer"
        )
    if value > most:
        raise BadSearch(
            f"Invalid value {value} for parameter 'max_results' supplied. It must be at most {most}"
        )


def _decoded(token: str) -> Any:
    try:
        decoded = base64.b64decode(token)
    except (binascii.Error, ValueError) as error:
        raise BadSearch("Invalid page token, could not base64-decode") from error
    try:
        return orjson.loads(decoded)
    except orjson.JSONDecodeError as error:
        raise BadSearch(f"Invalid page token, decoded value={shortened(str(decoded))}") from error
