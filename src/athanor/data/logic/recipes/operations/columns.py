"""Operations on columns as such: keep, drop, rename, compute, cast, join and split."""

from athanor.data.logic.recipes.kinds import PLAIN, TIMES
from athanor.data.logic.recipes.syntax import Call, Literal, Name, call, parsed
from athanor.data.logic.recipes.table import (
    Context,
    Operation,
    Parameter,
    Plan,
    Projection,
    choice_literal,
    column_of,
    register,
)
from athanor.data.logic.recipes.typed import Typed

_CASTS = ("integer", "number", "boolean", "text", "date", "timestamp", "instant")


def _select(step: Context) -> Plan:
    return Projection(columns=tuple((name, column_of(step, name)) for name in step["columns"]))


def _drop(step: Context) -> Plan:
    kept = [name for name in step.schema if name not in step["columns"]]
    if not kept:
        raise step.wrong("no column would be left.")
    return Projection(columns=tuple((name, column_of(step, name)) for name in kept))


def _rename(step: Context) -> Plan:
    names = step["names"]
    for old, new in names.items():
        if old not in step.schema:
            raise step.wrong(f"there is no column {old!r}.")
        if not isinstance(new, str) or not new or len(new) > 255:
            raise step.wrong(f"{new!r} can't name a column.")
    after = [names.get(name, name) for name in step.schema]
    if len({name.casefold() for name in after}) != len(after):
        raise step.wrong("two columns would have one name (upper and lower case are one).")
    pairs = zip(after, step.schema, strict=True)
    return Projection(columns=tuple((new, column_of(step, old)) for new, old in pairs))


def _copy(step: Context) -> Plan:
    return step.with_columns({step["name"]: column_of(step, step["column"])})


def _constant(step: Context) -> Plan:
    value = step["value"]
    kind = step["kind"]
    return step.with_columns({step["name"]: choice_literal(step, kind, value, "the value")})


def _formula(step: Context) -> Plan:
    found = step.expression(step["formula"])
    if found.kind not in PLAIN:
        raise step.wrong("the formula gives nested values, which can't be kept by a formula.")
    return step.with_columns({step["name"]: found})


def _conditional(step: Context) -> Plan:
    otherwise: Call | Literal | Name = Literal(step["otherwise"])
    found: Call | Literal | Name = otherwise
    if len(step["rules"]) > 150:
        raise step.wrong("there are more than 150 rules.", "Use map_values for single values.")
    for rule in reversed(step["rules"]):
        if not isinstance(rule.get("when"), str):
            raise step.wrong("each of the rules has a condition `when` and a value `then`.")
        value = rule.get("then")
        if value is not None and not isinstance(value, (bool, int, float, str)):
            raise step.wrong(f"{value!r} is no plain value.")
        condition = _tree(step, rule["when"])
        found = call("if", condition, Literal(value), found)
    return step.with_columns({step["name"]: step.expression(found)})


def _tree(step: Context, formula: str) -> Call | Literal | Name:
    from_text = step.expression(formula, wanted=("boolean",))
    del from_text
    return parsed(formula)


def _cast(step: Context) -> Plan:
    changed: dict[str, Typed] = {}
    for name in step["columns"]:
        kind, wanted, form = step.schema[name], step["to"], step["format"]
        if form and not (kind == "text" and wanted in TIMES):
            raise step.wrong("`format` is for texts that become dates or timestamps.")
        tree: Call | Name = Name(name)
        if kind == "text" and wanted in TIMES:
            if form:
                tree = call("parse_timestamp", tree, form)
            elif wanted == "date":
                tree = call("parse_date", tree, "%Y-%m-%d")
            else:
                tree = call("coalesce", *(call("parse_timestamp", tree, item) for item in _TIMES))
            tree = call(wanted, tree)
        else:
            tree = call(wanted, tree)
        changed[name] = step.expression(tree)
    return step.with_columns(changed)


_TIMES = ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S",
          "%Y-%m-%d %H:%M", "%Y-%m-%d")  # fmt: skip


def _coalesce(step: Context) -> Plan:
    found = step.expression(call("coalesce", *map(Name, step["columns"])))
    return step.with_columns({step["name"]: found})


