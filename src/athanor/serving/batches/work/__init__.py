"""The work of batches, in processes of their own: Arrow, DuckDB, scikit-learn; by name only."""
