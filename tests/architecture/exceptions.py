"""Every exception to the rules of this folder, in one place, each with its reason.

A key is `room.Service.verb`. An exception that is no longer needed fails the tests too.
"""

_BY_PROTOCOL = "MLflow's protocol calls it; `log` and `history` are its plain forms."

_OF_MANY = "It does what many callers asked for at once, each by the plain verb."

NOT_REACHABLE_BY_ROUTE: dict[str, str] = {
    "tracking.Tracking.log_points": _BY_PROTOCOL,
    "tracking.Tracking.points": _BY_PROTOCOL,
    "tracking.Tracking.start_all": _OF_MANY,
    "lineage.Lineage.start_runs": _OF_MANY,
    "data.Sql.copy": "Rooms above write a query's rows to a file by it; callers have `query`.",
}

NOT_REACHABLE_BY_CLIENT: dict[str, str] = NOT_REACHABLE_BY_ROUTE | {
    "tracking.RunFiles.receive": "A client has the bytes or a file: `put` sends either, streamed.",
}

_FOR_EACH = "It asks for each of those that it is given, before any is kept."

ASKS_LATER: dict[str, str] = {
    "tracking.Tracking.log_points": _FOR_EACH,
    "tracking.Tracking.start_all": _FOR_EACH,
    "lineage.Lineage.start_runs": _FOR_EACH,
}
"""Verbs whose permission is asked elsewhere than in their first line."""
