"""What monitoring does in workers: it needs NumPy and pyarrow, and is called by name."""
