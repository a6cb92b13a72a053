"""A profile as SQL over one table, and the records made of the answers.

Two passes of DuckDB: the first counts and bounds every column at once; the second counts the
values of columns that have few. Between them the numbers stream by once more, whose spread and
histograms need the bounds of the first (`athanor.data.work.figures`).
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from athanor.data.types import Bin, ColumnProfile, ColumnType, Leak, Profile, Remark, TopValue
from athanor.kernel.sqltext import identifier
from athanor.kernel.wording import counted

EXACT_ROWS = 200_000
"""Up to so many rows distinct counts and quantiles are exact."""
BINS = 20
COUNTED_VALUES = 1_000
"""Columns of at most so many different values have each counted."""
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_TOP = 50
NEARLY_ONE = 0.98
"""Correlation or Cramer's V from which on two columns are remarked upon."""
_TOLD = 0.9
_ROWS_A_VALUE = 5
"""Fewer rows a value, and a category determines anything of the rows at hand by chance."""
NUMERIC = frozenset({"integer", "number", "decimal"})
_LIKE_MISSING = frozenset(
    {"?", "na", "n/a", "nan", "null", "none", "-", "unknown", "missing", "not available", "."}
)
_SENTINELS = (-999.0, -9999.0, -99.0, 999.0, 9999.0, 99999.0)


def unused(name: str, columns: Iterable[str]) -> str:
    """A name that begins with this one and that no column has: SQL of ours may add it to them."""
    known = {column.casefold() for column in columns}
    while name in known:
        name += "_"
    return name


def first_pass(columns: Sequence[tuple[str, ColumnType]], rows: int) -> str:
    """One SELECT that measures all columns of the table `source`."""
    parts = ["count(*) AS n"]
    exact = rows <= EXACT_ROWS
    finite: list[str] = []
    names = [name for name, _ in columns]
    for place, (name, kind) in enumerate(columns):
        cell = identifier(name)
        parts.append(f"count({cell}) AS c{place}_known")
        if kind in {"nested", "binary"}:
            continue
        counting = f"count(DISTINCT {cell})" if exact else f"approx_count_distinct({cell})"
        parts.append(f"{counting} AS c{place}_distinct")
        if kind in NUMERIC:
            number = unused(f"athanor_c{place}_finite", names)
            parts += _numeric_parts(f"c{place}", number, exact=exact)
            finite.append(f"{_finite_cell(cell, kind)} AS {number}")
        elif kind in {"date", "timestamp"}:
            parts += [
                f"CAST(min({cell}) AS VARCHAR) AS c{place}_min",
                f"CAST(max({cell}) AS VARCHAR) AS c{place}_max",
            ]
        elif kind == "text":
            parts += [
                f"min(length({cell})) AS c{place}_short",
                f"max(length({cell})) AS c{place}_long",
                f"avg(length({cell})) AS c{place}_length",
                f"avg(CASE WHEN contains({cell}, ' ') THEN 1.0 ELSE 0.0 END) AS c{place}_spaces",
            ]
    table = f"(SELECT *, {', '.join(finite)} FROM source)" if finite else "source"  # noqa: S608
    return f"SELECT {', '.join(parts)} FROM {table}"  # noqa: S608 - names are quoted


def _finite_cell(cell: str, kind: ColumnType) -> str:
    """SQL of a number that is finite, computed once: filters on each aggregate cost far more."""
    number = f"CAST({cell} AS DOUBLE)"
    return f"CASE WHEN isfinite({number}) THEN {number} END" if kind == "number" else number


def _numeric_parts(key: str, cell: str, *, exact: bool) -> list[str]:
    points = ", ".join(str(point) for point in QUANTILES)
    # Of many rows quantiles come from a sample: DuckDB's t-digest costs more than all the rest.
    quantiles = [f"quantile_cont({cell}, [{points}]) AS {key}_quantiles"]
    return [
        *(quantiles if exact else []),
        f"min({cell}) AS {key}_min",
        f"max({cell}) AS {key}_max",
        f"avg({cell}) AS {key}_mean",
    ]


def second_pass(columns: Sequence[tuple[str, ColumnType]], measured: Mapping[str, Any]) -> str:
    """One SELECT for the values of columns that have few; "" for none."""
    parts = [
        f"histogram(CAST({identifier(name)} AS VARCHAR)) AS c{place}_values"
        for place, (name, kind) in enumerate(columns)
        if kind in _COUNTED and (measured[f"c{place}_distinct"] or 0) <= COUNTED_VALUES
    ]
    return f"SELECT {', '.join(parts)} FROM source" if parts else ""  # noqa: S608


