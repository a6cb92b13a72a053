"""Operations on numbers: clip, round, bin, scale, transform, flag outliers."""

from collections.abc import Mapping

from athanor.data.logic.recipes.kinds import NUMERIC
from athanor.data.logic.recipes.operations.rows import bounds_sql
from athanor.data.logic.recipes.syntax import Call, Literal, Name, call
from athanor.data.logic.recipes.table import (
    ROW,
    Context,
    Operation,
    Parameter,
    Plan,
    register,
)
from athanor.kernel.sqltext import identifier


def _clipped(name: str, low: float | None, high: float | None) -> Call | Name:
    found: Call | Name = Name(name)
    if low is not None:
        found = call("greatest", found, low)
    if high is not None:
        found = call("least", found, high)
    return found


def _clip(step: Context) -> Plan:
    low, high = step["minimum"], step["maximum"]
    if low is None and high is None:
        raise step.wrong("'minimum' or 'maximum' is needed.")
    if low is not None and high is not None and low > high:
        raise step.wrong(f"the minimum {low:g} is greater than the maximum {high:g}.")
    changed = {}
    for name in step["columns"]:
        whole = step.schema[name] == "integer"
        bounds = [int(b) if whole and b is not None and float(b).is_integer() else b
                  for b in (low, high)]  # fmt: skip
        changed[name] = step.expression(_clipped(name, *bounds))
    return step.with_columns(changed)


def _clip_learned(step: Context) -> Plan:
    changed = {}
    for name in step["columns"]:
        low, high = step.learned.get(name) or (None, None)
        if low is not None and high is not None:
            cell = call("number", Name(name))
            changed[name] = step.expression(call("least", call("greatest", cell, float(low)),
                                                 float(high)))  # fmt: skip
    return step.with_columns(changed)


def _learn_clip(step: Context) -> Mapping[str, str]:
    low, high = step["low"], step["high"]
    if low >= high:
        raise step.wrong(f"'low' ({low:g}) should be less than 'high' ({high:g}).")
    return {
        name: f"quantile_cont(CAST({identifier(name)} AS DOUBLE), [{low!r}, {high!r}])"
        for name in step["columns"]
    }


def _round(step: Context) -> Plan:
    return step.with_columns({
        name: step.expression(call("round", Name(name), step["decimals"]))
        for name in step["columns"]
        if step.schema[name] == "number"
    })  # fmt: skip


def _scale(step: Context) -> Plan:
    changed = {}
    for name in step["columns"]:
        centre, span = step.learned.get(name) or (None, None)
        cell = call("number", Name(name))
        if centre is None:
            changed[name] = step.expression(cell)
        elif not span:
            # All values are one: they become nought, and missing ones stay missing.
            changed[name] = step.expression(call("-", cell, float(centre)))
        else:
            shifted = call("-", cell, float(centre))
            changed[name] = step.expression(call("/", shifted, float(span)))
    return step.with_columns(changed)


def _learn_scale(step: Context) -> Mapping[str, str]:
    found = {}
    for name in step["columns"]:
        cell = f"CAST({identifier(name)} AS DOUBLE)"
        found[name] = {
            "standard": f"[avg({cell} ORDER BY {ROW}), stddev_pop({cell} ORDER BY {ROW})]",
            "range": f"[min({cell}), max({cell}) - min({cell})]",
            "robust": f"[quantile_cont({cell}, 0.5), "
            f"quantile_cont({cell}, 0.75) - quantile_cont({cell}, 0.25)]",
        }[step["method"]]
    return found


def _transform(step: Context) -> Plan:
    method, changed = step["method"], {}
    for name in step["columns"]:
        cell = Name(name)
        trees = {
            "ln": call("ln", cell),
            "log10": call("log10", cell),
            "ln1p": call("ln", call("+", call("number", cell), 1.0)),
            "sqrt": call("sqrt", cell),
            "square": call("*", call("number", cell), call("number", cell)),
            "abs": call("abs", cell),
            "negate": call("negative", cell),
            "reciprocal": call("/", 1.0, cell),
            "sign": call("sign", cell),
        }
        changed[name] = step.expression(trees[method])
    return step.with_columns(changed)


