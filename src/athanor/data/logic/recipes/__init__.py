"""Recipes: typed operations on tables, each as DuckDB's SQL, as pandas code, and row by row.

`kinds` says what cells are; `scalars` are the functions of the expression language on single cells;
`functions` is their table, with their SQL and pandas forms; `syntax` reads formulas; `forms` writes
an expression in each of the three ways; `operations` is the one table of operations; `plans`
turns a recipe into steps whose columns are known, and `query`, `frames` and `rows` write these.
"""
