"""Fitted transformers of scikit-learn as nodes: one function a class, found by its name.

Encoders are read by asking them: each known category, a missing value and an unseen one are
encoded once, so that whatever their settings mean is in the table.
"""

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from athanor.serving.runtimes.folding.nodes import (
    Apply,
    Arithmetic,
    Beside,
    Check,
    Clip,
    Constant,
    Fill,
    Interpolate,
    IsNull,
    Lookup,
    Mix,
    Node,
    Norm,
    Product,
    Ratio,
    Step,
    Unfoldable,
    is_text,
    may_refuse,
)
from athanor.serving.runtimes.folding.texts import count_vectorizer, tfidf_transformer

Columns: TypeAlias = list[Node]
Fitted: TypeAlias = Any
"""A fitted estimator of scikit-learn, which is published without types."""

_UNSEEN_TEXT = "\x00 a category that nobody trained on"
_WIDEST = 100_000


def transformed(part: Fitted, columns: Sequence[Node]) -> Columns:
    """What a fitted transformer makes of these columns.

    Raises: Unfoldable, naming the class that is not known.
    """
    if part is None or (isinstance(part, str) and part == "passthrough"):
        return list(columns)
    name = type(part).__name__
    if not type(part).__module__.startswith("sklearn."):
        raise Unfoldable(f"{name} is not scikit-learn's own")
    read = _READERS.get(name)
    if read is None:
        if hasattr(part, "get_support"):
            return _selected(part, list(columns))
        raise Unfoldable(f"{name} is no transformer that can be folded")
    made = read(part, list(columns))
    if len(made) > _WIDEST:
        raise Unfoldable(f"{name} makes {len(made)} columns")
    return made


def _pipeline(part: Fitted, columns: Columns) -> Columns:
    for _, step in part.steps:
        columns = transformed(step, columns)
    return columns


def _column_transformer(part: Fitted, columns: Columns) -> Columns:
    made: dict[str, Columns] = {}
    for name, step, _ in part.transformers_:
        places = part._transformer_to_input_indices.get(name, [])  # noqa: SLF001 - no public name
        if isinstance(step, str) and step == "drop":
            continue
        made[name] = transformed(step, [columns[place] for place in places]) if places else []
    return [node for name, _, _ in part.transformers_ for node in made.get(name, [])]


def _union(part: Fitted, columns: Columns) -> Columns:
    made: Columns = []
    weights = part.transformer_weights or {}
    for name, step in part.transformer_list:
        if isinstance(step, str) and step == "drop":
            continue
        found = transformed(step, columns)
        if name in weights:
            found = [Arithmetic(node, "*", float(weights[name])) for node in found]
        made += found
    return made


def _selected(part: Fitted, columns: Columns) -> Columns:
    kept = np.asarray(part.get_support())
    made = [_checked(node) for node, keep in zip(columns, kept, strict=True) if keep]
    dropped = [_checked(node) for node, keep in zip(columns, kept, strict=True) if not keep]
    guards = tuple(node for node in dropped if may_refuse(node))
    # A column that was checked on the way is refused although nothing of it is left.
    return [Beside(made[0], guards), *made[1:]] if made and guards else made


def _checked(node: Node, *, nulls: bool = True) -> Node:
    """As `check_array` lets it through."""
    if is_text(node) or isinstance(node, Constant):
        return node
    if isinstance(node, Check) and (nulls or not node.nulls):
        return node
    return Check(node, nulls)


def _numbers(part: Fitted, columns: Columns) -> Columns:
    for node in columns:
        if is_text(node):
            raise Unfoldable(f"{type(part).__name__} reads text")
    return [_checked(node) for node in columns]


def _standard(part: Fitted, columns: Columns) -> Columns:
    made = _numbers(part, columns)
    if part.with_mean:
        made = _each(made, "-", part.mean_)
    return _each(made, "/", part.scale_) if part.with_std else made


