"""Operations on texts: case, spaces, parts, patterns."""

from athanor.data.logic.recipes.syntax import Call, Literal, Name, call
from athanor.data.logic.recipes.table import (
    Context,
    Operation,
    Parameter,
    Plan,
    choice_literal,
    register,
)


def _each(step: Context, *trees: tuple[str, Call]) -> Plan:
    return step.with_columns({name: step.expression(tree) for name, tree in trees})


def _case(step: Context) -> Plan:
    return _each(step, *((name, call(step["case"], Name(name))) for name in step["columns"]))


def _trim(step: Context) -> Plan:
    trees = []
    for name in step["columns"]:
        cell: Call | Name = Name(name)
        if step["inner"]:
            cell = call("substitute", cell, "[\\t\\n\\r\\f\\v ]+", " ")
        trees.append((name, call("trim", cell)))
    return _each(step, *trees)


def _clean(step: Context) -> Plan:
    trees = []
    for name in step["columns"]:
        cell = call("unaccent", Name(name)) if step["accents"] else call("text", Name(name))
        if step["punctuation"]:
            cell = call("substitute", cell, "[!-/:-@\\[-`{-~]+", " ")
        if step["digits"]:
            cell = call("substitute", cell, "[0-9]+", "")
        cell = call("substitute", cell, "[\\t\\n\\r\\f\\v ]+", " ")
        trees.append((name, call("lower", call("trim", cell))))
    return _each(step, *trees)


def _replace(step: Context) -> Plan:
    function = "substitute" if step["pattern"] else "replace"
    return _each(step, *((name, call(function, Name(name), step["find"], step["by"]))
                         for name in step["columns"]))  # fmt: skip


def _extract(step: Context) -> Plan:
    tree = call("extract", Name(step["column"]), step["pattern"], step["group"])
    return _each(step, (step["name"], tree))


def _match(step: Context) -> Plan:
    return _each(step, (step["name"], call("matches", Name(step["column"]), step["pattern"])))


def _measure(step: Context) -> Plan:
    cell = Name(step["column"])
    trees = {
        "characters": call("length", cell),
        "words": call("count_matches", cell, "[^\\t\\n\\r\\f\\v ]+"),
        "digits": call("count_matches", cell, "[0-9]"),
        "lines": call("+", call("count_matches", cell, "\\n"), 1),
    }
    return _each(step, (step["name"], trees[step["what"]]))


def _slice(step: Context) -> Plan:
    tree = call("slice", Name(step["column"]), step["start"], step["length"])
    return _each(step, (step["name"] or step["column"], tree))


def _pad(step: Context) -> Plan:
    function = "pad_start" if step["side"] == "start" else "pad_end"
    return _each(step, *((name, call(function, Name(name), step["width"], step["fill"]))
                         for name in step["columns"]))  # fmt: skip


def _affix(step: Context) -> Plan:
    return _each(step, *((name, call("concat", step["prefix"], Name(name), step["suffix"]))
                         for name in step["columns"]))  # fmt: skip


def _unaccent(step: Context) -> Plan:
    return _each(step, *((name, call("unaccent", Name(name))) for name in step["columns"]))


def _hash(step: Context) -> Plan:
    salted = {name: call("concat", step["salt"], call("text", Name(name)))
              for name in step["columns"]}  # fmt: skip
    return _each(step, *((name, call("sha256", tree)) for name, tree in salted.items()))


def _map(step: Context) -> Plan:
    name, mapping = step["column"], step["mapping"]
    kind = step.schema[name]
    texts = any(isinstance(value, str) for value in mapping.values())
    if texts and not all(isinstance(value, str) or value is None for value in mapping.values()):
        raise step.wrong("the mapped values are all texts or all numbers.")
    others: Call | Name | Literal = Name(name)
    if step["others"] != "keep":
        others = Literal(step["otherwise"])
    listed: list[Literal] = []
    for key, value in mapping.items():
        known = choice_literal(step, kind, _key(kind, key), "the key")
        listed += [Literal(known.value), Literal(value)]
    found = call("map_to", Name(name), others, *listed)
    if step["others"] != "keep":
        found = call("if", call("is_missing", Name(name)), None, found)
    return step.with_columns({step["name"] or name: step.expression(found)})


