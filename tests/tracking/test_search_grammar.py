"""Filters, orders and page tokens: MLflow's grammar, and whatever else callers send."""

import base64
import contextlib
import json
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from athanor.tracking.errors import BadSearch
from athanor.tracking.logic import search
from athanor.tracking.searches import Comparison, Order

FILTERS: dict[str, Callable[[str], tuple[Comparison, ...]]] = {
    "run": search.run_filter,
    "experiment": search.experiment_filter,
    "model": search.model_filter,
    "version": search.version_filter,
    "logged": search.logged_model_filter,
}
ORDERS: dict[str, Callable[[list[str]], tuple[Order, ...]]] = {
    "run order": search.run_orders,
    "experiment order": search.experiment_orders,
    "model order": search.model_orders,
    "version order": search.version_orders,
}
MLFLOW = Path(__file__).parents[2] / ".venvs" / "mlflow" / "bin" / "python"
PIECES = [
    *("metrics.loss", "params.lr", "tags.`a b`", "attributes.status", "run_id", "name", "a.b.c"),
    *("'x'", '"x"', "`x`", "1", "-2.5", "1e9", "1e400", "(", ")", "('a', 'b')", "()", ",", ";"),
    *("=", "!=", "<", ">=", "LIKE", "ilike", "IN", "NOT IN", "IS NULL", "is not null", "AND"),
    *("OR", "NOT", "'", '"', "`", "\\", "\\'", "--", "/*", "\x00", "\ud800", "é", "名", "\n", "."),
]
TEXTS = st.one_of(
    st.text(max_size=80),
    st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join),
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
)


def one(
    entity: Any, key: str, operator: str, value: str | float | tuple[str, ...] | None
) -> tuple[Comparison, ...]:
    return (Comparison(entity=entity, key=key, operator=operator, value=value),)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", ()),
        ("metrics.loss < 0.1", one("metric", "loss", "<", 0.1)),
        ("metric.loss>=-1e400", one("metric", "loss", ">=", float("-inf"))),
        ("params.`batch size` = '32'", one("parameter", "batch size", "=", "32")),
        ('parameters."batch size" != "32"', one("parameter", "batch size", "!=", "32")),
        ("tags.mlflow.user like 'A%'", one("tag", "mlflow.user", "LIKE", "A%")),
        ("tag.'a' ILIKE 'b'", one("tag", "a", "ILIKE", "b")),
        ("params.lr IS NOT NULL", one("parameter", "lr", "IS NOT NULL", None)),
        ("status = 'RUNNING'", one("attribute", "status", "=", "RUNNING")),
        ("Created > 5", one("attribute", "start_time", ">", 5)),
        ("attr.`Run name` = 'x'", one("attribute", "run_name", "=", "x")),
        ("run_id NOT IN ('a', \"b\",)", one("attribute", "run_id", "NOT IN", ("a", "b"))),
        ("datasets.context IN ('train')", one("dataset", "context", "IN", ("train",))),
        ("params.order = 'AND'", one("parameter", "order", "=", "AND")),
        ("tags.a = 'it''s'", one("tag", "a", "=", "it''s")),
    ],
)
def test_a_filter_of_runs_means(text: str, meant: tuple[Comparison, ...]) -> None:
    assert search.run_filter(text) == meant


