"""What every table pipeline does to a table before a model sees it: pure functions on frames."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from athanor.app.gallery.errors import NoSuchColumn, NothingToLearnFrom, NotToKeep, UnfitTarget

MOST_CLASSES = 50
MOST_NUMBERS = 20
"""Different whole numbers that may be codes of classes; more of them are a count or a measure."""
FEWEST_A_CLASS = 10
MOST_LEVELS = 30
_MANY = 100
_NUMBER = (
    "For a number, train a regressor of your own: athanor run train.py (README: Your own code). "
    "Where its values are codes of classes, add them as text (athanor data add ... --text COLUMN); "
    "or cut it into ranges first (athanor recipe operations bin)."
)
_YES = ("yes", "true", "1", "y", "positive")


def labelled_rows(table: pd.DataFrame, target: str) -> tuple[pd.DataFrame, list[str]]:
    """The rows with a usable label, the label in its plain type; and what was done, in words.

    Raises: NoSuchColumn, UnfitTarget.
    """
    if target not in table.columns:
        raise NoSuchColumn("target", target, table.columns)
    notes = []
    missing = int(table[target].isna().sum())
    if missing == len(table):
        raise UnfitTarget(target, "it is empty.", "Choose a column that holds the outcome.")
    if missing:
        were = "was" if missing == 1 else "were"
        notes.append(f"{_rows(missing)} without a label in {target!r} {were} left out.")
    kept = table.loc[table[target].notna()].reset_index(drop=True)
    labels = plain_labels(kept[target])
    if labels is None:
        raise UnfitTarget(
            target, "it holds numbers with fractions, a measure rather than classes.", _NUMBER
        )
    kept = kept.assign(**{target: labels})
    counts = labels.value_counts()
    if len(counts) > MOST_NUMBERS and pd.api.types.is_integer_dtype(labels.dtype):
        raise UnfitTarget(
            target,
            f"it is a number with {len(counts):,} different values, "
            "and this pipeline is for classes.",
            _NUMBER,
        )
    if len(counts) > MOST_CLASSES:
        raise UnfitTarget(
            target,
            f"it has {len(counts):,} different values; at most {MOST_CLASSES} classes are learnt.",
            "Choose a column of classes, or join its values into fewer ones by a recipe "
            "(athanor recipe operations group_rare).",
        )
    rare = [label for label, rows in counts.items() if rows < FEWEST_A_CLASS]
    if len(counts) - len(rare) >= 2 and rare:
        lost = counts.loc[counts < FEWEST_A_CLASS]
        told = ", ".join(f"{_plain(label)!r} ({count})" for label, count in lost.items())
        notes.append(
            f"{_rows(int(lost.sum()))} of classes with fewer than {FEWEST_A_CLASS} "
            f"left out: {told}."
        )
        kept = kept.loc[~kept[target].isin(rare)].reset_index(drop=True)
        counts = kept[target].value_counts()
    if len(counts) < 2:
        raise UnfitTarget(
            target,
            f"it holds one class only, {_plain(counts.index[0])!r}.",
            "A model needs rows of at least two classes: add rows of the other one.",
        )
    if rare and len(counts) == 2 and min(counts) < FEWEST_A_CLASS:
        raise UnfitTarget(
            target,
            f"class {_plain(counts.index[-1])!r} has {_rows(min(counts))}; "
            f"{FEWEST_A_CLASS} are needed.",
            "Add rows of that class.",
        )
    return kept, notes


def _plain(label: Any) -> Any:
    """A label as Python has it, for people to read."""
    return label.item() if hasattr(label, "item") else label


def _rows(count: int) -> str:
    return f"{count:,} row" + ("" if count == 1 else "s")


def plain_labels(labels: pd.Series) -> pd.Series | None:
    """Labels as text, whole numbers or truth values; None where they are a measure."""
    if pd.api.types.is_bool_dtype(labels.dtype):
        return labels.astype(bool)
    if pd.api.types.is_numeric_dtype(labels.dtype):
        values = labels.astype(float)
        return labels.astype(np.int64) if bool((values % 1 == 0).all()) else None
    if all(isinstance(label, bool) for label in labels):
        return labels.astype(bool)
    return labels.astype(str)


def positive_label(labels: pd.Series, wanted: str) -> Any | None:
    """The positive class of two: the one that is named, or that says yes, or the rarer one.

    Raises: UnfitTarget where the wanted one is not there.
    """
    classes = sorted(labels.unique().tolist(), key=str)
    if wanted:
        named = [label for label in classes if str(label) == wanted]
        if not named:
            told = ", ".join(repr(str(label)) for label in classes)
            raise UnfitTarget(
                str(labels.name), f"it has no class {wanted!r}.", f"Its classes are: {told}."
            )
        return named[0] if len(classes) == 2 else None
    if len(classes) != 2:
        return None
    said = [label for label in classes if str(label).strip().lower() in _YES]
    if len(said) == 1:
        return said[0]
    counts = labels.value_counts()
    return min(classes, key=lambda label: int(counts[label]))


def columns_to_learn(
    table: pd.DataFrame,
    roles: dict[str, str],
    leaks: Mapping[str, float],
    keep: Collection[str] = (),
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """The columns for a model with their kinds, and those left out with the reason.

    Args:
        table: labelled rows.
        roles: `target`, `id`, `time` to column names; "" for none.
        leaks: the columns that tell the label by themselves, with how well (1 is perfectly).
        keep: columns that somebody wants learnt from, though they leak or look like identifiers.

    Raises: NothingToLearnFrom, NoSuchColumn, NotToKeep.
    """
    taken = {name: role for role, name in roles.items() if name}
    for name in keep:
        if name not in table.columns:
            raise NoSuchColumn("column to keep", name, table.columns)
        if name in taken:
            raise NotToKeep(name, f"it is the {taken[name]}")
    kept, left = [], []
    for name in map(str, table.columns):
        if name == roles["target"]:
            continue
        if name in taken:
            reason = {"id": "it is the identifier", "time": "it is the time"}[taken[name]]
        elif name in leaks and name not in keep:
            reason = f"it leaks the target, which it tells by itself (score {leaks[name]:.4f} of 1)"
        else:
            kind, reason = kind_of(table[name], identifiers=name in keep)
            if name in keep and not kind:
                raise NotToKeep(name, reason)
            if kind:
                kept.append({"name": name, "kind": kind})
                continue
        left.append({"column": name, "reason": reason})
    if not kept:
        raise NothingToLearnFrom(f"{item['column']}: {item['reason']}" for item in left)
    return kept, left


def kind_of(column: pd.Series, *, identifiers: bool = False) -> tuple[str, str]:
    """(kind, "") of a column to learn from, or ("", reason) to leave it out.

    Kinds: `number` (truth values too), `category`, `number_text`, `date`, `date_text`. What looks
    like an identifier or free text is left out, but where `identifiers` are wanted too.
    """
    present = column.dropna()
    distinct = present.nunique()
    if not len(present):
        return "", "all its values are missing"
    if distinct < 2 and len(present) == len(column):
        return "", "it holds one value only"
    unique = distinct == len(column) and distinct >= _MANY and not _is_measure(column)
    if unique and not identifiers:
        return "", "it is different in every row, as an identifier is"
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype):
        return "number", ""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return "date", ""
    values = present.head(10_000)
    if all(isinstance(value, bool) for value in values):
        return "number", ""
    if not all(isinstance(value, str) for value in values):
        return (
            ("date", "") if _are_dates(values) else ("", "its values are neither text nor numbers")
        )
    if _parses(pd.to_numeric(values.str.strip(), errors="coerce")):
        return "number_text", ""
    if _parses(pd.to_datetime(values, errors="coerce", format="ISO8601", utc=True)):
        return "date_text", ""
    if distinct > _MANY and distinct > len(present) / 2 and not identifiers:
        return "", "it is free text or an identifier: most of its values occur once"
    return "category", ""


def _is_measure(column: pd.Series) -> bool:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return True
    return bool(pd.api.types.is_float_dtype(column.dtype) and (column.dropna() % 1 != 0).any())


def _are_dates(values: pd.Series) -> bool:
    return all(hasattr(value, "isoformat") for value in values)


def _parses(parsed: pd.Series) -> bool:
    return bool(parsed.notna().mean() >= 0.95)
