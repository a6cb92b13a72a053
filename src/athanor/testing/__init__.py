"""Pieces for tests, ours and those of whoever writes a backend."""

from athanor.testing.clock import FixedClock

__all__ = ["FixedClock"]