def _robust(part: Fitted, columns: Columns) -> Columns:
    made = _numbers(part, columns)
    if part.with_centering:
        made = _each(made, "-", part.center_)
    return _each(made, "/", part.scale_) if part.with_scaling else made


def _min_max(part: Fitted, columns: Columns) -> Columns:
    made = _each(_each(_numbers(part, columns), "*", part.scale_), "+", part.min_)
    low, high = part.feature_range
    return [Clip(node, float(low), float(high)) for node in made] if part.clip else made


def _max_abs(part: Fitted, columns: Columns) -> Columns:
    made = _each(_numbers(part, columns), "/", part.scale_)
    return [Clip(node, -1.0, 1.0) for node in made] if getattr(part, "clip", False) else made


def _each(columns: Columns, sign: str, by: Any) -> Columns:
    return [
        Arithmetic(node, sign, float(value))
        for node, value in zip(columns, np.asarray(by), strict=True)
    ]


def _imputer(part: Fitted, columns: Columns) -> Columns:
    marker = part.missing_values
    where = None if marker is None or _missing(marker) else marker
    if where is not None and not isinstance(where, int | float | str):
        raise Unfoldable(f"SimpleImputer looks for {where!r}")
    filled: Columns = []
    for node, value in zip(columns, part.statistics_, strict=True):
        if _missing(value):
            if not part.keep_empty_features:
                continue
            value = 0.0  # noqa: PLW2901 - what scikit-learn fills empty columns with
        text = is_text(node)
        if text != isinstance(value, str):
            raise Unfoldable(f"SimpleImputer fills a column with {value!r}")
        kept = value if text else float(value)
        if where is None:
            filled.append(Fill(_checked(node), kept))
        else:
            filled.append(Fill(_checked(node, nulls=False), kept, where))
    if part.indicator_ is not None:
        if where is not None:
            raise Unfoldable("SimpleImputer marks values other than missing ones")
        filled += [IsNull(columns[place]) for place in part.indicator_.features_]
    return filled


def _indicator(part: Fitted, columns: Columns) -> Columns:
    if not _missing(part.missing_values):
        raise Unfoldable(f"MissingIndicator looks for {part.missing_values!r}")
    return [IsNull(_checked(columns[place])) for place in part.features_]


def _binarizer(part: Fitted, columns: Columns) -> Columns:
    checked = [_checked(node, nulls=False) for node in _numbers(part, columns)]
    above = math.nextafter(float(part.threshold), math.inf)
    return [Step(node, (above,), (0.0, 1.0), right=True) for node in checked]


def _bins(part: Fitted, columns: Columns) -> Columns:
    made: Columns = []
    for node, edges in zip(_numbers(part, columns), part.bin_edges_, strict=True):
        checked = _checked(node, nulls=False)
        inner = tuple(float(edge) for edge in edges[1:-1])
        count = len(inner) + 1
        if part.encode == "ordinal":
            made.append(Step(checked, inner, tuple(map(float, range(count))), right=True))
            continue
        for place in range(count):
            flags = tuple(float(place == other) for other in range(count))
            made.append(Step(checked, inner, flags, right=True))
    return made


def _power(part: Fitted, columns: Columns) -> Columns:
    function = {"yeo-johnson": "yeo_johnson", "box-cox": "box_cox"}[part.method]
    made: Columns = [
        Apply(node, function, (float(power),))
        for node, power in zip(_numbers(part, columns), part.lambdas_, strict=True)
    ]
    return _standard(part._scaler, made) if part.standardize else made  # noqa: SLF001 - no other


def _quantile(part: Fitted, columns: Columns) -> Columns:
    references = tuple(map(float, part.references_))
    return [
        Interpolate(
            node, tuple(map(float, quantiles)), references, part.output_distribution == "normal"
        )
        for node, quantiles in zip(_numbers(part, columns), part.quantiles_.T, strict=True)
    ]


