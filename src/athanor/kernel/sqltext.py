"""Names, texts and files as DuckDB's SQL writes them: the one place that quotes."""

from collections.abc import Iterable


def identifier(name: str) -> str:
    """A name of a column or a table."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text."""
    return "'" + text.replace("'", "''") + "'"


def literals(texts: Iterable[str]) -> str:
    """Texts with commas between."""
    return ", ".join(map(literal, texts))


def parquet(files: Iterable[str]) -> str:
    """The rows of Parquet files, columns put together by name."""
    return f"read_parquet([{literals(files)}], union_by_name = true)"
