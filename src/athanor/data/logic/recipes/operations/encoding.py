"""Operations that make numbers of categories; most learn the categories from data."""

from collections.abc import Mapping
from typing import Any

from athanor.data.logic.recipes.kinds import RESERVED
from athanor.data.logic.recipes.syntax import Call, Literal, Name, call
from athanor.data.logic.recipes.table import (
    ROW,
    Context,
    Operation,
    Parameter,
    Plan,
    Projection,
    choice_literal,
    register,
)
from athanor.kernel.sqltext import identifier, literal

_MOST = 500
_KEY, _VALUE = f"{RESERVED}key", f"{RESERVED}value"
_ROWS, _ALL = f"{RESERVED}rows", f"{RESERVED}all"
_PAIRS = f"SELECT list(struct_pack(k := {_KEY}, v := {_VALUE}) ORDER BY {_KEY})"


def _categories(step: Context) -> list[Any]:
    given: list[Any] = step["categories"] or step.learned.get("categories") or []
    if len(given) > _MOST:
        raise step.wrong(f"{step['column']!r} has more than {_MOST} categories.",
                         "Group the rare ones by a step `group_rare` before.")  # fmt: skip
    kind = step.schema[step["column"]]
    return [choice_literal(step, kind, item, "the category").value for item in given]


def _learn_categories(step: Context) -> Mapping[str, str]:
    if step["categories"]:
        return {}
    cell = identifier(step["column"])
    return {
        "categories": f"list_sort(list(DISTINCT {cell}) FILTER (WHERE {cell} IS NOT NULL))"
        f"[1:{_MOST + 1}]"
    }


def _chosen(step: Context, pairs: list[tuple[Any, Any]], otherwise: Any) -> Call | Literal | Name:
    """A value for each category, another for the rest."""
    if not pairs:
        return Literal(otherwise)
    listed = [Literal(item) for pair in pairs for item in pair]
    return call("map_to", Name(step["column"]), Literal(otherwise), *listed)


def _onehot(step: Context) -> Plan:
    name = step["column"]
    changed = {}
    for category in _categories(step)[1 if step["drop_first"] else 0 :]:
        shown = str(category).lower() if isinstance(category, bool) else category
        same = call("=", Name(name), Literal(category))
        column = f"{step['prefix'] or name + '_'}{shown}"
        changed[column] = step.expression(call("if", same, 1, 0))
    if len({column.casefold() for column in changed}) != len(changed):
        raise step.wrong("two categories differ by upper and lower case alone.",
                         "Put the column in one case before.")  # fmt: skip
    made = step.with_columns(changed)
    if step["keep"]:
        return made
    kept = tuple(item for item in made.columns if item[0] != name or name in changed)
    return Projection(columns=kept)


def _ordinal(step: Context) -> Plan:
    pairs = [(category, place) for place, category in enumerate(_categories(step))]
    tree = _nested(step, pairs, step["unknown"])
    return step.with_columns({step["name"] or step["column"]: step.expression(tree)})


def _nested(step: Context, pairs: list[tuple[Any, Any]], otherwise: Any) -> Call | Literal | Name:
    missing = call("is_missing", Name(step["column"]))
    return call("if", missing, None, _chosen(step, pairs, otherwise))


def _learnt_pairs(step: Context) -> list[tuple[Any, float]]:
    kind = step.schema[step["column"]]
    found = step.learned.get("values") or []
    if len(found) > _MOST:
        raise step.wrong(f"{step['column']!r} has more than {_MOST} categories.",
                         "Group the rare ones by a step `group_rare` before.")  # fmt: skip
    return [(choice_literal(step, kind, item["k"], "the category").value, float(item["v"]))
            for item in found if item["v"] is not None]  # fmt: skip


def _frequency(step: Context) -> Plan:
    tree = _nested(step, _learnt_pairs(step), 0.0)
    return step.with_columns({step["name"] or step["column"]: step.expression(tree)})


def _learn_frequency(step: Context) -> Mapping[str, str]:
    cell = identifier(step["column"])
    share = "CAST(count(*) AS DOUBLE) / CAST(sum(count(*)) OVER () AS DOUBLE)"
    return {
        "values": f"({_PAIRS} FROM (SELECT {cell} AS {_KEY}, {share} AS {_VALUE} FROM {{table}} "
        f"WHERE {cell} IS NOT NULL GROUP BY {cell} "
        f"ORDER BY count(*) DESC, {cell} LIMIT {_MOST + 1}))"
    }


def _target(step: Context) -> Plan:
    mean = step.learned.get("mean")
    pairs = _learnt_pairs(step)
    tree = _chosen(step, pairs, 0.0 if mean is None else float(mean))
    return step.with_columns({step["name"] or step["column"]: step.expression(tree)})


def _learn_target(step: Context) -> Mapping[str, str]:
    cell, weight = identifier(step["column"]), repr(float(step["smoothing"]))
    goal = identifier(step["target"])
    kind = step.schema[step["target"]]
    if kind == "text":
        if step["positive"] is None:
            raise step.wrong("a target of texts needs 'positive', the class whose rate is learnt.")
        goal = f"({goal} = {literal(step['positive'])})"
    goal = f"CAST({goal} AS DOUBLE)"
    # A mean of what is no number, or endless, says nothing of a category.
    goal = f"CASE WHEN isfinite({goal}) THEN {goal} END"
    mean = f"(SELECT avg({goal} ORDER BY {ROW}) FROM {{table}})"
    return {
        "mean": f"avg({goal} ORDER BY {ROW})",
        "values": f"({_PAIRS} FROM (SELECT {cell} AS {_KEY}, "
        f"(sum({goal} ORDER BY {ROW}) + {weight} * {mean}) / (count({goal}) + {weight}) "
        f"AS {_VALUE} FROM {{table}} WHERE {cell} IS NOT NULL AND {goal} IS NOT NULL "
        f"GROUP BY {cell} ORDER BY count(*) DESC, {cell} LIMIT {_MOST + 1}))",
    }


