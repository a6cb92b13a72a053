"""Names of metrics are understood, odd series break nothing, and sound shapes give no hint."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from athanor.tracking.logic.debug.judgements import Rule
from athanor.tracking.logic.debug.rules import judged
from athanor.tracking.logic.debug.series import Kind, Role, Series, Told, named


@pytest.mark.parametrize(
    ("key", "role", "kind", "measure"),
    [
        ("loss", Role.TRAIN, Kind.LOSS, "loss"),
        ("val_loss", Role.HELD_OUT, Kind.LOSS, "loss"),
        ("train_loss_epoch", Role.TRAIN, Kind.LOSS, "loss"),
        ("train-logloss", Role.TRAIN, Kind.LOSS, "logloss"),
        ("validation_0-logloss", Role.HELD_OUT, Kind.LOSS, "logloss"),
        ("valid_0-binary_logloss", Role.HELD_OUT, Kind.LOSS, "binary_logloss"),
        ("training-l2", Role.TRAIN, Kind.LOSS, "l2"),
        ("eval-rmse", Role.HELD_OUT, Kind.LOSS, "rmse"),
        ("accuracy", Role.TRAIN, Kind.SCORE, "accuracy"),
        ("val_accuracy", Role.HELD_OUT, Kind.SCORE, "accuracy"),
        ("training_accuracy_score", Role.TRAIN, Kind.SCORE, "accuracy_score"),
        ("training_log_loss", Role.TRAIN, Kind.LOSS, "log_loss"),
        ("MLPClassifier_score_X_test", Role.HELD_OUT, Kind.SCORE, "score"),
        ("grad_2.0_norm_total", Role.TRAIN, Kind.GRADIENT, "grad_0_norm_total"),
        ("grad_norm", Role.TRAIN, Kind.GRADIENT, "grad_norm"),
        ("layer1/dead_fraction", Role.TRAIN, Kind.DEAD, "layer1_dead_fraction"),
        ("relu_zero_fraction", Role.TRAIN, Kind.DEAD, "relu_zero_fraction"),
    ],
)
def test_names_say_what_is_measured(key: str, role: Role, kind: Kind, measure: str) -> None:
    what = named(key)
    assert what is not None
    assert (what.role, what.kind) == (role, kind)
    if kind not in {Kind.GRADIENT, Kind.DEAD} and "X_test" not in key:
        assert what.measure == measure


@pytest.mark.parametrize(
    "key", ["lr", "learning_rate", "epoch", "stopped_iteration", "é", "-", "1"]
)
def test_other_names_say_nothing(key: str) -> None:
    assert named(key) is None


def test_a_validation_set_that_is_the_training_set_is_known_as_such() -> None:
    what = named("validation_0-logloss", training_names=frozenset({"validation_0"}))
    assert what is not None
    assert what.role is Role.TRAIN


def of(key: str, values: list[float]) -> Series:
    what = named(key)
    assert what is not None
    return Series(key=key, named=what, steps=list(range(len(values))), values=values)


@given(
    values=st.lists(st.floats(), max_size=60),
    key=st.sampled_from(["loss", "val_loss", "grad_norm", "accuracy", "val_auc", "dead_units"]),
    other=st.lists(st.floats(), max_size=60),
    rows=st.integers(0, 10**9),
)
def test_no_series_breaks_a_rule(
    values: list[float], key: str, other: list[float], rows: int
) -> None:
    series = [item for item in (of(key, values), of("train_loss", other)) if item.values]
    found = judged(Told(series=series, rows={"train": rows}, params={"objective": "binary"}))
    assert len({hint.rule for hint in found}) == len(found)
    odd = any(not math.isfinite(value) for item in series for value in item.values)
    assert not odd or Rule.NOT_A_NUMBER in {hint.rule for hint in found}


def test_a_loss_that_never_was_a_number_is_named() -> None:
    found = judged(Told(series=[of("loss", [math.nan] * 60), of("val_loss", [math.inf] * 60)]))
    assert {hint.rule for hint in found} == {Rule.NOT_A_NUMBER, Rule.EXPLODING_GRADIENT}


def test_a_training_that_goes_well_gets_no_hint() -> None:
    train = [0.7 * 0.93**n + 0.05 for n in range(80)]
    held_out = [0.7 * 0.94**n + 0.11 for n in range(80)]
    told = Told(series=[of("train_loss", train), of("val_loss", held_out)], rows={"train": 1000})
    assert judged(told) == []


def test_what_was_wrong_before_a_loss_was_no_number_is_told_too() -> None:
    rising = [0.6 + 0.03 * n for n in range(40)]
    series = [of("train_loss", [0.5] * 40 + [math.nan]), of("val_loss", rising)]
    found = {hint.rule: hint for hint in judged(Told(series=series))}
    assert set(found) == {Rule.NOT_A_NUMBER, Rule.LOSS_NOT_FALLING, Rule.OVERFIT}
    assert found[Rule.NOT_A_NUMBER].step == 40
    assert found[Rule.LOSS_NOT_FALLING].step == 39
    # Few points before it are no basis.
    soon = Told(series=[of("train_loss", [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, math.nan])])
    assert {hint.rule for hint in judged(soon)} == {Rule.NOT_A_NUMBER}


def test_a_score_that_was_always_perfect_is_named_and_its_still_loss_is_not() -> None:
    losses = [of("train_loss", [0.01] * 30), of("val_loss", [0.0001] * 30)]
    found = judged(Told(series=[*losses, of("val_auc", [1.0] * 30)]))
    assert [(hint.rule, hint.metric) for hint in found] == [(Rule.PERFECT_SCORE, "val_auc")]
    # One that became perfect, on rows that nobody counted, may be right: its loss is not blamed.
    learned = of("val_auc", [0.7 + 0.03 * min(n, 10) for n in range(30)])
    assert judged(Told(series=[*losses, learned])) == []
