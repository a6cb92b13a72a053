"""Random filters and orders: MLflow's grammars, and what lies beside them."""

import random
from collections.abc import Mapping, Sequence

Keys = Mapping[str, Sequence[str]]

WORDS = {
    "runs": {
        "text": [
            *("status", "run_name", "user_id", "run_id", "artifact_uri", "attributes.status"),
            *("attribute.run_name", "attr.user_id", "run.status", "`run name`", "Run name"),
            *("datasets.name", "dataset.digest", "datasets.context", 'attributes."run name"'),
        ],
        "number": ["start_time", "end_time", "attributes.start_time", "created", "Created"],
        "metric": ["metrics.loss", "metric.acc", "metrics.`a b`", 'metrics."loss"', "metrics.a.b"],
        "param": ["params.lr", "param.opt", "parameters.`x y`", "parameter.lr", "params.none"],
        "tag": ["tags.team", "tag.`a.b`", 'tags."team"', "tags.mlflow.runName", "tags.none"],
    },
    "experiments": {
        "text": ["name", "attribute.name", "attributes.name", "attr.name", "experiment_id"],
        "number": ["creation_time", "last_update_time", "attribute.creation_time"],
        "tag": ["tags.team", "tag.`a.b`", "tags.none", 'tags."team"'],
    },
    "registered-models": {
        "text": ["name", "attribute.name", "attributes.name"],
        "number": ["creation_timestamp", "last_updated_timestamp"],
        "tag": ["tags.team", "tag.`a.b`", "tags.none", 'tags."team"'],
    },
    "model-versions": {
        "text": ["name", "run_id", "source_path", "attribute.name", "attributes.run_id"],
        "number": ["version_number", "creation_timestamp", "attributes.version_number"],
        "tag": ["tags.team", "tag.`a.b`", "tags.none"],
    },
    "logged-models": {
        "text": ["name", "model_id", "model_type", "status", "source_run_id", "attributes.name"],
        "number": ["creation_timestamp", "last_updated_timestamp", "creation_time"],
        "metric": ["metrics.loss", "metrics.acc", "metrics.`a b`"],
        "param": ["params.lr", "params.opt", "params.`x y`"],
        "tag": ["tags.team", "tags.`a.b`", "tags.none"],
    },
}
_ODD_WORDS = [
    *("nothing", "metrics", "metrics.", ".loss", "tags..a", "`name`", '"name"', "'name'", "x.y.z"),
    *("duration", "attributes.nothing", "METRICS.loss", "Tags.team", "stage", "current_stage"),
]
_TEXT_OPERATORS = ["=", "!=", "LIKE", "ILIKE", "IN", "NOT IN"]
_NUMBER_OPERATORS = ["=", "!=", ">", ">=", "<", "<="]
_ODD_OPERATORS = ["==", "<>", "~", "IS", "BETWEEN", "=>", "", "IS NULL", "IS NOT NULL", "NOT LIKE"]
TEXTS = [
    *(
        "adam",
        "sgd",
        "Adam",
        "a_b",
        "a%b",
        "0.1",
        "",
        "x y",
        "FINISHED",
        "RUNNING",
        "ann",
        "e\u0301",
    ),
    *(
        "\u00e9",
        "\u65e5\u672c",
        "it''s",
        'say "hi"',
        "a`b",
        "%",
        "_",
        "%a%",
        "A%",
        "train",
        "finished",
    ),
]
NUMBERS = [
    *("0", "1", "0.5", "-1", "1e3", "-0.0", "1700000000000", "9223372036854775807", "1e308", "1."),
    *("99999999999999999999", "1e400", ".5", "+1", "0x10", "nan", "NaN", "inf", "1_000", "1 000"),
]