def test_conditions_hold_together_with_and_without_an_and() -> None:
    with_and = search.run_filter("metrics.a > 1 AND params.b = 'c' and tags.d IS NULL")
    assert [each.key for each in with_and] == ["a", "b", "d"]
    assert search.run_filter("metrics.a > 1 params.b = 'c' tags.d IS NULL") == with_and


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("metrics.a > 1 OR metrics.b > 1", "Invalid clause(s) in filter string: 'OR'"),
        ("(metrics.a > 1)", "Invalid clause(s) in filter string: '(metrics.a > 1)'"),
        ("tags.a = 'x", "Invalid clause(s) in filter string: 'tags.a', '=', ''', 'x'"),
        ("metrics.a > 'x'", "Expected numeric value type for metric. Found 'x'"),
        ("params.a = 1", "Expected a quoted string value for parameter (e.g. 'my-value')"),
        ("params.a = b", "Parameter value is either not quoted or unidentified quote types"),
        ("foo.a = 'x'", "Invalid entity type 'foo'. Valid values are ['metric', 'parameter',"),
        ("duration > 1", "Invalid attribute key 'duration' specified. Valid keys are"),
        ("start_time > 'x'", "Expected numeric value type for numeric attribute: start_time"),
        ("datasets.rows = '1'", "Invalid dataset key 'rows' specified"),
        ("status IN ('a')", "Only ['run_id'] attributes support comparison with a list"),
        ("run_id IN ()", "expected a non-empty list of string values, but got empty list"),
        ("run_id IN (a)", "but got ill-formed list"),
        ("metrics.a LIKE 1", "Invalid comparator 'LIKE' not one of"),
        ("params.a < 'x'", "Invalid comparator '<' not one of"),
        ("metrics.a IS NULL", "IS NULL / IS NOT NULL is only supported for tags and params"),
        ("'a' = 'b'", "Invalid comparison clause. Expected 'Identifier' found ''a''"),
        ("params.a = 'x'; DROP TABLE runs", "Search filter contained multiple expression"),
        ("   ", "Could not be parsed."),
        ("params.a = '\x00'", "NUL"),
        ("params.a = '\ud800'", "Unicode"),
    ],
)
def test_a_filter_of_runs_is_refused_in_mlflow_s_words(text: str, message: str) -> None:
    with pytest.raises(BadSearch) as refused:
        search.run_filter(text)
    assert message in refused.value.message
    assert refused.value.status == 400


def test_orders_end_with_what_breaks_ties() -> None:
    def shown(orders: tuple[Order, ...]) -> list[tuple[str, str, bool]]:
        return [(order.entity, order.key, order.ascending) for order in orders]

    assert shown(search.run_orders(["metrics.`a b` desc", "Created"])) == [
        ("metric", "a b", False),
        ("attribute", "start_time", True),
        ("attribute", "run_id", True),
    ]
    assert shown(search.model_orders(["timestamp DESC"])) == [
        ("attribute", "last_updated_timestamp", False),
        ("attribute", "name", True),
    ]
    newest = {"field_name": "metrics.acc", "ascending": False, "dataset_name": "d"}
    first, *ties = search.logged_model_orders([newest])
    assert (first.entity, first.key, first.ascending, first.dataset) == (
        *("metric", "acc", False),
        "d",
    )
    assert [tie.key for tie in ties] == ["creation_timestamp", "model_id"]


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ("metrics.a b c", "Could not be parsed."),
        ("start_time DESC NULLS LAST", "Could not be parsed."),
        ("metrics.a upwards", "Invalid ordering key in order_by clause 'metrics.a upwards'."),
        ("duration", "Invalid attribute key 'duration' specified."),
        ("datasets.name", "Invalid identifier type 'dataset'"),
        ("", "Could not be parsed."),
    ],
)
def test_an_order_of_runs_is_refused(order: str, message: str) -> None:
    with pytest.raises(BadSearch) as refused:
        search.run_orders([order])
    assert message in refused.value.message


def test_a_key_sorts_once() -> None:
    with pytest.raises(BadSearch, match="duplicate fields"):
        search.run_orders(["Created", "start_time DESC"])


@given(st.integers(1, 2**60))
def test_a_page_token_leads_to_its_offset(offset: int) -> None:
    assert search.page_offset(search.page_token(offset)) == offset


def test_page_tokens_are_mlflow_s() -> None:
    assert search.page_token(100) == base64.b64encode(b'{"offset": 100}').decode()
    assert search.page_offset("") == 0


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "é",
        base64.b64encode(b"nonsense").decode(),
        base64.b64encode(b"[]").decode(),
        base64.b64encode(b'{"offset": -1}').decode(),
        base64.b64encode(b'{"offset": 1e400}').decode(),
        base64.b64encode(b'{"offset": [1]}').decode(),
        base64.b64encode(b'{"offset": "x"}').decode(),
        base64.b64encode(b"[" * 10_000).decode(),
    ],
)
def test_a_broken_page_token_is_refused(token: str) -> None:
    with pytest.raises(BadSearch):
        search.page_offset(token)
    with pytest.raises(BadSearch):
        search.bound_page_offset(token, {"experiment_ids": ["1"]})


def test_a_bound_token_serves_its_own_search_alone() -> None:
    asked = {"experiment_ids": ["1", "2"], "filter_string": "name = 'a'", "order_by": None}
    token = search.bound_page_token(7, asked)
    assert search.bound_page_offset(token, asked) == 7
    changes: list[dict[str, Any]] = [
        {"experiment_ids": ["1"]},
        {"filter_string": None},
        {"order_by": [{}]},
    ]
    for change in changes:
        with pytest.raises(BadSearch, match=r"do(es)? not match"):
            search.bound_page_offset(token, asked | change)


