"""What is done in workers, where Arrow, NumPy and DuckDB may be loaded."""