def _concat(step: Context) -> Plan:
    parts: list[Call | Literal | Name] = []
    for place, name in enumerate(step["columns"]):
        if place and step["separator"]:
            parts.append(Literal(step["separator"]))
        cell = call("text", Name(name))
        parts.append(call("coalesce", cell, step["missing"]) if step["missing"] is not None
                     else cell)  # fmt: skip
    found = step.expression(call("concat", *parts) if len(parts) > 1 else parts[0])
    return step.with_columns({step["name"]: found})


def _split(step: Context) -> Plan:
    names, cell = step["names"], Name(step["column"])
    changed = {}
    for place, name in enumerate(names, 1):
        last = place == len(names) and step["rest"]
        function = "rest" if last else "part"
        changed[name] = step.expression(call(function, cell, step["separator"], place))
    return step.with_columns(changed)


def _flag_missing(step: Context) -> Plan:
    return step.with_columns(
        {f"{name}_missing": step.expression(call("is_missing", Name(name)))
         for name in step["columns"]}
    )  # fmt: skip


_COLUMN = Parameter(name="column", kind="column", words="the column", columns=PLAIN)
_COLUMNS = Parameter(name="columns", kind="columns", words="the columns")
_NAME = Parameter(name="name", kind="name", words="what the new column is called")

register(Operation(
    name="select", group="columns", words="Keep the columns {columns}", plan=_select,
    parameters=(_COLUMNS,), serving="row", cases=({"columns": ["number", "key"]},),
))  # fmt: skip
register(Operation(
    name="drop", group="columns", words="Drop the columns {columns}", plan=_drop,
    parameters=(_COLUMNS,), serving="row", cases=({"columns": ["word"]},),
))  # fmt: skip
register(Operation(
    name="rename", group="columns", words="Rename {names}", plan=_rename, serving="row",
    parameters=(Parameter(name="names", kind="mapping", words="{old name: new name}"),),
    cases=({"names": {"number": "amount"}}, {"names": {"key": "whole", "whole": "key"}}),
))  # fmt: skip
register(Operation(
    name="copy", group="columns", words="Copy {column} to {name}", plan=_copy, serving="row",
    parameters=(Parameter(name="column", kind="column", words="the column"), _NAME),
    cases=({"column": "number", "name": "again"}, {"column": "at", "name": "word"}),
))  # fmt: skip
register(Operation(
    name="constant", group="columns", words="Set {name} to {value} in every row", plan=_constant,
    serving="row",
    parameters=(
        _NAME,
        Parameter(name="value", kind="value", words="the value", required=False),
        Parameter(name="kind", kind="choice", words="what it is", choices=_CASTS, required=False,
                  default="text"),
    ),
    cases=(
        {"name": "source", "value": "web", "kind": "text"},
        {"name": "number", "value": 1.5, "kind": "number"},
        {"name": "since", "value": "2026-01-31", "kind": "date"},
        {"name": "nothing", "kind": "integer"},
        {"name": "yes", "value": True, "kind": "boolean"},
    ),
))  # fmt: skip
register(Operation(
    name="formula", group="columns", words="Compute {name} as {formula}", plan=_formula,
    serving="row",
    parameters=(_NAME, Parameter(name="formula", kind="formula", words="a formula of columns")),
    cases=(
        {"name": "ratio", "formula": "number / (whole + 1) - other * 2"},
        {"name": "whole", "formula": "whole * whole + key - 3"},
        {"name": "flagged", "formula": "flag and (number > other or word = 'a') or text is null"},
        {"name": "late", "formula": "at >= '2020-01-01' and not day between '1990-01-01' and day"},
        {"name": "label", "formula": "if(number > 0, 'up', if(number < 0, 'down', null))"},
        {"name": "known", "formula": "coalesce(number, other, whole, 0)"},
        {"name": "low", "formula": "least(number, other) + greatest(number, whole, 1)"},
        {"name": "left", "formula": "whole % 7 + mod(key, -3)"},
        {"name": "turned", "formula": "-number + -whole"},
        {"name": "curve", "formula": "exp(number / 100) + ln(number) + sqrt(other) + log10(other)"},
        {"name": "wave", "formula": "sin(number) * cos(other) + power(number, 2) - abs(other)"},
        {"name": "near", "formula": "round(number, 2) + floor(other) - ceil(number) * sign(other)"},
        {"name": "some", "formula": "word in ('a', 'b') and whole in (1, 2) or word not in ('c')"},
        {"name": "same", "formula": "null_if(word, 'a')"},
        {"name": "one", "formula": "concat(word, '-', text(whole), '-', text(number), text(flag))"},
        {"name": "days", "formula": "difference(day, at, 'days') + difference(at, day, 'seconds')"},
        {"name": "hashed", "formula": "concat(sha256(text), text(hash_bucket(text, 97)))"},
    ),
))  # fmt: skip
register(Operation(
    name="conditional", group="columns", words="Set {name} by rules: {rules}, else {otherwise}",
    plan=_conditional, serving="row",
    parameters=(
        _NAME,
        Parameter(name="rules", kind="rules", words="[{when: condition, then: value}]"),
        Parameter(name="otherwise", kind="value", words="the value elsewhere", required=False),
    ),
    cases=(
        {"name": "size", "rules": [{"when": "number < 0", "then": "small"},
                                   {"when": "number < 10", "then": "middle"}],
         "otherwise": "large"},
        {"name": "points", "rules": [{"when": "flag", "then": 1}], "otherwise": 0.5},
    ),
))  # fmt: skip
register(Operation(
    name="cast", group="columns", words="Read {columns} as {to}", plan=_cast, serving="row",
    parameters=(
        Parameter(name="columns", kind="columns", words="the columns", columns=PLAIN),
        Parameter(name="to", kind="choice", words="the kind", choices=_CASTS),
        Parameter(name="format", kind="text", words="of dates in texts: %d.%m.%Y", required=False,
                  default=""),
    ),
    cases=(
        {"columns": ["digits", "number", "flag"], "to": "integer"},
        {"columns": ["digits", "whole", "flag"], "to": "number"},
        {"columns": ["number", "whole", "flag", "day", "at", "instant"], "to": "text"},
        {"columns": ["digits", "whole", "number"], "to": "boolean"},
        {"columns": ["at", "instant", "stamp"], "to": "date"},
        {"columns": ["day", "instant", "stamp"], "to": "timestamp"},
        {"columns": ["stamp"], "to": "timestamp", "format": "%d.%m.%y %H:%M"},
    ),
))  # fmt: skip
register(Operation(
    name="coalesce", group="columns", words="Set {name} to the first known of {columns}",
    plan=_coalesce, serving="row",
    parameters=(
        Parameter(name="columns", kind="columns", words="the columns, the best first",
                  columns=PLAIN),
        _NAME,
    ),
    cases=({"columns": ["number", "other", "whole"], "name": "best"},
           {"columns": ["day", "at"], "name": "when"}),
))  # fmt: skip
register(Operation(
    name="concat", group="columns", words="Join {columns} with {separator} as {name}",
    plan=_concat, serving="row",
    parameters=(
        Parameter(name="columns", kind="columns", words="the columns", columns=PLAIN),
        _NAME,
        Parameter(name="separator", kind="text", words="what stands between", required=False,
                  default=" "),
        Parameter(name="missing", kind="text", words="stands for missing cells; without it the "
                  "whole text is missing", required=False),
    ),
    cases=({"columns": ["word", "whole", "text"], "name": "joined", "separator": "-"},
           {"columns": ["word", "number", "flag", "day"], "name": "word", "missing": "?"}),
))  # fmt: skip
register(Operation(
    name="split", group="columns", words="Split {column} at {separator} into {names}",
    plan=_split, serving="row",
    parameters=(
        Parameter(name="column", kind="column", words="the column", columns=("text",)),
        Parameter(name="separator", kind="text", words="what stands between the parts"),
        Parameter(name="names", kind="names", words="what the parts are called"),
        Parameter(name="rest", kind="boolean", words="whether the last one takes all that is left",
                  required=False, default=False),
    ),
    cases=({"column": "text", "separator": " ", "names": ["first", "second"]},
           {"column": "text", "separator": "é", "names": ["word", "more"], "rest": True}),
))  # fmt: skip
register(Operation(
    name="flag_missing", group="missing", words="Flag where {columns} are missing",
    plan=_flag_missing, parameters=(_COLUMNS,), serving="row",
    cases=({"columns": ["number", "text", "at"]},),
))  # fmt: skip
