"""LIKE, the same on every database."""


def likes(column: str, *, insensitive: bool, postgres: bool) -> str:
    """A LIKE whose only wildcards are `%` and `_`; SQLite is set to tell small from capital."""
    text = f"LOWER({column}) LIKE LOWER(?)" if insensitive else f"{column} LIKE ?"
    return f"{text} ESCAPE ''" if postgres else text