def _hash(step: Context) -> Plan:
    tree = call("hash_bucket", call("text", Name(step["column"])), step["buckets"])
    return step.with_columns({step["name"] or step["column"]: step.expression(tree)})


def _rare(step: Context) -> Plan:
    name = step["column"]
    common = step.learned.get("categories") or []
    if len(common) > _MOST:
        raise step.wrong(f"more than {_MOST} categories are that frequent: raise the share.")
    if not common:
        known = call("if", call("is_missing", Name(name)), None, step["other"])
        return step.with_columns({name: step.expression(known)})
    among = call("in", Name(name), *(Literal(item) for item in common))
    tree = call("if", call("or", call("is_missing", Name(name)), among), Name(name), step["other"])
    return step.with_columns({name: step.expression(tree)})


def _learn_rare(step: Context) -> Mapping[str, str]:
    cell, share = identifier(step["column"]), repr(float(step["share"]))
    return {
        "categories": f"(SELECT list({_KEY} ORDER BY {_KEY}) FROM (SELECT {cell} AS {_KEY}, "
        f"count(*) AS {_ROWS}, sum(count(*)) OVER () AS {_ALL} FROM {{table}} "
        f"WHERE {cell} IS NOT NULL GROUP BY {cell}) WHERE {_ROWS} >= {share} * {_ALL})"
    }


_COLUMN = Parameter(name="column", kind="column", words="the column of categories",
                    columns=("text", "integer", "boolean"))  # fmt: skip
_CATEGORIES = Parameter(name="categories", kind="values", words="in this order; without them they "
                        "are learnt, in alphabetical order", required=False)  # fmt: skip
_TO = Parameter(name="name", kind="name", words="the new column; without it the column is replaced",
                required=False, default="")  # fmt: skip

register(Operation(
    name="encode_onehot", group="encoding", words="Make a column of 0 and 1 of each {column}",
    plan=_onehot, serving="row", learn=_learn_categories,
    parameters=(
        _COLUMN, _CATEGORIES,
        Parameter(name="drop_first", kind="boolean", words="leave the first one out",
                  required=False, default=False),
        Parameter(name="keep", kind="boolean", words="keep the column itself", required=False,
                  default=False),
        Parameter(name="prefix", kind="text", words="of the new names; the column's with _ if not "
                  "given", required=False, default=""),
    ),
    cases=({"column": "word"}, {"column": "flag", "keep": True, "drop_first": True},
           {"column": "whole", "categories": [1, 2, 3], "prefix": "is_"}),
))  # fmt: skip
register(Operation(
    name="encode_ordinal", group="encoding", words="Number the values of {column}", plan=_ordinal,
    serving="row", learn=_learn_categories,
    parameters=(
        _COLUMN, _CATEGORIES,
        Parameter(name="unknown", kind="integer", words="for values that are not among them; "
                  "missing without it", required=False),
        _TO,
    ),
    cases=({"column": "word"}, {"column": "word", "categories": ["b", "a"], "unknown": -1,
                                "name": "level"}),
))  # fmt: skip
register(Operation(
    name="encode_frequency", group="encoding", words="Replace {column} by the share of its rows",
    plan=_frequency, serving="row", learn=_learn_frequency, parameters=(_COLUMN, _TO),
    cases=({"column": "word"}, {"column": "flag", "name": "share"}),
))  # fmt: skip
register(Operation(
    name="encode_target", group="encoding", words="Replace {column} by the mean of {target}",
    plan=_target, serving="row", learn=_learn_target,
    parameters=(
        _COLUMN,
        Parameter(name="target", kind="column", words="what is to be predicted",
                  columns=("integer", "number", "boolean", "text")),
        Parameter(name="positive", kind="value", words="the class whose rate is learnt, for a "
                  "target of texts", required=False),
        Parameter(name="smoothing", kind="number", words="as many rows of the overall mean",
                  required=False, default=10.0, least=0.001, most=1e9),
        _TO,
    ),
    cases=({"column": "word", "target": "number", "name": "usual"},
           {"column": "word", "target": "flag"},
           {"column": "key", "target": "word", "positive": "a", "smoothing": 2}),
))  # fmt: skip
register(Operation(
    name="encode_hash", group="encoding", words="Put {column} into {buckets} buckets by its hash",
    plan=_hash, serving="row",
    parameters=(
        _COLUMN,
        Parameter(name="buckets", kind="integer", words="how many", least=1, most=1 << 31), _TO,
    ),
    cases=({"column": "word", "buckets": 16}, {"column": "whole", "buckets": 1000, "name": "h"}),
))  # fmt: skip
register(Operation(
    name="group_rare", group="encoding", words="Replace rare values of {column} by {other}",
    plan=_rare, serving="row", learn=_learn_rare,
    parameters=(
        Parameter(name="column", kind="column", words="the column", columns=("text",)),
        Parameter(name="share", kind="number", words="less than this share of the rows is rare",
                  required=False, default=0.01, least=0.0, most=1.0),
        Parameter(name="other", kind="text", words="what they become", required=False,
                  default="other"),
    ),
    cases=({"column": "word", "share": 0.2}, {"column": "text", "share": 0.05, "other": "?"},
           {"column": "word", "share": 1.0}),
))  # fmt: skip
