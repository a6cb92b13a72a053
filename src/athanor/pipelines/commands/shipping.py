"""`athanor pipeline image`."""
