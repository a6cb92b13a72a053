"""Cron schedules, in UTC."""

from datetime import datetime

from cronsim import CronSim, CronSimError

from athanor.pipelines.errors import BadTrigger


def next_time(expression: str, after: datetime) -> datetime:
    """The next instant of a cron expression (five fields: minute hour day month weekday).

    Raises: BadTrigger when the expression can't be read or never comes.
    """
    try:
        return next(CronSim(expression, after))
    except (CronSimError, StopIteration):
        raise BadTrigger(
            f"{expression!r} is not a schedule.",
            hint="Write five fields: minute hour day month weekday, e.g. '0 6 * * 1' for Mondays "
            "at 6:00 UTC.",
        ) from None
