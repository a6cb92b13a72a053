"""Requests are read as protobuf's JSON is."""

import json
import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import field

from athanor.tracking.mlflow.failures import MlflowError
from athanor.tracking.mlflow.records import Record, Required, read_json, read_query


class Inner(Record):
    key: Required
    value: float = 0.0


class Form(Record):
    run_id: Required
    start_time: int = 0
    value: float = 0.0
    name: str | None = None
    fine: bool = False
    points: list[Inner] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)


def read(**given: object) -> Form:
    return read_json(json.dumps({"run_id": "r"} | given).encode(), Form)


def refusal(body: bytes) -> str:
    with pytest.raises(MlflowError) as raised:
        read_json(body, Form)
    assert raised.value.status == 400
    return raised.value.message


def test_plain_and_odd_forms_mean_the_same() -> None:
    plain = read(start_time=5, value=1.5, points=[{"key": "k", "value": 2}], names=["a"])
    odd = read(startTime="5", value="1.5", points=[{"key": "k", "value": "2"}], names=["a"])
    assert plain == odd
    assert read_json(json.dumps(json.dumps({"run_id": "r"})).encode(), Form) == Form(run_id="r")


def test_what_is_unknown_or_null_is_left_out() -> None:
    assert read(start_time=None, nothing={"a": 1}, points=None) == Form(run_id="r")
    assert read_json(b'{"run_uuid": "r"}', Form) == Form(run_id="r")


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_lacks_are_texts(text: str) -> None:
    value = read(value=text).value
    assert math.isnan(value) if text == "NaN" else value == float(text.replace("inity", ""))
    for literal in (text, "1e400", "-1e400"):
        assert "parameter 'value'" in refusal(b'{"run_id": "r", "value": %s}' % literal.encode())


@pytest.mark.parametrize(
    ("given_", "named"),
    [
        ({"start_time": "x"}, "start_time"),
        ({"start_time": 1.5}, "start_time"),
        ({"start_time": 1 << 63}, "start_time"),
        ({"start_time": True}, "start_time"),
        ({"value": True}, "value"),
        ({"value": {}}, "value"),
        ({"value": 10**400}, "value"),
        ({"name": 5}, "name"),
        ({"fine": "yes"}, "fine"),
        ({"points": {}}, "points"),
        ({"points": [1]}, "points"),
        ({"names": ["a", 1]}, "names"),
        ({"labels": []}, "labels"),
    ],
)
def test_wrong_types_are_named(given_: dict[str, object], named: str) -> None:
    said = refusal(json.dumps({"run_id": "r"} | given_).encode())
    assert said.startswith("Invalid value ")
    assert f"for parameter '{named}' supplied" in said


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"x", b'{"run_id": ""}', b"\xff"])
def test_what_is_missing_is_named(body: bytes) -> None:
    assert refusal(body).startswith("Missing value for required parameter 'run_id'.")


def test_what_is_missing_in_a_list_is_named_with_its_place() -> None:
    said = refusal(b'{"run_id": "r", "points": [{"key": "k"}, {"value": 1}]}')
    assert said.startswith("Missing value for required parameter 'points[1].key'.")


def test_one_field_has_one_spelling_in_a_request() -> None:
    said = refusal(b'{"run_id": "r", "start_time": 1, "startTime": 2}')
    assert said.startswith("Request specifies both 'start_time' and 'startTime'")


def test_a_body_is_an_object() -> None:
    assert "JSON object" in refusal(b"[1]")


def test_queries_are_read_by_the_forms_types() -> None:
    query = {"run_id": ["r"], "start_time": ["7"], "fine": ["TRUE"], "names": ["a", "b"]}
    assert read_query(query, Form) == Form(run_id="r", start_time=7, fine=True, names=["a", "b"])
    with pytest.raises(MlflowError, match="must be 'true' or 'false'"):
        read_query({"run_id": ["r"], "fine": ["yes"]}, Form)


@given(st.integers(-(1 << 63), (1 << 63) - 1), st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_through_exactly(whole: int, real: float) -> None:
    for form in (read(start_time=whole, value=real), read(start_time=str(whole), value=repr(real))):
        assert (form.start_time, form.value) == (whole, real)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_whatever_is_sent_is_read_or_refused(value: object) -> None:
    for name in ("run_id", "start_time", "value", "name", "fine", "points", "names", "labels"):
        body = json.dumps({"run_id": "r"} | {name: value}).encode("utf-8", "surrogatepass")
        with suppress(MlflowError):
            read_json(body, Form)
