"""Every exception to the rules of this folder, in one place, each with its reason.

A key is `room.Service.verb`. An exception that is no longer needed fails the tests too.
"""

_BY_PROTOCOL = "MLflow's protocol calls it; `log` and `history` are its plain forms."

NOT_REACHABLE_BY_ROUTE: dict[str, str] = {
    "tracking.Tracking.log_points": _BY_PROTOCOL,
    "tracking.Tracking.points": _BY_PROTOCOL,
    "data.Sql.copy": "Rooms above write a query's rows to a file by it; callers have `query`.",
}

NOT_REACHABLE_BY_CLIENT: dict[str, str] = NOT_REACHABLE_BY_ROUTE | {
    "tracking.RunFiles.receive": "A client has the bytes or a file: `put` sends either, streamed.",
}

ASKS_LATER: dict[str, str] = {
    "tracking.Tracking.log_points": "It asks for the run of each of its logs, before any is kept.",
}
"""Verbs whose permission is asked elsewhere than in their first line."""
