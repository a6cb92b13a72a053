"""One evaluation: labelled rows and a model's answers in, the report's data out.

The result is JSON-able and holds neither time nor place, so that equal work gives equal reports.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from athanor.responsible.logic.attributions import Estimator, attributions
from athanor.responsible.logic.calibration import calibration
from athanor.responsible.logic.groups import by_group
from athanor.responsible.logic.importance import MOST_ROWS, permutation_importance
from athanor.responsible.logic.intervals import Estimate, Floats
from athanor.responsible.logic.metrics import (
    Indices,
    binary_metrics,
    confusion,
    multiclass_metrics,
    pr_points,
    roc_points,
)
from athanor.responsible.logic.ranking import roc_auc

FORMAT_VERSION = 1
EXPLAINED_ROWS = 300
_SHOWN_CLASSES = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is evaluated, and on what."""

    estimator: Estimator
    predict: Callable[[pd.DataFrame], Floats]
    """Raw rows to probabilities, shape (rows, classes), in the order of `classes`."""
    columns: Sequence[str]
    """The raw columns that the model reads."""
    target: str
    classes: Sequence[Any]
    positive: Any = None
    """The positive class where there are two; else None."""
    sensitive: str = ""
    """The column whose groups are compared; "" for none."""
    title: str = "Evaluation"
    facts: dict[str, Any] = field(default_factory=dict)
    """What the report tells beside: model, data, columns left out ..."""
    seed: int = 0


def evaluate(subject: Subject, rows: pd.DataFrame) -> dict[str, Any]:
    """Everything that a report tells of a classifier.

    Args:
        subject: the model and how to read the rows.
        rows: labelled raw rows; those with a label that the model does not know are left out aloud.
    """
    known = {label: index for index, label in enumerate(subject.classes)}
    labels = rows[subject.target].map(known)
    notes = []
    if labels.isna().any():
        notes.append(f"{int(labels.isna().sum()):,} rows with an unknown label were left out.")
    rows = rows.loc[labels.notna()].reset_index(drop=True)
    truth = labels.dropna().to_numpy(dtype=np.int64)
    chances = subject.predict(rows)
    report: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "title": subject.title,
        "facts": dict(subject.facts),
        "target": subject.target,
        "classes": [str(label) for label in subject.classes],
        "positive": None if subject.positive is None else str(subject.positive),
        "rows": len(rows),
        "class_rows": np.bincount(truth, minlength=len(subject.classes)).tolist(),
        "notes": notes,
    }
    report |= _quality(subject, truth, chances)
    report["permutation_importance"] = _importance(subject, rows, truth)
    report["attributions"] = _attributions(subject, rows)
    report["groups"] = _groups(subject, rows, truth, chances)
    clean: dict[str, Any] = _jsonable(report)
    return clean


def _quality(subject: Subject, truth: Indices, chances: Floats) -> dict[str, Any]:
    classes = len(subject.classes)
    told = chances.argmax(axis=1)
    found: dict[str, Any] = {
        "confusion": {
            "labels": [str(label) for label in subject.classes[:_SHOWN_CLASSES]],
            "counts": confusion(truth, told, classes)[:_SHOWN_CLASSES, :_SHOWN_CLASSES].tolist(),
        }
    }
    if subject.positive is None:
        found["metrics"] = _named(multiclass_metrics(truth, chances))
        return found
    index = list(subject.classes).index(subject.positive)
    flags, scores = truth == index, np.ascontiguousarray(chances[:, index])
    reliability = calibration(flags, scores)
    counts, edges = np.histogram(scores, bins=20, range=(0, 1))
    positives, _ = np.histogram(scores[flags], bins=20, range=(0, 1))
    return found | {
        "metrics": _named(binary_metrics(flags, scores)),
        "calibration": asdict(reliability),
        "curves": {"roc": roc_points(flags, scores), "pr": pr_points(flags, scores)},
        "scores": {
            "edges": edges.tolist(),
            "positives": positives.tolist(),
            "negatives": (counts - positives).tolist(),
        },
    }