def figures_query(columns: Sequence[tuple[str, ColumnType]]) -> tuple[list[str], str]:
    """The keys of the columns of numbers, and the SELECT that gives them as DOUBLE; "" for none."""
    found = {
        f"c{place}": f"CAST({identifier(name)} AS DOUBLE) AS c{place}"
        for place, (name, kind) in enumerate(columns)
        if kind in NUMERIC
    }
    return list(found), f"SELECT {', '.join(found.values())} FROM source" if found else ""  # noqa: S608


def fences(points: Any) -> tuple[float, float] | None:
    """The bounds of usual values by quantiles: the quartiles, three times their distance wider.

    None where half of the values are one: every other value would be far out.
    """
    if not points:
        return None
    low, high = float(points[QUANTILES.index(0.25)]), float(points[QUANTILES.index(0.75)])
    span = 3.0 * (high - low)
    bounds = low - span, high + span
    return bounds if span > 0 and math.isfinite(bounds[0]) and math.isfinite(bounds[1]) else None


_COUNTED = frozenset({"integer", "number", "decimal", "boolean", "text", "date"})


def duplicates_query(columns: Sequence[tuple[str, ColumnType]]) -> str:
    """How many rows repeat an earlier one, by a 64-bit hash of all columns."""
    cells = ", ".join(identifier(name) for name, _ in columns)
    return f"SELECT count(*) - count(DISTINCT hash({cells})) FROM source"  # noqa: S608


def top_query(name: str) -> str:
    """The most frequent values of a column that has many."""
    cell = identifier(name)
    return (
        f"SELECT CAST({cell} AS VARCHAR), count(*) FROM source WHERE {cell} IS NOT NULL "  # noqa: S608
        f"GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10"
    )


def column_profile(
    name: str,
    kind: ColumnType,
    key: str,
    answers: Mapping[str, Any],
    top: Sequence[tuple[str, int]] = (),
) -> ColumnProfile:
    """The record of one column from the answers of both passes, whose keys begin with `key`."""
    get = answers.get
    rows, known = int(answers["n"]), int(answers[f"{key}_known"])
    # An estimate may exceed what is possible.
    distinct = min(int(get(f"{key}_distinct") or 0), known)
    values: dict[str, int] = get(f"{key}_values") or {}
    ordered = sorted(values.items(), key=lambda item: (-item[1], item[0])) if values else list(top)
    numeric = kind in NUMERIC
    points = get(f"{key}_quantiles") or []
    return ColumnProfile(
        name=name,
        type=kind,
        semantic=semantic(name, kind, (rows, known, distinct), answers, key),
        rows=rows,
        missing=rows - known,
        distinct=distinct,
        minimum=get(f"{key}_min"),
        maximum=get(f"{key}_max"),
        mean=_finite(get(f"{key}_mean")),
        sd=_finite(get(f"{key}_sd")),
        quantiles={str(at): float(value) for at, value in zip(QUANTILES, points, strict=False)},
        negative=int(get(f"{key}_negative") or 0),
        zeros=int(get(f"{key}_zeros") or 0),
        infinite=int(get(f"{key}_infinite") or 0),
        outliers=int(get(f"{key}_outliers") or 0),
        fences=fences(points) if numeric else None,
        singletons=sum(1 for count in values.values() if count == 1),
        lengths=_lengths(get(f"{key}_short"), get(f"{key}_long")),
        histogram=_histogram(get(f"{key}_min"), get(f"{key}_max"), get(f"{key}_bins"))
        if numeric
        else (),
        top=tuple(TopValue(value=str(value), count=int(count)) for value, count in ordered[:_TOP]),
    )


def _lengths(shortest: int | None, longest: int | None) -> tuple[int, int] | None:
    return None if shortest is None or longest is None else (int(shortest), int(longest))


