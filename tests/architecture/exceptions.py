"""Every exception to the rules of this folder, in one place, each with its reason.

A key is `room.Service.verb`. An exception that is no longer needed fails the tests too.
"""

NOT_REACHABLE_BY_ROUTE: dict[str, str] = {}

NOT_REACHABLE_BY_CLIENT: dict[str, str] = {}

ASKS_LATER: dict[str, str] = {}
"""Verbs whose permission is asked elsewhere than in their first line."""
