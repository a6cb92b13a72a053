"""The SELECT that leaves the bad rows of a version in quarantine behind, as far as it is known."""

from athanor.data.types import CheckResult, DatasetVersion
from athanor.kernel.sqltext import identifier

_SQL = {"integer": "bigint", "number": "double", "boolean": "boolean", "date": "date",
        "timestamp": "timestamp"}  # fmt: skip


def good_rows(version: DatasetVersion, ready: DatasetVersion | None) -> tuple[str, str]:
    """Of a version in quarantine: a SELECT of its good rows, and what it can't tell of, or "".

    Columns that hold a few words among the numbers are numbers again in it, as in the newest ready
    version. What no check says a condition of stands in it as CONDITION.
    """
    failing = [c for c in version.checks if not c.passed and c.severity == "fail"]
    casts, conditions = _casts(version, ready)
    unclear = []
    for check in failing:
        if _says_missing(check):
            conditions.append(f"{_name(check.column)} is not null")
        elif not (check.kind == "columns" and casts):
            unclear.append(f"{check.kind} {check.column}".strip())
    if casts:  # what must not be missing is not looked at in a column of another type
        roles = (version.roles.target, version.roles.id)
        conditions += [f"{_name(role)} is not null" for role in roles if role]
    if unclear or not conditions:
        conditions.append("CONDITION")
    replaced = f" replace ({', '.join(casts)})" if casts else ""
    table = _name(f"{version.dataset}@{version.number}", plain=version.dataset.isidentifier())
    query = f"select *{replaced} from {table} where {' and '.join(dict.fromkeys(conditions))}"  # noqa: S608 - shown, not run
    return query, ", ".join(dict.fromkeys(unclear))


def _casts(version: DatasetVersion, ready: DatasetVersion | None) -> tuple[list[str], list[str]]:
    kept = {} if ready is None else {column.name: column.type for column in ready.columns}
    casts, conditions = [], []
    for column in version.columns:
        kind = _SQL.get(kept.get(column.name, column.type))
        if kind is None or column.type != "text" or kept[column.name] == column.type:
            continue
        name = _name(column.name)
        casts.append(f"try_cast({name} as {kind}) as {name}")
        conditions.append(f"(try_cast({name} as {kind}) is not null or {name} is null)")
    return casts, conditions


def _says_missing(check: CheckResult) -> bool:
    return bool(check.column) and "missing" in check.message


def _name(name: str, *, plain: bool | None = None) -> str:
    return name if (name.isidentifier() if plain is None else plain) else identifier(name)
