"""How long to wait before a failed task is tried again."""

from athanor.pipelines.ir.spec import RetryPolicy

_MOST_SECONDS = 3600.0


def pause_before(policy: RetryPolicy, failures: int) -> float:
    """Seconds before the next attempt after `failures` earlier failures (0, 1, 2 ...).

    The pause grows by the policy's factor (2 unless said) up to its longest (an hour at most).
    """
    first = seconds(policy.backoff_duration)
    longest = min(seconds(policy.backoff_max_duration) or _MOST_SECONDS, _MOST_SECONDS)
    factor = policy.backoff_factor or 2.0
    try:
        return min(first * factor**failures, longest)
    except OverflowError:
        return longest


def seconds(duration: str) -> float:
    """A duration of the protocol (`1.5s`) in seconds; 0 for one that is absent or unreadable."""
    try:
        return max(0.0, float(duration.removesuffix("s")))
    except ValueError:
        return 0.0