def _polynomial(part: Fitted, columns: Columns) -> Columns:
    numbers = [_checked(node, nulls=False) for node in _numbers(part, columns)]
    made: Columns = []
    for powers in part.powers_:
        factors = [node for node, power in zip(numbers, powers, strict=True) for _ in range(power)]
        if not factors:
            made.append(Constant(1.0))
        else:
            made.append(factors[0] if len(factors) == 1 else Product(tuple(factors)))
    return made


def _normalizer(part: Fitted, columns: Columns) -> Columns:
    numbers = [_checked(node, nulls=False) for node in _numbers(part, columns)]
    norm = Norm(tuple(numbers), part.norm)
    return [Ratio(node, norm) for node in numbers]


def _projection(part: Fitted, columns: Columns) -> Columns:
    checked = tuple(_checked(node, nulls=False) for node in _numbers(part, columns))
    components = np.asarray(part.components_, dtype=float)
    mean = getattr(part, "mean_", None)
    offsets = -components @ mean if mean is not None else np.zeros(len(components))
    scale = np.ones(len(components))
    if getattr(part, "whiten", False):
        scale = np.sqrt(np.maximum(part.explained_variance_, np.finfo(float).eps ** 2))
        scale[scale < np.finfo(float).eps] = np.finfo(float).eps
    return [
        Mix(checked, tuple((row / by).tolist()), float(plus / by))
        for row, plus, by in zip(components, offsets, scale, strict=True)
    ]


_UFUNCS = {
    np.log: "log",
    np.log1p: "log1p",
    np.log2: "log2",
    np.log10: "log10",
    np.exp: "exp",
    np.expm1: "expm1",
    np.sqrt: "sqrt",
    np.cbrt: "cbrt",
    np.abs: "abs",
    np.square: "square",
    np.sin: "sin",
    np.cos: "cos",
    np.tanh: "tanh",
    np.arcsinh: "asinh",
    np.negative: "negative",
    np.reciprocal: "reciprocal",
    np.sign: "sign",
}


def _function(part: Fitted, columns: Columns) -> Columns:
    if part.func is None:
        return [_checked(node) for node in columns] if part.validate else columns
    if part.kw_args or part.func not in _UFUNCS:
        name = getattr(part.func, "__name__", str(part.func))
        raise Unfoldable(f"FunctionTransformer calls {name}")
    if any(is_text(node) for node in columns):
        raise Unfoldable("FunctionTransformer reads text")
    read = [_checked(node, nulls=False) for node in columns] if part.validate else columns
    return [Apply(node, _UFUNCS[part.func]) for node in read]


def _encoder(part: Fitted, columns: Columns) -> Columns:
    """An encoder as tables: see the head of this module."""
    domains = [_domain(node, known) for node, known in zip(columns, _known(part), strict=True)]
    base = [domain[0] for domain in domains]
    rows, marks = [base], [(-1, -1)]
    for place, domain in enumerate(domains):
        for other, value in enumerate(domain):
            rows.append([*base[:place], value, *base[place + 1 :]])
            marks.append((place, other))
    encoded = _asked(part, rows, columns)
    if encoded is None:
        raise Unfoldable(f"{type(part).__name__} does not encode what it was trained on")
    unseen, null = [], []
    for place, node in enumerate(columns):
        odd = _UNSEEN_TEXT if is_text(node) else _odd_number(domains[place])
        unseen.append(_asked(part, [[*base[:place], odd, *base[place + 1 :]]], columns))
        null.append(_asked(part, [[*base[:place], math.nan, *base[place + 1 :]]], columns))
    owners = _owners(encoded, marks, [*unseen, *null], len(columns))
    made: Columns = []
    for column, owner in enumerate(owners):
        if owner < 0:
            made.append(Constant(float(encoded[0, column])))
            continue
        known = {
            domains[owner][other]: float(encoded[row, column])
            for row, (place, other) in enumerate(marks)
            if place == owner
        }
        odd_answer, null_answer = unseen[owner], null[owner]
        made.append(
            Lookup(
                columns[owner],
                known,
                None if odd_answer is None else float(odd_answer[0, column]),
                None if null_answer is None else float(null_answer[0, column]),
            )
        )
    return made