def _binned(step: Context, name: str, edges: list[float]) -> Call | Literal:
    """The number of the bin, from 0; below the first edge 0, from the last edge on the last."""
    labels = step["labels"]
    bins = len(edges) + 1
    if labels and len(labels) != bins:
        raise step.wrong(f"{len(edges)} edges make {bins} bins; {len(labels)} labels were given.")
    if labels and len({type(label) is str for label in labels}) > 1:
        raise step.wrong("labels are all texts or all numbers.")
    marks = labels or list(range(bins))
    found: Call | Literal = Literal(marks[-1])
    for place in range(len(edges) - 1, -1, -1):
        below = call("<", call("number", Name(name)), float(edges[place]))
        found = call("if", below, Literal(marks[place]), found)
    return call("if", call("is_missing", Name(name)), None, found)


def _bin(step: Context) -> Plan:
    edges = step["edges"]
    if any(isinstance(edge, (bool, str)) or edge is None for edge in edges):
        raise step.wrong("'edges' are numbers.")
    if sorted(set(edges)) != list(edges):
        raise step.wrong("'edges' rise, and none stands twice.")
    if len(edges) > 150:
        raise step.wrong("there are more than 150 edges.")
    found = step.expression(_binned(step, step["column"], list(edges)))
    return step.with_columns({step["name"] or step["column"]: found})


def _bin_learned(step: Context) -> Plan:
    edges = [edge for edge in step.learned.get("edges") or [] if edge is not None]
    rising = sorted(set(edges))
    if step["labels"] and len(rising) + 1 != len(step["labels"]):
        raise step.wrong(f"{len(rising) + 1} bins were found, but {len(step['labels'])} labels "
                         "were given.")  # fmt: skip
    found = step.expression(_binned(step, step["column"], rising))
    return step.with_columns({step["name"] or step["column"]: found})


def _learn_bins(step: Context) -> Mapping[str, str]:
    cell, bins = f"CAST({identifier(step['column'])} AS DOUBLE)", step["bins"]
    if step["method"] == "quantile":
        points = ", ".join(repr(place / bins) for place in range(1, bins))
        return {"edges": f"quantile_cont({cell}, [{points}])"}
    edges = ", ".join(
        f"min({cell}) + (max({cell}) - min({cell})) * {place / bins!r}" for place in range(1, bins)
    )
    return {"edges": f"[{edges}]"}


def _flag_outliers(step: Context) -> Plan:
    changed = {}
    for name in step["columns"]:
        low, high = step.learned.get(name) or (None, None)
        if low is None or high is None:
            continue
        cell = call("number", Name(name))
        out = call("or", call("<", cell, float(low)), call(">", cell, float(high)))
        changed[f"{name}_outlier"] = step.expression(out)
    return step.with_columns(changed)


def _cycle(step: Context) -> Plan:
    cell = call("number", Name(step["column"]))
    angle = call("/", call("*", cell, 6.283185307179586), float(step["period"]))
    name = step["column"]
    return step.with_columns({
        f"{name}_sin": step.expression(call("sin", angle)),
        f"{name}_cos": step.expression(call("cos", angle)),
    })  # fmt: skip


_COLUMNS = Parameter(name="columns", kind="columns", words="columns of numbers", columns=NUMERIC)
_COLUMN = Parameter(name="column", kind="column", words="a column of numbers", columns=NUMERIC)
_TO = Parameter(name="name", kind="name", words="the new column; without it the column is replaced",
                required=False, default="")  # fmt: skip
_LABELS = Parameter(name="labels", kind="values", words="what the bins are called; without them "
                    "they are counted from 0", required=False)  # fmt: skip

