"""SQL that users write: one SELECT that reads named tables, and nothing else.

This is the polite door: it names what is wrong. What holds is DuckDB's own: the query runs where
external access is off and the configuration is locked.
"""

import re
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from athanor.data.errors import BadQuery, NotReadOnly, UnknownRelation

MOST_CHARACTERS = 100_000
_DATE = r"\d{4}-\d{2}-\d{2}(?:T\d{2}(?::\d{2}(?::\d{2}(?:\.\d+)?)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_PART = r"(?:\#[A-Za-z][A-Za-z0-9_.]*)?"
_AT_NAME = re.compile(
    # Texts, quoted names and comments are left as they are.
    r"""(?P<base>[A-Za-z_][A-Za-z0-9_-]*|"[^"@]+")\s+
        (?:FOR\s+)?(?:SYSTEM_TIME\s+|SYSTEM_VERSION\s+|VERSION\s+|TIMESTAMP\s+)?AS\s+OF\s+
        (?:VERSION\s+|TIMESTAMP\s+|DATE\s+)?(?P<of>'[^']*'|v?\d+(?![\w.])|latest\b)"""
    r"""|'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/"""
    rf"""|(?P<name>[A-Za-z_][A-Za-z0-9_-]*(?:@(?:{_DATE}|v?[0-9]+|latest|sha256:[0-9a-z]+
        |[A-Za-z][A-Za-z0-9_]*){_PART}|\#[A-Za-z][A-Za-z0-9_.]*))(?![A-Za-z0-9_@])""",
    re.DOTALL | re.VERBOSE | re.IGNORECASE,
)
_MAKERS = {"range", "generate_series", "unnest", "explodingGenerateSeries", "values"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """What a query reads."""

    sql: str
    """The query with names such as churn@3 in quotes."""
    names: tuple[str, ...]
    """The tables, as written, each once."""
    local: tuple[str, ...]
    """Those of them that a WITH clause may define."""


def read_query(sql: str) -> Reads:
    """Look a query through.

    Raises: BadQuery, NotReadOnly, UnknownRelation (a table of DuckDB's own).
    """
    if len(sql) > MOST_CHARACTERS:
        raise BadQuery(f"The query has {len(sql)} characters; {MOST_CHARACTERS} are the most.")
    text = _AT_NAME.sub(_quoted, sql).strip().rstrip(";")
    try:
        statements = [item for item in sqlglot.parse(text, dialect="duckdb") if item is not None]
    except sqlglot.errors.SqlglotError as error:
        raise BadQuery(f"The SQL can't be read: {_plain(error)}") from error
    except RecursionError as error:
        raise BadQuery("The query is nested too deeply.") from error
    if len(statements) != 1:
        raise BadQuery(f"{len(statements)} statements were given; one is expected.")
    statement = statements[0]
    if not isinstance(statement, exp.Query):
        # What the parser does not know is a command to it.
        told = statement.this if isinstance(statement, exp.Command) else type(statement).__name__
        raise NotReadOnly(str(told).upper())
    for node in statement.find_all(exp.DML, exp.DDL, exp.Into, exp.Command, exp.Lock):
        if not isinstance(node, exp.Query):
            raise NotReadOnly(type(node).__name__.upper())
    names, local = _tables(statement)
    return Reads(sql=text, names=names, local=local)


def _tables(statement: exp.Expr) -> tuple[tuple[str, ...], tuple[str, ...]]:
    defined = {cte.alias_or_name.casefold() for cte in statement.find_all(exp.CTE)}
    names: dict[str, str] = {}
    for table in statement.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            function = table.this.sql_name() if isinstance(table.this, exp.Func) else "a function"
            if isinstance(table.this, exp.Anonymous):
                function = str(table.this.this)
            if function.lower() in _MAKERS:
                continue
            raise NotReadOnly(f"Reading from {function}(...)")
        if table.args.get("db") is not None:
            raise UnknownRelation(f"{table.db}.{table.name}", ())
        names.setdefault(table.name.casefold(), table.name)
    local = tuple(name for name in names.values() if name.casefold() in defined)
    return tuple(names.values()), local


def _quoted(found: re.Match[str]) -> str:
    if found["base"] is not None:
        base, of = found["base"].strip('"'), found["of"].strip("'").strip()
        return f'"{base}@{of}"'
    name = found["name"]
    return found[0] if name is None else f'"{name}"'


def _plain(error: Exception) -> str:
    """The parser's message without its terminal colours, on one line."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    return " ".join(text.split())[:400]