def _key(kind: str, key: str) -> object:
    """A key of JSON as a value of its column's kind."""
    try:
        if kind == "integer":
            return int(key)
        if kind == "number":
            return float(key)
    except ValueError:
        return key
    if kind == "boolean":
        return {"true": True, "false": False}.get(key.lower(), key)
    return key


_COLUMNS = Parameter(name="columns", kind="columns", words="columns of texts", columns=("text",))
_COLUMN = Parameter(name="column", kind="column", words="a column of texts", columns=("text",))
_NAME = Parameter(name="name", kind="name", words="what the new column is called")
_PATTERN = Parameter(name="pattern", kind="text", words="a regular expression")

register(Operation(
    name="case", group="text", words="Put {columns} in {case} case", plan=_case, serving="row",
    parameters=(
        _COLUMNS,
        Parameter(name="case", kind="choice", words="which", choices=("lower", "upper",
                                                                      "capitalize")),
    ),
    cases=tuple({"columns": ["text", "word"], "case": case}
                for case in ("lower", "upper", "capitalize")),
))  # fmt: skip
register(Operation(
    name="trim", group="text", words="Trim spaces around {columns}", plan=_trim, serving="row",
    parameters=(
        _COLUMNS,
        Parameter(name="inner", kind="boolean", words="inner spaces become one, too",
                  required=False, default=False),
    ),
    cases=({"columns": ["text"]}, {"columns": ["text", "word"], "inner": True}),
))  # fmt: skip
register(Operation(
    name="clean_text", group="text", words="Clean the texts of {columns}", plan=_clean,
    serving="row",
    parameters=(
        _COLUMNS,
        Parameter(name="accents", kind="boolean", words="remove accents", required=False,
                  default=True),
        Parameter(name="punctuation", kind="boolean", words="remove punctuation", required=False,
                  default=True),
        Parameter(name="digits", kind="boolean", words="remove digits", required=False,
                  default=False),
    ),
    cases=({"columns": ["text"]}, {"columns": ["text"], "accents": False, "digits": True}),
))  # fmt: skip
register(Operation(
    name="unaccent", group="text", words="Remove the accents of {columns}", plan=_unaccent,
    parameters=(_COLUMNS,), serving="row", cases=({"columns": ["text"]},),
))  # fmt: skip
register(Operation(
    name="replace_text", group="text", words="Replace {find} in {columns} by {by}", plan=_replace,
    serving="row",
    parameters=(
        _COLUMNS,
        Parameter(name="find", kind="text", words="what is replaced, wherever it stands"),
        Parameter(name="by", kind="text", words="by what", required=False, default=""),
        Parameter(name="pattern", kind="boolean", words="whether `find` is a regular expression",
                  required=False, default=False),
    ),
    cases=({"columns": ["text"], "find": "a", "by": "é\\1"},
           {"columns": ["text", "word"], "find": "[a-c]+|\\s", "by": "\\0$1", "pattern": True}),
))  # fmt: skip
register(Operation(
    name="extract_text", group="text", words="Take {pattern} out of {column} as {name}",
    plan=_extract, serving="row",
    parameters=(
        _COLUMN, _PATTERN, _NAME,
        Parameter(name="group", kind="integer", words="which group; 0: all of the match",
                  required=False, default=0, least=0, most=9),
    ),
    cases=({"column": "text", "pattern": "([a-z]+)( |x)?", "name": "part", "group": 2},
           {"column": "text", "pattern": "\\d+|\\w$", "name": "text"}),
))  # fmt: skip
register(Operation(
    name="match_text", group="text", words="Flag as {name} where {column} matches {pattern}",
    plan=_match, serving="row", parameters=(_COLUMN, _PATTERN, _NAME),
    cases=({"column": "text", "pattern": "^[A-Z].*[^0-9]$", "name": "fits"},
           {"column": "text", "pattern": "\\bde\\b", "name": "fits"}),
))  # fmt: skip
register(Operation(
    name="measure_text", group="text", words="Count the {what} of {column} as {name}",
    plan=_measure, serving="row",
    parameters=(
        _COLUMN,
        Parameter(name="what", kind="choice", words="what is counted",
                  choices=("characters", "words", "digits", "lines")),
        _NAME,
    ),
    cases=tuple({"column": "text", "what": what, "name": "count"}
                for what in ("characters", "words", "digits", "lines")),
))  # fmt: skip
register(Operation(
    name="slice_text", group="text", words="Take {length} characters of {column} from {start} on",
    plan=_slice, serving="row",
    parameters=(
        _COLUMN,
        Parameter(name="start", kind="integer", words="the first is 1", least=1, most=1_000_000),
        Parameter(name="length", kind="integer", words="how many", least=0, most=1_000_000),
        Parameter(name="name", kind="name", words="the new column; without it the column is "
                  "replaced", required=False, default=""),
    ),
    cases=({"column": "text", "start": 2, "length": 3}, {"column": "word", "start": 1, "length": 0,
                                                         "name": "none"}),
))  # fmt: skip
register(Operation(
    name="pad_text", group="text", words="Fill {columns} up to {width} characters", plan=_pad,
    serving="row",
    parameters=(
        _COLUMNS,
        Parameter(name="width", kind="integer", words="the least width", least=0, most=1000),
        Parameter(name="fill", kind="text", words="one character", required=False, default="0"),
        Parameter(name="side", kind="choice", words="where", choices=("start", "end"),
                  required=False, default="start"),
    ),
    cases=({"columns": ["word", "text"], "width": 4}, {"columns": ["text"], "width": 9,
                                                       "fill": "é", "side": "end"}),
))  # fmt: skip
register(Operation(
    name="affix_text", group="text", words="Put {prefix} before and {suffix} behind {columns}",
    plan=_affix, serving="row",
    parameters=(
        _COLUMNS,
        Parameter(name="prefix", kind="text", words="in front", required=False, default=""),
        Parameter(name="suffix", kind="text", words="behind", required=False, default=""),
    ),
    cases=({"columns": ["word"], "prefix": "<'", "suffix": '">'},),
))  # fmt: skip
register(Operation(
    name="hash_text", group="text", words="Replace {columns} by their SHA-256", plan=_hash,
    serving="row",
    parameters=(
        Parameter(name="columns", kind="columns", words="the columns",
                  columns=("text", "integer", "number", "boolean", "date", "timestamp")),
        Parameter(name="salt", kind="text", words="goes in front of each text", required=False,
                  default=""),
    ),
    cases=({"columns": ["word", "key"], "salt": "s"},),
))  # fmt: skip
register(Operation(
    name="map_values", group="text", words="Map the values of {column}: {mapping}", plan=_map,
    serving="row",
    parameters=(
        Parameter(name="column", kind="column", words="the column",
                  columns=("text", "integer", "number", "boolean")),
        Parameter(name="mapping", kind="mapping", words="{old: new}"),
        Parameter(name="others", kind="choice", words="what becomes of others: they are kept, or "
                  "replaced by `otherwise`", choices=("keep", "replace"), required=False,
                  default="keep"),
        Parameter(name="otherwise", kind="value", words="for others; missing without it",
                  required=False),
        Parameter(name="name", kind="name", words="the new column; without it the column is "
                  "replaced", required=False, default=""),
    ),
    cases=({"column": "word", "mapping": {"a": "A", "b": None}},
           {"column": "word", "mapping": {"a": 1, "b": 2.5}, "others": "replace", "otherwise": 0,
            "name": "points"},
           {"column": "whole", "mapping": {"1": "one", "2": "two"}, "others": "replace"},
           {"column": "flag", "mapping": {"true": "yes", "false": "no"}, "others": "replace"}),
))  # fmt: skip
