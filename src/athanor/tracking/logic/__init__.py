"""Pure functions of tracking."""
