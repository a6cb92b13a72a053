"""Columns which alone tell the target.

Each column is judged by itself, by a score that needs no model: its values are put into bins
(numbers: quantiles; words: themselves), the target's rate of each bin is learnt on one half of the
rows and tried on the other half. A column that separates the held-out rows almost perfectly knows
what it could not know before the outcome: a copy of the label, another model's prediction, a date
that is only set afterwards. Rates are smoothed, so that rare values and identifiers gain nothing.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from athanor.data.logic.association import quantile_codes
from athanor.data.types import Leak

SCORE = 0.99
"""Held-out AUC from which a column counts as a leak of a target of classes."""
RANK_SCORE = 0.999
"""Absolute held-out rank correlation from which it counts as one of a numeric target."""
MOST_CLASSES = 50
_BINS = 100
_MOST_ROWS = 100_000
_FEWEST_ROWS = 40
_SMOOTHING = 1.0
_SEED = 20_240_101

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


def find_leaks(
    table: pa.Table, target: str, *, ignore: tuple[str, ...] = (), score: float = SCORE
) -> list[Leak]:
    """The columns of a table that tell its target by themselves, the surest first.

    `ignore` names columns that are not judged (the identifier). At most 100,000 rows are looked
    at, drawn with a fixed seed.
    """
    known = table.filter(pc.is_valid(table[target]))
    if known.num_rows < _FEWEST_ROWS:
        return []
    rng = np.random.default_rng(_SEED)
    order = rng.permutation(known.num_rows)[:_MOST_ROWS]
    known = known.take(pa.array(order))
    labels = known[target]
    classes = class_codes(labels)
    found = []
    for name in known.column_names:
        if name == target or name in ignore or _is_nested(known[name].type):
            continue
        if classes is None:
            value = rank_score(known[name], labels)
            leak = value >= RANK_SCORE
            words = f"ranks the rows as {target!r} does (rank correlation {value:.4f})"
        else:
            value = held_out_score(known[name], classes)
            leak = value >= score
            words = f"tells {target!r} by itself (held-out AUC {value:.4f})"
        if leak:
            reason = f"{name!r} {words}: it may not be known before the outcome."
            found.append(Leak(column=name, score=round(value, 6), reason=reason))
    return sorted(found, key=lambda leak: (-leak.score, leak.column))


def class_codes(labels: pa.ChunkedArray) -> Codes | None:
    """The classes of a target as 0, 1, 2 ... in their order, or None where it is a measure.

    Missing ones come last. None, too, for lists, structs and maps: they are no classes.
    """
    if pa.types.is_nested(labels.type):
        return None
    values = pc.unique(labels)
    numeric = pa.types.is_floating(labels.type) or pa.types.is_integer(labels.type)
    if len(values) < 2 or len(values) > MOST_CLASSES or (numeric and len(values) > 20):
        return None
    places: Codes = np.empty(len(values), np.int64)
    places[pc.sort_indices(values).to_numpy()] = np.arange(len(values))
    return places[word_codes(labels)]


def held_out_score(column: pa.ChunkedArray, classes: Codes) -> float:
    """The mean over classes of the held-out AUC of one column alone; 0.5 tells nothing.

    Rows must be in random order: the first half learns, the second is tried, and then the other
    way round. Classes with fewer than five rows in either half are left out.
    """
    if pc.count_distinct(column, mode="all").as_py() < 2:
        return 0.5
    bins, width = _bins(column), int(classes.max()) + 1
    half, size = len(classes) // 2, (int(bins.max()) + 1) * width
    cells = bins * width + classes
    counts = np.stack(
        [
            np.bincount(part, minlength=size).reshape(-1, width)
            for part in (cells[:half], cells[half:])
        ]
    )
    return float(np.mean([_one_way(counts, learn) for learn in (0, 1)]))


def rank_score(column: pa.ChunkedArray, labels: pa.ChunkedArray) -> float:
    """The absolute rank correlation (Spearman's) of two columns of numbers; words score 0."""
    if not (_is_ordered(column.type) and _is_ordered(labels.type)):
        return 0.0
    values, target = _numbers(column), _numbers(labels)
    both = np.isfinite(values) & np.isfinite(target)
    if both.sum() < max(_FEWEST_ROWS, len(target) / 2):
        return 0.0
    ranks = _ranks(values[both]), _ranks(target[both])
    if ranks[0].std() == 0 or ranks[1].std() == 0:
        return 0.0
    return float(abs(np.corrcoef(ranks[0], ranks[1])[0, 1]))


def auc(scores: Floats, positive: npt.NDArray[np.bool_]) -> float:
    """The area under the ROC curve: the chance that a positive row scores higher; ties half."""
    _, places = np.unique(scores, return_inverse=True)
    return _auc(np.bincount(places[positive], minlength=int(places.max()) + 1),
                np.bincount(places[~positive], minlength=int(places.max()) + 1))  # fmt: skip


def _auc(positives: npt.NDArray[np.int64], negatives: npt.NDArray[np.int64]) -> float:
    """The same by how many rows have each score, lowest first."""
    total = float(positives.sum()) * float(negatives.sum())
    if not total:
        return 0.5
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum() / total)


def _one_way(counts: npt.NDArray[np.int64], learn: int) -> float:
    """What the rates of one half tell of the other; `counts` are (half, bin, class)."""
    learnt, judged = counts[learn], counts[1 - learn]
    totals, scores = learnt.sum(axis=1), []
    for label in range(counts.shape[2]):
        hits, positives = learnt[:, label], judged[:, label]
        negatives = judged.sum(axis=1) - positives
        if min(hits.sum(), positives.sum()) < 5 or not negatives.any():
            continue
        rates = (hits + _SMOOTHING * hits.sum() / totals.sum()) / (totals + _SMOOTHING)
        _, places = np.unique(rates, return_inverse=True)
        scores.append(_auc(np.bincount(places, positives), np.bincount(places, negatives)))
    return float(np.mean(scores)) if scores else 0.5


def _bins(column: pa.ChunkedArray) -> Codes:
    """Each row's bin; missing values have one of their own."""
    if not _is_ordered(column.type):
        return word_codes(column)
    return quantile_codes(_numbers(column), np.linspace(0, 1, _BINS + 1), edge="above")


def word_codes(column: pa.ChunkedArray) -> Codes:
    """The values of a column as codes 0, 1, 2 ...; missing values have one of their own."""
    encoded = pc.dictionary_encode(column, null_encoding="encode").combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0)
    codes: Codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


def _numbers(column: pa.ChunkedArray) -> Floats:
    kind = column.type
    if pa.types.is_temporal(kind):
        column = pc.cast(pc.cast(column, pa.timestamp("us")), pa.int64())
    values: Floats = pc.cast(column, pa.float64(), safe=False).to_numpy()
    return np.where(np.isinf(values), np.nan, values)


def _ranks(values: Floats) -> Floats:
    """Ranks from 1; equal values share their mean rank."""
    unique, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    del unique
    ends = np.cumsum(counts)
    return ((ends - counts + 1 + ends) / 2.0)[places]


def _is_ordered(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_date(kind)
        or pa.types.is_timestamp(kind)
    )


def _is_nested(kind: pa.DataType) -> bool:
    return bool(pa.types.is_nested(kind) or pa.types.is_binary(kind))