register(Operation(
    name="clip", group="numbers", words="Keep {columns} between {minimum} and {maximum}",
    plan=_clip, serving="row",
    parameters=(
        _COLUMNS,
        Parameter(name="minimum", kind="number", words="the least", required=False),
        Parameter(name="maximum", kind="number", words="the greatest", required=False),
    ),
    cases=({"columns": ["number", "whole"], "minimum": 0, "maximum": 5},
           {"columns": ["other"], "maximum": 0.5}, {"columns": ["whole"], "minimum": -1.5}),
))  # fmt: skip
register(Operation(
    name="clip_learned", group="numbers", words="Keep {columns} between their quantiles",
    plan=_clip_learned, serving="row", learn=_learn_clip,
    parameters=(
        _COLUMNS,
        Parameter(name="low", kind="number", words="the share below", required=False,
                  default=0.01, least=0.0, most=1.0),
        Parameter(name="high", kind="number", words="1 less the share above", required=False,
                  default=0.99, least=0.0, most=1.0),
    ),
    cases=({"columns": ["number", "whole"], "low": 0.1, "high": 0.9},),
))  # fmt: skip
register(Operation(
    name="round", group="numbers", words="Round {columns} to {decimals} decimals", plan=_round,
    serving="row",
    parameters=(
        _COLUMNS,
        Parameter(name="decimals", kind="integer", words="0 to 15", required=False, default=0,
                  least=0, most=15),
    ),
    cases=({"columns": ["number", "other"], "decimals": 1}, {"columns": ["number"]},
           {"columns": ["other"], "decimals": 15}),
))  # fmt: skip
register(Operation(
    name="scale", group="numbers", words="Scale {columns} ({method})", plan=_scale, serving="row",
    learn=_learn_scale,
    parameters=(
        _COLUMNS,
        Parameter(name="method", kind="choice", words="standard: by mean and standard deviation "
                  "(n); range: to 0 to 1; robust: by median and quartiles",
                  choices=("standard", "range", "robust"), required=False, default="standard"),
    ),
    cases=({"columns": ["number", "whole"], "method": "standard"},
           {"columns": ["number", "key"], "method": "range"},
           {"columns": ["other"], "method": "robust"}),
))  # fmt: skip
register(Operation(
    name="transform", group="numbers", words="Take the {method} of {columns}", plan=_transform,
    serving="row",
    parameters=(
        _COLUMNS,
        Parameter(name="method", kind="choice", words="ln1p: of 1 + x",
                  choices=("ln", "ln1p", "log10", "sqrt", "square", "abs", "negate", "reciprocal",
                           "sign")),
    ),
    cases=tuple({"columns": ["number", "whole"], "method": method}
                for method in ("ln", "ln1p", "log10", "sqrt", "square", "abs", "negate",
                               "reciprocal", "sign")),
))  # fmt: skip
register(Operation(
    name="bin", group="numbers", words="Put {column} into bins at {edges}", plan=_bin,
    serving="row",
    parameters=(
        _COLUMN,
        Parameter(name="edges", kind="values", words="rising numbers; a value on an edge belongs "
                  "to the bin above"),
        _LABELS, _TO,
    ),
    cases=({"column": "number", "edges": [0, 1.5, 10], "labels": ["-", "low", "mid", "high"]},
           {"column": "whole", "edges": [1, 2], "name": "group"}),
))  # fmt: skip
register(Operation(
    name="bin_learned", group="numbers", words="Put {column} into {bins} bins ({method})",
    plan=_bin_learned, serving="row", learn=_learn_bins,
    parameters=(
        _COLUMN,
        Parameter(name="bins", kind="integer", words="how many", least=2, most=100),
        Parameter(name="method", kind="choice", words="quantile: of about equally many rows; "
                  "width: of equal width", choices=("quantile", "width"), required=False,
                  default="quantile"),
        _LABELS, _TO,
    ),
    cases=({"column": "number", "bins": 4}, {"column": "whole", "bins": 3, "method": "width",
                                             "name": "group"}),
))  # fmt: skip
register(Operation(
    name="flag_outliers", group="numbers", words="Flag {columns} that lie far out ({method})",
    plan=_flag_outliers, serving="row", learn=bounds_sql,
    parameters=(
        _COLUMNS,
        Parameter(name="method", kind="choice", words="as of drop_outliers", choices=("iqr", "sd"),
                  required=False, default="iqr"),
        Parameter(name="factor", kind="number", words="how far", required=False, default=1.5,
                  least=0.0, most=1000.0),
    ),
    cases=({"columns": ["number", "whole"]}, {"columns": ["other"], "method": "sd", "factor": 1}),
))  # fmt: skip
register(Operation(
    name="cycle", group="numbers", words="Put {column} on a circle of {period}", plan=_cycle,
    serving="row",
    parameters=(
        _COLUMN,
        Parameter(name="period", kind="number", words="what comes round: 24 hours, 12 months",
                  least=1e-9),
    ),
    cases=({"column": "whole", "period": 24}, {"column": "number", "period": 7.5}),
))  # fmt: skip