def _named(metrics: dict[str, Estimate]) -> dict[str, Any]:
    return {name: asdict(estimate) for name, estimate in metrics.items()}


def _sample(subject: Subject, rows: pd.DataFrame, most: int) -> np.ndarray:
    if len(rows) <= most:
        return np.arange(len(rows))
    random = np.random.default_rng(subject.seed)
    return np.sort(random.choice(len(rows), size=most, replace=False))


def _importance(subject: Subject, rows: pd.DataFrame, truth: Indices) -> dict[str, Any]:
    kept = _sample(subject, rows, MOST_ROWS)
    own = truth[kept]

    def quality(chances: Floats) -> float:
        if subject.positive is None:
            return macro_auc_value(own, chances)
        index = list(subject.classes).index(subject.positive)
        return roc_auc(own == index, chances[:, index]).value

    found = permutation_importance(
        subject.predict,
        quality,
        rows.iloc[kept].reset_index(drop=True),
        list(subject.columns),
        seed=subject.seed,
    )
    return {"rows": len(kept), "columns": [asdict(item) for item in found]}


def macro_auc_value(truth: Indices, chances: Floats) -> float:
    """The mean area of one class against the rest, without its interval."""
    return float(np.mean([roc_auc(truth == c, chances[:, c]).value for c in np.unique(truth)]))


def _attributions(subject: Subject, rows: pd.DataFrame) -> dict[str, Any]:
    columns = list(subject.columns)
    kept = _sample(subject, rows, EXPLAINED_ROWS)
    explained = rows.iloc[kept].reset_index(drop=True)
    found = attributions(subject.estimator, explained[columns], rows[columns])
    if found is None:
        return {"skipped": "This kind of model has no exact attributions."}
    strength = np.abs(found.parts).mean(axis=(0, 2))
    order = np.argsort(-strength, kind="stable")
    told = {
        "method": found.method,
        "rows": len(kept),
        "base": found.base.tolist(),
        "columns": [
            {"column": found.columns[i], "mean_absolute": float(strength[i])} for i in order
        ],
    }
    if found.parts.shape[2] == 1:
        told["examples"] = _examples(found.base[0], found.parts[:, :, 0], found.columns, explained)
    return told


def _examples(
    base: float, values: Floats, columns: list[str], rows: pd.DataFrame
) -> list[dict[str, Any]]:
    """The rows with the lowest, middle and highest score, each with its five strongest parts."""
    order = np.argsort(values.sum(axis=1), kind="stable")
    chosen = {"lowest": order[0], "middle": order[len(order) // 2], "highest": order[-1]}
    return [
        {
            "which": which,
            "score": float(1 / (1 + math.exp(-(base + values[row].sum())))),
            "parts": [
                {
                    "column": columns[i],
                    "value": str(rows[columns[i]].iloc[row]) if columns[i] in rows else "",
                    "attribution": float(values[row, i]),
                }
                for i in np.argsort(-np.abs(values[row]), kind="stable")[:5]
            ],
        }
        for which, row in chosen.items()
    ]


def _groups(
    subject: Subject, rows: pd.DataFrame, truth: Indices, chances: Floats
) -> dict[str, Any]:
    if not subject.sensitive:
        return {"skipped": "No sensitive column was named (--sensitive COLUMN), so none was read."}
    if subject.sensitive not in rows:
        return {"skipped": f"There is no column {subject.sensitive!r} in these rows."}
    if subject.positive is None:
        return {"skipped": "Group figures need a model of two classes."}
    index = list(subject.classes).index(subject.positive)
    found = by_group(
        rows[subject.sensitive],
        truth == index,
        np.ascontiguousarray(chances[:, index]),
        positive=str(subject.positive),
    )
    return asdict(found)


def _jsonable(value: Any) -> Any:
    """NaN and infinity as None: JSON has neither."""
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
