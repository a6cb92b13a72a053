"""A run's code and environment as tags, and back."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from athanor.kernel import provenance
from athanor.tracking.logic.provenance import facts_of, tags_of
from athanor.tracking.run_context import SWITCH, RunContext

TEXT = st.text(max_size=20_000)


@given(
    diff=TEXT,
    arguments=st.lists(st.text(max_size=50), max_size=20),
    dirty=st.booleans(),
    packages=st.lists(st.text(max_size=30), max_size=300),
)
def test_tags_give_the_facts_back(
    diff: str, arguments: list[str], dirty: bool, packages: list[str]
) -> None:
    code: dict[str, Any] = {"diff": diff, "arguments": arguments, "dirty": dirty}
    environment: dict[str, Any] = {"packages": packages, "python": "3.13.1"}
    tags = tags_of(code, environment)
    assert all(len(value) <= 8_000 and len(key) <= 250 for key, value in tags.items())
    assert facts_of(tags) == (code | {"told_by": "athanor"}, environment)


def test_what_does_not_fit_is_cut_and_said() -> None:
    tags = tags_of({"diff": "x" * 100_000, "diff_cut": False}, {})
    code, _ = facts_of(tags)
    assert code["diff_cut"] is True
    assert len(code["diff"]) == 30_000


def test_mlflows_own_tags_are_all_that_a_bare_client_tells() -> None:
    code, environment = facts_of(
        {"mlflow.source.name": "train.py", "mlflow.source.git.commit": "abc", "team": "a"}
    )
    assert code == {"entry_point": "train.py", "commit": "abc", "told_by": "mlflow"}
    assert environment == {}
    assert facts_of({"team": "a"}) == ({}, {})


def test_strange_tags_of_ours_hurt_nobody() -> None:
    code, _ = facts_of({"athanor.code.arguments": "[1,", "athanor.code.": "x", "athanor.code": "y"})
    assert code == {"arguments": "[1,", "told_by": "athanor"}


def test_the_provider_says_what_the_process_runs(monkeypatch: Any) -> None:
    context = RunContext()
    assert context.in_context()
    tags = context.tags()
    assert tags["athanor.env.python"]
    assert len(tags) <= 40
    monkeypatch.setenv(SWITCH, "0")
    assert not context.in_context()


def test_the_provider_never_fails(monkeypatch: Any) -> None:
    def broken() -> dict[str, Any]:
        raise OSError("no")

    monkeypatch.setattr(provenance, "code", broken)
    assert RunContext().tags() == {}
