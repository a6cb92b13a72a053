"""What libraries look up once in a process, looked up here: in the zygote, for all of its forks."""

from narwhals.stable.v2.dependencies import is_into_dataframe

is_into_dataframe([])
"""Asks every installed distribution for plugins: 25 CPU-ms in each step that fits an estimator."""