# --- hostile texts -------------------------------------------------------------------------------


def _outcome(read: Callable[[Any], tuple[Any, ...]], text: object) -> tuple[tuple[Any, ...], str]:
    """What was read, or the refusal's message."""
    try:
        return read(text), ""
    except BadSearch as refusal:
        return (), refusal.message


@given(TEXTS)
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in FILTERS.values():
        found, message = _outcome(read, text)
        assert all(isinstance(each, Comparison) for each in found)
        assert len(message) < 5_000
    for order in ORDERS.values():
        found, message = _outcome(order, [text])
        assert all(isinstance(each, Order) for each in found)
        assert len(message) < 5_000


@given(st.text(max_size=200))
def test_any_page_token_is_read_or_refused(token: str) -> None:
    for read in (search.page_offset, lambda text: search.bound_page_offset(text, {})):
        with contextlib.suppress(BadSearch):
            assert read(token) >= 0


HOSTILE = [
    "(" * 10_000,
    "('" * 5_000,
    "run_id IN " + "(" * 5_000 + "'a'" + ")" * 5_000,
    "'" * 9_999,
    "\\'" * 5_000,
    '"' * 9_999,
    "`" * 9_999,
    "[" * 10_000,
    "metrics." + "a." * 5_000 + "a > 1",
    "metrics.a > " + "9" * 10_000,
    "start_time > " + "9" * 10_000,
    "params." + "x" * 10_000 + " = '" + "y" * 10_000 + "'",
    "params.a = 'b' AND " * 500,
    "run_id IN (" + "'a'," * 20_000 + ")",
    "run_id IN ('" + "\\" * 10_000,
    "not " * 5_000,
    "not" + " " * 10_000,
    "metrics.a > 1" + " " * 10_000 + ";",
    "1." * 5_000,
    "-" * 10_000,
    "\x00" * 10_000,
    "\ud800" * 10_000,
    "名前." * 3_000,
    "=" * 10_000,
    "a = " * 5_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:24]))
def test_hostile_texts_get_a_short_answer(text: str) -> None:
    for read in FILTERS.values():
        assert len(_outcome(read, text)[1]) < 20_000
    for order in ORDERS.values():
        assert len(_outcome(order, [text])[1]) < 20_000


@pytest.mark.parametrize("piece", PIECES, ids=repr)
def test_time_grows_with_the_length(piece: str) -> None:
    def seconds(text: str) -> float:
        started = time.thread_time()
        for read in FILTERS.values():
            _outcome(read, text)
        return time.thread_time() - started

    # Sixteen times the length: a reader that tries again and again would need hours.
    short, long = seconds(piece * 250), seconds(piece * 4_000)
    assert long < 20 + 100 * short


# --- the same as MLflow itself -------------------------------------------------------------------


WIDE = ["metrics", "metric", "params", "param", "parameters", "tags", "tag", "attributes", "attr"]
WIDE += ["run", "dataset", "datasets", "Metrics", "foo", "`metrics`"]
NARROW = ["tags", "tag", "attribute", "tags", "tag", "attribute", "attributes"]
LOGGED = ["metrics", "params", "tags", "attributes", "tag", "foo"]
KEYS = ["a", "loss_1", "`a b`", '"a b"', "'a'", "mlflow.user", "`a.b`", "order", "_x", "à"]
COLUMNS = {
    "run": [
        *("status", "start_time", "end_time", "run_id", "run_name", "user_id", "artifact_uri"),
        *("created", "Created", "`run name`", "duration", "name"),
    ],
    "experiment": ["name", "experiment_id", "creation_time", "last_update_time", "tags"],
    "model": ["name", "`name`", "timestamp", "last_updated_timestamp", "description"],
    "version": ["name", "version_number", "run_id", "source_path", "creation_timestamp", "stage"],
    "logged": ["name", "model_id", "model_type", "source_run_id", "creation_timestamp", "status"],
}
DATASETS = ["name", "digest", "context", "rows"]
TEXT_VALUES = ["'x'", "''", "'it''s'", "'%a_'", "'5'", "'x y'", "'AND'"]
NUMBERS = ["1", "-1.5", ".5", "5.", "1e3", "12345678901234567168", "0"]
LISTS = ["('a', 'b')", "('a')", "('a' 'b',)", "()", "(1)", "( 'x' )", "('1', '2')"]
ODD = ["x", "`x`", "NULL", *TEXT_VALUES, *NUMBERS, *LISTS]
JOINS = [" and ", "  AND\n", " OR ", ", ", " AND AND "]


