"""YAML that strangers wrote never ends the process, nor takes all of its memory."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as some

from athanor.kernel.documents import read_yaml, read_yamls

PLAIN = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=20),
    lambda inner: (
        some.lists(inner, max_size=4) | some.dictionaries(some.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(PLAIN)
def test_what_was_written_is_read(value: object) -> None:
    assert read_yaml(yaml.safe_dump(value)) == value


def test_documents_of_one_text_are_told_apart() -> None:
    assert read_yamls("a: 1\n---\n- 2\n") == [{"a": 1}, [2]]
    assert read_yaml("") is None
    with pytest.raises(yaml.YAMLError, match="more than one document"):
        read_yaml("a: 1\n---\nb: 2\n")


@pytest.mark.parametrize("text", ["[" * 200_000, "- " * 200_000 + "a", "{a: " * 200_000])
def test_what_is_nested_without_end_is_refused(text: str) -> None:
    with pytest.raises(yaml.YAMLError, match="nested deeper than 200 levels"):
        read_yaml(text)


def test_aliases_that_stand_for_too_much_are_refused() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(yaml.YAMLError, match="stands for more than 1,000,000 values"):
        read_yaml("\n".join(lines))
    with pytest.raises(yaml.YAMLError, match="refers to itself"):
        read_yaml("a: &a [*a]")


@pytest.mark.parametrize("text", ["a: !!python/object:os.system x", "{", b"\xff\xfe\x00"])
def test_what_is_no_plain_yaml_is_refused(text: str | bytes) -> None:
    with pytest.raises(yaml.YAMLError):
        read_yaml(text)