def semantic(
    name: str,
    kind: ColumnType,
    counts: tuple[int, int, int],
    answers: Mapping[str, Any],
    key: str,
) -> str:
    """What a column means, by its type, its values and its name; counts: rows, known, distinct."""
    _, known, distinct = counts
    if known == 0:
        return "empty"
    if kind in {"nested", "binary"}:
        return kind
    if distinct == 1:
        return "constant"
    if kind == "boolean" or (distinct == 2 and kind in {"integer", "number", "text"}):
        return "flag"
    if kind in {"date", "timestamp"}:
        return "date"
    unique = distinct >= known * (1.0 if known <= EXACT_ROWS else 0.97) and known >= 50
    if kind == "integer":
        # Few whole numbers differ from each other by chance too: ages, amounts.
        if (unique and known >= 200) or (
            name.lower() in {"id", "uid", "uuid"} and distinct > known / 2
        ):
            return "id"
        if _MONEY.search(name):
            return "money"
        return "count" if not answers.get(f"{key}_negative") else "number"
    if kind in {"number", "decimal"}:
        return "money" if _MONEY.search(name) else "number"
    return _meaning_of_text((known, distinct), answers, key, unique=unique)


def _meaning_of_text(
    counts: tuple[int, int], answers: Mapping[str, Any], key: str, *, unique: bool
) -> str:
    known, distinct = counts
    if (form := _form(answers.get(f"{key}_values") or answers.get(f"{key}_top"))) is not None:
        return form
    spaces, length = answers.get(f"{key}_spaces") or 0.0, answers.get(f"{key}_length") or 0.0
    if unique and spaces < 0.1 and length <= 64:
        return "id"
    if spaces > 0.5 and length > 25 and distinct > max(50, known * 0.3):
        return "text"
    return "category"


_MONEY = re.compile(
    r"(?:^|[_\W]|(?<=[a-z])(?=[A-Z]))(?:amount|amt|price|fare|fees?|costs?|revenue|salary|wages?|tips?|"
    r"tolls?|payments?|charges?|usd|eur|gbp|dollars?|euros?)(?=$|[_\W]|[A-Z0-9])",
    re.IGNORECASE,
)
_FORMS = {
    "email": re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}"),
    "url": re.compile(r"(?:https?|ftp)://\S+"),
    "money": re.compile(r"[-+(]?\s*(?:[$€£¥]\s*[\d.,]+|[\d.,]+\s*[$€£¥])\)?"),
    "date": re.compile(
        r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?"
    ),
}


def _form(values: Any) -> str | None:
    """What texts are by their form, where nine in ten of the counted ones have it."""
    counts = dict(values or {})
    total = sum(counts.values())
    for name, pattern in _FORMS.items():
        fitting = sum(n for value, n in counts.items() if pattern.fullmatch(str(value).strip()))
        if total and fitting >= 0.9 * total:
            return name
    return None


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _histogram(low: float | None, high: float | None, counts: Any) -> tuple[Bin, ...]:
    if low is None or high is None or not counts:
        return ()
    width = (high - low) / BINS
    return tuple(
        Bin(
            low=low + place * width,
            high=high if place == BINS - 1 else low + (place + 1) * width,
            count=int(counts.get(place, 0)),
        )
        for place in range(BINS)
    )


def remarks(profile: Profile) -> tuple[Remark, ...]:
    """What the owner of a table should know, in plain words."""
    found = [remark for column in profile.columns for remark in _column_remarks(column)]
    if profile.duplicates:
        share = profile.duplicates / max(profile.rows, 1)
        found.append(
            Remark(
                code="duplicates",
                column="",
                message=f"{counted(profile.duplicates, 'row', 'repeat')} another row entirely "
                f"({share:.1%}).",
            )
        )
    found += [
        Remark(
            code="correlated",
            column=first,
            message=f"{first!r} and {second!r} say nearly the same (correlation {value:.3f}).",
        )
        for first, others in profile.correlations.items()
        for second, value in others.items()
        if abs(value) >= NEARLY_ONE
    ]
    found += _associated(profile)
    found += [
        Remark(code="leak", column=leak.column, message=leak.reason) for leak in profile.leaks
    ]
    target = profile.column(profile.target) if profile.target else None
    if target is not None:
        found += _target_remarks(target)
    return tuple(found)


def _associated(profile: Profile) -> list[Remark]:
    """Categories that say nearly the same, and those that determine another but not back."""
    found: list[Remark] = []
    distinct = {column.name: column.distinct for column in profile.columns}
    for first, others in profile.associations.items():
        for second, value in others.items():
            if value < NEARLY_ONE:
                continue
            there = profile.telling.get(first, {}).get(second, 0.0)
            back = profile.telling.get(second, {}).get(first, 0.0)
            one, other = (first, second) if there >= back else (second, first)
            if min(there, back) >= _TOLD:
                words = f"{first!r} and {second!r} say nearly the same (Cramer's V {value:.3f})."
                found.append(Remark(code="associated", column=first, message=words))
            elif distinct[one] * _ROWS_A_VALUE <= profile.rows:
                words = f"{one!r} determines {other!r}, not the reverse (Cramer's V {value:.3f})."
                found.append(Remark(code="determines", column=one, message=words))
    return found


