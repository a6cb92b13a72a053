"""Conditions, values, cache keys, templates, schedules, retries: pure and small."""

import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from athanor.pipelines.errors import BadCondition, BadTemplate, BadTrigger, WrongType
from athanor.pipelines.ir.spec import ComponentSpec, ContainerSpec, EnvVar, RetryPolicy
from athanor.pipelines.logic.cache import cache_key, explain, key_parts
from athanor.pipelines.logic.code import code_digest
from athanor.pipelines.logic.conditions import holds, in_words
from athanor.pipelines.logic.embedding import (
    Embedded,
    embed,
    operation_container,
    read_embedded,
    read_operation,
)
from athanor.pipelines.logic.retries import pause_before, seconds
from athanor.pipelines.logic.schedule import next_time
from athanor.pipelines.logic.templates import fill, matches
from athanor.pipelines.logic.values import as_text, fit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("inputs.parameter_values['s'] == 'heads'", True),
        ("!(inputs.parameter_values['s'] == 'heads')", False),
        ("inputs.parameter_values['s'] == 'heads' && inputs.parameter_values['n'] > 5", True),
        ("inputs.parameter_values['n'] < 5 || inputs.parameter_values['b'] == true", True),
        ("int(inputs.parameter_values['text']) >= 12", True),
        ("double(inputs.parameter_values['n']) == 7.0", True),
        ("inputs.parameter_values['b']", True),
        ("inputs.parameter_values['n'] == -1 || !false", True),
        ("inputs.parameters['s'] != \"it's\"", True),
        ("inputs.parameter_values['quote'] == 'it\\'s'", True),
        ("(((inputs.parameter_values['n'] == 7)))", True),
        ("inputs.parameter_values['b'] == 'true'", True),
    ],
)
def test_conditions_hold_as_written(text: str, *, expected: bool) -> None:
    values = {"s": "heads", "n": 7, "b": True, "text": "12", "quote": "it's"}
    assert holds(text, values) is expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 +",
        "__import__('os').system('true')",
        "inputs.parameter_values[s] == 1",
        "inputs.parameter_values['missing'] == 1",
        "'a' < 1",
        "'a'",
        "(" * 500 + "true" + ")" * 500,
        "true true",
        "int('x') == 1",
    ],
)
def test_bad_conditions_are_named_and_never_executed(text: str) -> None:
    with pytest.raises(BadCondition):
        holds(text, {"s": 1})


@given(st.text(max_size=40))
def test_no_text_breaks_the_condition_reader(text: str) -> None:
    with contextlib.suppress(BadCondition):
        assert holds(text, {"x": 1}) in {True, False}


@given(st.text())
def test_a_constant_in_quotes_cannot_leave_them(value: str) -> None:
    assert holds("inputs.parameter_values['x'] == 'secret'", {"x": value}) is (value == "secret")


def test_a_condition_is_told_in_words() -> None:
    channel = "pipelinechannel--gate--passed"
    text = f"inputs.parameter_values['{channel}'] == true || int(inputs.parameters[\"n\"]) > 3"
    told = "gate.passed == true || int(n) > 3 (false, 2)"
    assert in_words(text, {channel: False, "n": 2}) == told
    assert in_words("1 == 2", {}) == "1 == 2"


@pytest.mark.parametrize(
    ("value", "kind", "fitted"),
    [
        (5.0, "NUMBER_INTEGER", 5),
        (5, "NUMBER_DOUBLE", 5.0),
        (True, "BOOLEAN", True),
        ([1], "LIST", [1]),
        ({"a": 1}, "STRUCT", {"a": 1}),
        (None, "STRING", None),
        ("x", "", "x"),
    ],
)
def test_values_fit_their_type(value: Any, kind: str, fitted: Any) -> None:
    found = fit(value, kind, "here", "x")
    assert found == fitted
    assert type(found) is type(fitted)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (5.5, "NUMBER_INTEGER"),
        (True, "NUMBER_INTEGER"),
        ("5", "NUMBER_INTEGER"),
        (float("nan"), "NUMBER_DOUBLE"),
        (1, "BOOLEAN"),
        (1, "STRING"),
        ({}, "LIST"),
        ([], "STRUCT"),
    ],
)
def test_other_values_do_not_fit(value: Any, kind: str) -> None:
    with pytest.raises(WrongType):
        fit(value, kind, "here", "x")


def test_numbers_in_texts() -> None:
    assert [as_text(value) for value in (5.0, 5.5, 1e-9, None, "a", True, [1, 2.5])] == [
        "5",
        "5.5",
        "0.000000001",
        "",
        "a",
        "true",
        "[1, 2.5]",
    ]


def test_layout_and_comments_do_not_change_code() -> None:
    one = 'def f(x):\n    """Says."""\n    return x + 1  # more\n'
    two = "def f( x ):\n\n    return (x + 1)\n"
    assert code_digest(one) == code_digest(two)
    assert code_digest(one) != code_digest(one.replace("1", "2"))
    assert code_digest("def (") == code_digest("def (")


