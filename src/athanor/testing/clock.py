"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta


class FixedClock:
    """Tells the instant that it was set to. Safe to share between threads that only read it."""

    def __init__(self, at: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._at = at

    def now(self) -> datetime:
        """The instant set last, in UTC."""
        return self._at

    def set(self, at: datetime) -> None:
        """Jump to an aware instant, forwards or back."""
        self._at = at.astimezone(UTC)

    def advance(self, by: timedelta | float) -> datetime:
        """Go on by a duration, or by a number of seconds; the instant reached."""
        self._at += by if isinstance(by, timedelta) else timedelta(seconds=by)
        return self._at
