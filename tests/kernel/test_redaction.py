"""Secrets are masked by the name of their key and by their form; nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from athanor.kernel import redact
from athanor.kernel.redaction import MASK


@pytest.mark.parametrize("key", ["password", "api_key", "AWS_SECRET_ACCESS_KEY", "auth.token"])
def test_keys_that_name_secrets(key: str) -> None:
    assert redact({key: "hunter2", "other": {"deep": [{key: 1}]}}) == {
        key: MASK,
        "other": {"deep": [{key: MASK}]},
    }


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://user:hunter2@host/db",
        "Authorization: Bearer abcdefghijklmnop",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijk",
    ],
)
def test_values_that_look_like_secrets(text: str) -> None:
    assert MASK in redact(text)
    assert "hunter2" not in redact(text)


@given(st.recursive(st.none() | st.integers() | st.floats() | st.text("abc 123"), st.lists))
def test_the_rest_stays_as_it_is(value: object) -> None:
    assert repr(redact(value)) == repr(value)
