"""Cron schedules, in UTC."""

from datetime import datetime

from cronsim import CronSim, CronSimError

from athanor.pipelines.errors import BadTrigger

_NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}
"""Schedules that cron itself has a word for."""


def next_time(expression: str, after: datetime) -> datetime:
    """The next instant of a cron expression: minute hour day month weekday, or `@daily` and so on.

    Raises: BadTrigger when the expression can't be read or never comes.
    """
    try:
        return next(CronSim(_NAMED.get(expression.strip(), expression), after))
    except (CronSimError, StopIteration):
        raise BadTrigger(
            f"{expression!r} is not a schedule.",
            hint="Write five fields: minute hour day month weekday, e.g. '0 6 * * 1' for Mondays "
            f"at 6:00 UTC; or one of: {', '.join(_NAMED)}.",
        ) from None
