"""Pure functions: keys, times, joins, expressions, drift, and the reading of Feast files."""