def _parts(source: str = "def f(): pass", **changes: Any) -> dict[str, str]:
    container = embed(Embedded(function="f", source=source, lines=[(1, changes.pop("line", 1))]))
    given: dict[str, Any] = {
        "parameters": {"x": 1},
        "digests": {"t": ["sha256:aa"]},
        "environment": {"python": "3.11"},
    } | changes
    return key_parts(ComponentSpec(), container, *given.values())


def test_a_key_depends_on_all_its_parts_and_on_nothing_else() -> None:
    base = cache_key(_parts())
    assert cache_key(_parts(line=40)) == base
    assert cache_key(_parts("def f():\n    pass\n")) == base
    others = [
        _parts("def f(): return 1"),
        _parts(parameters={"x": 2}),
        _parts(parameters={"x": 1, "y": None}),
        _parts(digests={"t": ["sha256:bb"]}),
        _parts(environment={"python": "3.12"}),
    ]
    keys = {cache_key(parts) for parts in others}
    assert len(keys) == len(others)
    assert base not in keys


@given(st.dictionaries(st.text(), st.text()), st.dictionaries(st.text(), st.text()))
def test_an_explanation_is_empty_exactly_when_keys_are_equal(
    now: dict[str, str], before: dict[str, str]
) -> None:
    assert (explain(now, before) == []) is (cache_key(now) == cache_key(before))


def test_an_explanation_says_what_changed() -> None:
    told = explain(_parts(parameters={"x": 2, "z": 0}), _parts(parameters={"x": 1, "y": 0}))
    assert told == [
        "parameter x changed: 1 -> 2",
        "parameter y is gone: it was 0",
        "parameter z is new: 0",
    ]
    assert "no earlier run" in explain(_parts(), None)[0]


@given(
    st.builds(
        Embedded,
        function=st.from_regex(r"[a-z]{1,8}", fullmatch=True),
        source=st.text(),
        file=st.text(),
        lines=st.lists(st.tuples(st.integers(1, 99), st.integers(1, 99))),
        modules=st.dictionaries(st.text(), st.text()),
        outputs=st.lists(st.text()),
        seed=st.integers(0, 2**32),
        timeout=st.floats(0, 1e6),
    )
)
def test_what_is_embedded_comes_out_again(embedded: Embedded) -> None:
    container = embed(embedded)
    assert read_embedded(container) == embedded
    assert read_operation(container) is None


def test_other_containers_are_told_apart() -> None:
    assert read_embedded(ContainerSpec(image="alpine", command=["echo"])) is None
    assert read_operation(operation_container("model.register")) == "model.register"
    env = ContainerSpec(env=[EnvVar(name="A", value="1")], args=["--athanor_step", "not json"])
    assert read_embedded(env) is None


def test_templates_take_what_the_event_has() -> None:
    event = {"dataset": "churn", "version": 3, "deep": {"x": [1]}}
    wanted = {"data": "dataset:{event.dataset}@{event.version}", "n": "{event.version}", "l": ["a"]}
    assert fill(wanted, event) == {"data": "dataset:churn@3", "n": 3, "l": ["a"]}
    assert fill("{event.deep.x}", event) == [1]
    assert fill("{other} {event.}", event) == "{other} {event.}"
    with pytest.raises(BadTemplate, match="datset"):
        fill("{event.datset}", event)
    with pytest.raises(BadTemplate):
        fill("{event.__class__}", event)


def test_events_match_by_their_fields() -> None:
    event = {"dataset": "churn", "deep": {"x": 1}}
    assert matches({}, event)
    assert matches({"dataset": ["a", "churn"], "deep.x": 1}, event)
    assert not matches({"dataset": "fraud"}, event)
    assert not matches({"other": None}, event)


def test_schedules_are_in_utc() -> None:
    start = datetime(2026, 1, 1, 5, 30, tzinfo=UTC)
    assert next_time("0 6 * * *", start) == datetime(2026, 1, 1, 6, tzinfo=UTC)
    assert next_time("@daily", start) == datetime(2026, 1, 2, tzinfo=UTC)
    for bad in ("", "every day", "61 * * * *", "0 0 31 2 *"):
        with pytest.raises(BadTrigger):
            next_time(bad, start)


def test_pauses_grow_up_to_the_longest() -> None:
    policy = RetryPolicy(backoff_duration="1s", backoff_factor=3.0, backoff_max_duration="10s")
    assert [pause_before(policy, failures) for failures in range(4)] == [1, 3, 9, 10]
    assert pause_before(RetryPolicy(), 5) == 0
    assert pause_before(RetryPolicy(backoff_duration="1s"), 10_000) == 3600
    assert seconds("soon") == 0