def _condition(dice: random.Random, subject: str) -> str:
    entity = dice.choice({"run": WIDE, "logged": LOGGED}.get(subject, NARROW))
    key = dice.choice(KEYS)
    attribute = entity in {"attribute", "attributes", "attr", "run"} or dice.random() < 0.3
    if attribute and dice.random() < 0.9:
        key = dice.choice(COLUMNS[subject])
    elif entity.startswith("dataset"):
        key = dice.choice(DATASETS)
    name = key if attribute and dice.random() < 0.7 else f"{entity}.{key}"
    if dice.random() < 0.08 and subject != "logged":
        return f"{name} {dice.choice(['IS NULL', 'IS NOT NULL', 'is null'])}"
    number = entity in {"metric", "metrics", "`metrics`"} or "time" in key or key[:4] == "vers"
    operators = ["=", "!=", "<", "<=", ">", ">="] if number else ["=", "!=", "LIKE", "ILIKE"]
    values = NUMBERS if number else TEXT_VALUES
    kind = dice.random()
    if kind < 0.1:
        operators, values = ["IN", "NOT IN"], LISTS
    elif kind < 0.2:
        operators = ["=", "<", "LIKE", "IN", "NOT IN", "==", "<>", "~", "NOT LIKE", "BETWEEN"]
        values = ODD
    operator, value = dice.choice(operators), dice.choice(values)
    # Taken here and not there: lower case for experiments, other quotes for logged models.
    if subject not in {"experiment", "logged"} and dice.random() < 0.2:
        operator = operator.lower()
    if subject == "logged":
        name = name.replace("'", "`").replace('"', "`")
        value = {"()": "('a')", "(1)": "('a')"}.get(value, value)
    elif value[0] == "'" and dice.random() < 0.2:
        value = value.replace("'", '"')
    space = "" if operator in {"=", "!=", "<"} and dice.random() < 0.2 else " "
    return f"{name}{space}{operator}{space}{value}"


def _generated(count: int) -> Iterator[tuple[str, str]]:
    dice = random.Random(20261121)
    for _ in range(count):
        subject = dice.choice(list(FILTERS))
        text = _condition(dice, subject)
        for _ in range(dice.choice([0, 0, 0, 1, 2])):
            join = dice.choice(JOINS) if dice.random() < 0.3 else " AND "
            text += join + _condition(dice, subject)
        yield subject, text
    for _ in range(count // 4):
        subject = dice.choice(list(ORDERS))
        entity = dice.choice(["", "", *(f"{kind}." for kind in [*WIDE, *NARROW])])
        key = dice.choice([*KEYS, *COLUMNS[subject.split()[0]] * 2])
        direction = dice.choice(["", "", " ASC", " desc", "  DESC", " up", " DESC x", " "])
        yield subject, f"{entity}{key}{direction}"


def _ours(subject: str, text: str) -> Any:
    try:
        if subject in FILTERS:
            return [
                [each.entity, each.key, each.operator, each.value]
                for each in FILTERS[subject](text)
            ]
        first = ORDERS[subject]([text])[0]
        return [first.entity, first.key, first.ascending]
    except BadSearch:
        return None


def _through_json(answer: Any) -> Any:
    return json.loads(json.dumps(answer))


@pytest.mark.skipif(not MLFLOW.exists(), reason="no MLflow of its own to compare with")
def test_mlflow_reads_thousands_of_filters_and_orders_alike() -> None:
    asked = sorted(set(_generated(4_000)))
    done = subprocess.run(
        [str(MLFLOW), str(Path(__file__).with_name("mlflow_grammar.py"))],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=150,
        check=True,
    )
    theirs = json.loads(done.stdout)
    read = sum(answer is not None for answer in theirs)
    assert len(asked) > 3_000
    assert len(asked) * 0.1 < read < len(asked) * 0.9
    differing = [
        (subject, text, mlflow, ours)
        for (subject, text), mlflow in zip(asked, theirs, strict=True)
        if _through_json(ours := _ours(subject, text)) != mlflow
    ]
    assert differing == []