def a_filter(dice: random.Random, kind: str) -> str:
    """A filter of one of the searches; one in four is odd."""
    if dice.random() < 0.08:
        return dice.choice(
            [
                *("", " ", ";", "AND", "name", "=", "a = b = c", "metrics.loss > ", "'", '"', "`"),
                *("(name = 'a')", "name = 'a' OR name = 'b'", "NOT name = 'a'", "name = 'a' AND"),
                *(
                    "AND name = 'a'",
                    "name = 'a';",
                    "name = 'a' -- x",
                    "name = 'a' /* x */",
                    "1 = 1",
                ),
                *("name = 'a', name = 'b'", "name='a'", "name = 'a' and name != 'b'", "SELECT 1"),
                *("name = 'a'; DROP TABLE runs", "name = 'a' \x00", "name LIKE 'a' ESCAPE 'b'"),
                *("params.lr = 'x' AND (params.opt = 'y')", "name = \u2018a\u2019", "name\t=\n'a'"),
                *(
                    "status = 'RUNNING' AND status = 'FINISHED'",
                    "name IS NULL",
                    "tags.a IS  NOT  NULL",
                ),
            ]
        )
    count = dice.choice([1, 1, 1, 2, 2, 3])
    joint = dice.choice([" AND ", " and ", "  AND  ", " And "])
    return joint.join(_condition(dice, kind) for _ in range(count))


def _condition(dice: random.Random, kind: str) -> str:
    words = WORDS[kind]
    sort = dice.choice(sorted(words))
    key = dice.choice(words[sort]) if dice.random() < 0.93 else dice.choice(_ODD_WORDS)
    if sort in {"tag", "param"} and dice.random() < 0.2:
        return f"{key} {dice.choice(['IS NULL', 'IS NOT NULL', 'is null', 'Is Not Null'])}"
    numeric = sort in {"number", "metric"}
    operator = dice.choice(_NUMBER_OPERATORS if numeric else _TEXT_OPERATORS)
    if dice.random() < 0.07:
        operator = dice.choice(_ODD_OPERATORS + _TEXT_OPERATORS + _NUMBER_OPERATORS)
    value = _value(dice, operator, numeric=numeric)
    space = "" if operator in _NUMBER_OPERATORS and dice.random() < 0.15 else " "
    return f"{key}{space}{operator}{space}{value}"


def _value(dice: random.Random, operator: str, *, numeric: bool) -> str:
    if operator.upper().endswith("IN"):
        inner = [_quoted(dice) for _ in range(dice.choice([0, 1, 1, 2, 3]))]
        if dice.random() < 0.1:
            inner.append(dice.choice(NUMBERS))
        comma = dice.choice([", ", ",", " , "])
        odd = dice.random()
        if odd < 0.05:
            return comma.join(inner)
        return f"({comma.join(inner)}{',' if odd < 0.15 else ''})"
    if operator.upper().endswith("NULL"):
        return ""
    if numeric != (dice.random() < 0.08):
        return dice.choice(NUMBERS[:6] if dice.random() < 0.7 else NUMBERS)
    return _quoted(dice)


def _quoted(dice: random.Random) -> str:
    text = dice.choice(TEXTS)
    quote = dice.choices(["'", '"', "", "`"], [85, 10, 3, 2])[0]
    return f"{quote}{text}{quote}"


def orders(dice: random.Random, kind: str) -> list[str]:
    """An order_by of one of the searches."""
    words = [word for some in WORDS[kind].values() for word in some]
    out = []
    for _ in range(dice.choice([0, 0, 1, 1, 2, 3])):
        key = dice.choice(words) if dice.random() < 0.92 else dice.choice(_ODD_WORDS)
        tail = dice.choices(
            ["", " ASC", " DESC", " asc", " desc", "  DESC ", " DOWN", " ASC DESC", ",", " DESC;"],
            [30, 20, 20, 5, 5, 3, 1, 1, 1, 1],
        )[0]
        out.append(key + tail)
    if out and dice.random() < 0.05:
        out.append(out[0])
    return out