def _column_remarks(column: ColumnProfile) -> list[Remark]:
    name, known = column.name, column.rows - column.missing
    found: list[tuple[str, str]] = []
    if column.semantic == "empty":
        found.append(("empty", f"{name!r} is missing in every row; training leaves it out."))
    elif column.semantic == "constant":
        found.append(("constant", f"{name!r} has one value in every row: it tells nothing."))
    elif column.missing > 0.5 * column.rows:
        found.append(
            ("missing", f"{name!r} is missing in {column.missing / column.rows:.0%} of rows.")
        )
    if column.semantic == "id":
        found.append(("id", f"{name!r} names rows; it should not be learnt from."))
    if column.infinite:
        found.append(("infinite", f"{name!r} holds {column.infinite} infinities or NaN."))
    if column.outliers > 0.01 * max(known, 1):
        found.append(
            ("outliers", f"{name!r} has {column.outliers} values far out of the usual range.")
        )
    if column.type == "text" and column.semantic in {"date", "money"}:
        words = "a recipe can read it (parse_time, replace_text, cast)."
        found.append(
            (f"text_{column.semantic}", f"{name!r} holds a {column.semantic} as text; {words}")
        )
    if column.zeros > 0.5 * max(known, 1) and column.distinct > 20:
        found.append(("zeros", f"{name!r} is 0 in {column.zeros / max(known, 1):.0%} of rows."))
    if column.semantic == "category" and column.distinct > max(100, known * 0.5):
        found.append(
            ("many_values", f"{name!r} has {column.distinct} different values in {known} rows.")
        )
    found += [
        ("like_missing", f"{name!r} holds {top.value!r} {top.count} times: missing, perhaps?")
        for top in column.top[:10]
        if column.type == "text" and top.value.strip().lower() in _LIKE_MISSING
    ]
    found += [
        ("sentinel", f"{name!r} holds {value:g}, far from its other values: missing, perhaps?")
        for value in _sentinels(column)
    ]
    return [Remark(code=code, column=name, message=message) for code, message in found]


def _sentinels(column: ColumnProfile) -> list[float]:
    """The bounds of a column that are round stand-ins far from the bulk of its values."""
    low, high = column.quantiles.get("0.05"), column.quantiles.get("0.95")
    if low is None or high is None:
        return []
    spread = max(high - low, 1.0)
    far = {column.minimum: low, column.maximum: high}
    return [
        bound
        for bound, inner in far.items()
        if isinstance(bound, float) and bound in _SENTINELS and abs(bound - inner) > 5 * spread
    ]


def _target_remarks(target: ColumnProfile) -> list[Remark]:
    found = []
    if target.missing:
        found.append(
            (
                "target_missing",
                f"The target {target.name!r} is missing in {counted(target.missing, 'row')}.",
            )
        )
    known = target.rows - target.missing
    if target.distinct <= 20 and target.top and known:
        rarest = min(target.top, key=lambda value: value.count)
        if rarest.count < 0.05 * known:
            found.append(
                (
                    "imbalance",
                    f"Only {rarest.count} of {known} rows have the class {rarest.value!r}.",
                )
            )
    return [Remark(code=code, column=target.name, message=message) for code, message in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relations:
    """How columns go together, from a sample of the rows."""

    correlations: dict[str, dict[str, float]]
    associations: dict[str, dict[str, float]]
    telling: dict[str, dict[str, float]]
    ratios: dict[str, dict[str, float]]
    sample: dict[str, tuple[float | str | None, ...]]


def finished(
    *,
    rows: int,
    columns: Sequence[ColumnProfile],
    duplicates: int,
    target: str,
    leaks: Sequence[Leak],
    relations: Relations,
) -> Profile:
    """The whole profile, with its remarks."""
    bare = Profile(
        rows=rows,
        columns=tuple(columns),
        duplicates=duplicates,
        target=target,
        correlations=relations.correlations,
        associations=relations.associations,
        telling=relations.telling,
        ratios=relations.ratios,
        sample=relations.sample,
        leaks=tuple(leaks),
    )
    return replace(bare, warnings=remarks(bare))
