"""Formulas compute, and reach nothing."""

import pytest

from athanor.features.errors import BadFeatureFormula
from athanor.features.logic import formulas


@pytest.mark.parametrize(
    ("text", "row", "value"),
    [
        ("a / b", {"a": 1, "b": 4}, 0.25),
        ("a / b", {"a": 1, "b": 0}, None),
        ("a + b", {"a": None, "b": 1}, None),
        ("coalesce(a, 0) + 1", {"a": None}, 1),
        ("'big' if a > 10 else 'small'", {"a": 11}, "big"),
        ("max", {"max": 3}, 3),
        ("max(max, 5)", {"max": 3}, 5),
        ("name.strip().upper()", {"name": " x "}, "X"),
        ("days_between(a, b)", {"a": "2026-01-01", "b": "2026-01-03T12:00:00Z"}, 2.5),
        ("a in ['x', 'y']", {"a": "y"}, True),
        ("-a ** 2", {"a": 3}, -9),
        ("log(a)", {"a": 0}, None),
        ("isnull(a) or a > 2", {"a": None}, True),
    ],
)
def test_a_formula_computes(text: str, row: dict[str, object], value: object) -> None:
    assert formulas.expression("f", text)(row) == value


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "a.__class__",
        "().__class__.__bases__",
        "(lambda: 1)()",
        "[x for x in a]",
        "open('f')",
        "getattr(a, 'b')",
        "f'{a}'",
        "_plus(1, 2)",
        "a := 1",
        "import os",
        "print(1)",
        "a.format(b)",
        "eval('1')",
        "(" * 5000,
    ],
)
def test_a_formula_reaches_nothing(text: str) -> None:
    with pytest.raises(BadFeatureFormula):
        formulas.expression("f", text)


@pytest.mark.parametrize(
    "text", ["9 ** 9 ** 9", "'a' * 10 ** 9", "2 ** 100000 * 2", "[0] * 1000000", "concat(a, a) * 9"]
)
def test_a_formula_fills_no_memory(text: str) -> None:
    act = formulas.expression("f", text)
    with pytest.raises(OverflowError):
        act({"a": "x" * 9000})


def test_a_function_of_a_row_computes() -> None:
    made = formulas.function(
        "f",
        "def f(row: dict) -> dict:\n"
        "    out = {}\n"
        "    total = row['a'] + row.get('b', 0)\n"
        "    total += 1\n"
        "    if total > 3:\n"
        "        out['size'] = 'big'\n"
        "    else:\n"
        "        out['size'] = 'small'\n"
        "    return out\n",
    )
    assert made({"a": 1, "b": 5}) == {"size": "big"}
    assert made({"a": 1}) == {"size": "small"}


@pytest.mark.parametrize(
    "body",
    [
        "import os\n    return {}",
        "while True:\n        pass",
        "for x in row:\n        pass",
        "return os.environ",
        "global y\n    return {}",
        "return row.__class__",
        "def g():\n        return 1\n    return {}",
        "raise ValueError",
        "return {**row}",
    ],
)
def test_a_function_reaches_nothing(body: str) -> None:
    with pytest.raises(BadFeatureFormula):
        formulas.function("f", f"def f(row):\n    {body}\n")