def _owners(encoded: Any, marks: list[tuple[int, int]], odd: list[Any], count: int) -> list[int]:
    """For each output column the input column that it follows; -1 where it follows none."""
    owners = []
    for column in range(encoded.shape[1]):
        found = {
            place
            for row, (place, _) in enumerate(marks)
            if place >= 0 and not _same(encoded[row, column], encoded[0, column])
        }
        found |= {
            number % count
            for number, answer in enumerate(odd)
            if answer is not None and not _same(answer[0, column], encoded[0, column])
        }
        if len(found) > 1:
            raise Unfoldable("an encoder mixes columns")
        owners.append(found.pop() if found else -1)
    # A column that refuses is read although nothing of it is seen in what comes out.
    silent = {place % count for place, answer in enumerate(odd) if answer is None} - set(owners)
    for place in sorted(silent):
        if -1 not in owners:
            raise Unfoldable("an encoder checks a column that it does not encode")
        owners[owners.index(-1)] = place
    return owners


def _same(one: float, other: float) -> bool:
    return bool(one == other) or (one != one and other != other)  # noqa: PLR0124 - NaN is NaN


def _known(part: Fitted) -> list[Any]:
    if getattr(part, "categories_", None) is None:
        raise Unfoldable(f"{type(part).__name__} has no categories")
    return list(part.categories_)


def _domain(node: Node, known: Any) -> list[Hashable]:
    text = is_text(node)
    values = [value.item() if isinstance(value, np.generic) else value for value in known]
    kept = [value for value in values if not _missing(value)]
    if any(isinstance(value, str) != text for value in kept) or not kept:
        raise Unfoldable("an encoder's categories are not of its column's type")
    return kept if text else [float(value) for value in kept]


def _odd_number(domain: list[Any]) -> float:
    return float(max(domain) + 1.5)


def _asked(part: Fitted, rows: list[list[Any]], columns: Columns) -> Any:
    """What the encoder makes of these rows; None where it refuses them."""
    names = getattr(part, "feature_names_in_", None)
    frame = pd.DataFrame(
        {
            place: pd.Series(values, dtype=object if is_text(node) else float)
            for place, (values, node) in enumerate(
                zip(zip(*rows, strict=True), columns, strict=True)
            )
        }
    )
    if names is not None:
        frame.columns = pd.Index(names)
    asked = frame if names is not None else frame.to_numpy()
    try:
        found = part.transform(asked)
        found = found.toarray() if hasattr(found, "toarray") else np.asarray(found)
        return found.astype(float)
    except (ValueError, TypeError):
        return None


def _missing(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


_READERS: dict[str, Callable[[Fitted, Columns], Columns]] = {
    "Pipeline": _pipeline,
    "ColumnTransformer": _column_transformer,
    "FeatureUnion": _union,
    "StandardScaler": _standard,
    "RobustScaler": _robust,
    "MinMaxScaler": _min_max,
    "MaxAbsScaler": _max_abs,
    "SimpleImputer": _imputer,
    "MissingIndicator": _indicator,
    "Binarizer": _binarizer,
    "KBinsDiscretizer": _bins,
    "PowerTransformer": _power,
    "QuantileTransformer": _quantile,
    "PolynomialFeatures": _polynomial,
    "Normalizer": _normalizer,
    "PCA": _projection,
    "TruncatedSVD": _projection,
    "FunctionTransformer": _function,
    "OneHotEncoder": _encoder,
    "OrdinalEncoder": _encoder,
    "TargetEncoder": _encoder,
    "CountVectorizer": count_vectorizer,
    "TfidfVectorizer": count_vectorizer,
    "TfidfTransformer": tfidf_transformer,
}
