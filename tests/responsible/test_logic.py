"""Figures against scikit-learn's, intervals against known values, tests against simulation."""

import json
import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lightgbm import LGBMClassifier
from scipy.special import logit
from scipy.stats import norm
from sklearn import metrics as sk
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from athanor.responsible.catalogue import CATALOGUE
from athanor.responsible.logic.attributions import attributions
from athanor.responsible.logic.calibration import calibration
from athanor.responsible.logic.evaluation import Subject, evaluate
from athanor.responsible.logic.gate import judge
from athanor.responsible.logic.groups import by_group
from athanor.responsible.logic.intervals import difference, proportion
from athanor.responsible.logic.metrics import binary_metrics, multiclass_metrics
from athanor.responsible.logic.page import page
from athanor.responsible.logic.ranking import against_chance, compare, roc_auc


def sample(rows: int, strength: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random(rows) < 0.3
    return truth, 1 / (1 + np.exp(-(truth * strength + rng.normal(0, 1, rows))))


@given(st.integers(0, 10_000), st.integers(20, 300), st.booleans())
def test_figures_equal_scikit_learns(seed: int, rows: int, coarse: bool) -> None:
    truth, scores = sample(rows, 1.0, seed)
    truth[:2] = [True, False]
    if coarse:
        scores = np.round(scores, 1)
    found = binary_metrics(truth, scores)
    told = scores > 0.5
    expected = {
        "roc_auc": sk.roc_auc_score(truth, scores),
        "pr_auc": sk.average_precision_score(truth, scores),
        "accuracy": sk.accuracy_score(truth, told),
        "balanced_accuracy": sk.balanced_accuracy_score(truth, told),
        "log_loss": sk.log_loss(truth, scores),
        "brier": sk.brier_score_loss(truth, scores),
        "f1": sk.f1_score(truth, told, zero_division=0),
        "recall": sk.recall_score(truth, told),
    }
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, abs=1e-9), name
        assert found[name].low <= found[name].value + 1e-9, name
        assert found[name].high >= found[name].value - 1e-9, name


def test_multiclass_figures_equal_scikit_learns() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, 400)
    raw = rng.random((400, 3)) + np.eye(3)[truth]
    chances = raw / raw.sum(axis=1, keepdims=True)
    found = multiclass_metrics(truth, chances)
    told = chances.argmax(axis=1)
    assert found["roc_auc"].value == pytest.approx(
        sk.roc_auc_score(truth, chances, multi_class="ovr", average="macro")
    )
    assert found["log_loss"].value == pytest.approx(sk.log_loss(truth, chances))
    assert found["f1"].value == pytest.approx(sk.f1_score(truth, told, average="macro"))
    assert found["balanced_accuracy"].value == pytest.approx(
        sk.balanced_accuracy_score(truth, told)
    )


def test_delong_covers_the_true_area_as_often_as_it_says() -> None:
    true = float(norm.cdf(1 / math.sqrt(2)))
    covered = 0
    for seed in range(300):
        truth, scores = sample(300, 1.0, seed)
        found = roc_auc(truth, logit(scores))
        covered += found.low <= true <= found.high
    assert 0.91 <= covered / 300 <= 0.985


def test_the_gate_lets_an_equal_challenger_through_as_rarely_as_it_says() -> None:
    passed = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        truth = rng.random(300) < 0.3
        first, second = (truth + rng.normal(0, 1, 300) for _ in range(2))
        passed += compare(truth, first, second).p_value < 0.05
    assert passed / 400 <= 0.085


def test_wilson_and_newcombe_give_published_values() -> None:
    # Newcombe (1998), table II: 56/70 against 48/80, method 10: 0.0524 to 0.3339.
    found = difference(proportion(56, 70), proportion(48, 80))
    assert found.value == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    # Wilson, Newcombe (1998) "Two-sided intervals": 81/263: 0.2553 to 0.3662.
    alone = proportion(81, 263)
    assert (alone.low, alone.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert math.isnan(proportion(0, 0).value)


def test_a_calibrated_model_has_a_small_error_and_a_bold_one_a_great_one() -> None:
    rng = np.random.default_rng(1)
    scores = rng.random(20_000)
    truth = rng.random(20_000) < scores
    assert calibration(truth, scores).ece < 0.02
    bold = np.where(scores > 0.5, 0.99, 0.01)
    assert calibration(truth, bold).ece > 0.2


def chances(scores: np.ndarray) -> np.ndarray:
    return np.column_stack([1 - scores, scores])


def test_verdicts() -> None:
    rng = np.random.default_rng(0)
    truth, good = sample(1500, 2.5, 1)
    noise = rng.random(1500)
    indices = truth.astype(np.int64)
    better = judge(indices, chances(good), chances(noise))
    assert better.passed
    assert "The challenger is better" in better.reason
    assert better.measured["champion"] < better.measured["challenger"]
    worse = judge(indices, chances(noise), chances(good))
    assert not worse.passed
    assert "The challenger is worse" in worse.reason
    assert not judge(indices, chances(good), chances(good)).passed
    assert judge(indices, chances(good), None).passed
    assert "baseline" in judge(indices, chances(good), None).measured
    assert not judge(indices, chances(noise), None).passed
    few = judge(indices[:20], chances(good[:20]), None)
    assert not few.passed
    assert "Too few labelled rows" in few.reason
    assert "Add labelled rows" in few.reason
    rare = judge(np.repeat([0, 1], [95, 5]), chances(good[:100]), None, names=("fine", "fraud"))
    assert "100 rows, 5 in the rarest class, 'fraud'; at least 10" in rare.reason
    assert against_chance(truth, good).p_value < 1e-9
    three = rng.integers(0, 3, 300)
    sharp = np.eye(3)[three] * 0.8 + 0.1
    assert judge(three, sharp, np.full((300, 3), 1 / 3)).passed
    assert judge(three, sharp, None).passed
    assert not judge(three, np.full((300, 3), 1 / 3), sharp).passed


def test_a_model_no_better_than_a_coin_does_not_take_over_from_a_worse_one() -> None:
    truth, good = sample(1500, 2.5, 1)
    noise = np.where(np.random.default_rng(0).random(1500) < 0.9, 0.5, 1 - good)
    indices, bad = truth.astype(np.int64), chances(1 - good)
    found = judge(indices, chances(noise), bad)
    assert not found.passed
    assert "not above 0.5" in found.reason
    assert found.measured["challenger"] <= 0.5 < found.measured["above"] + 0.01
    assert judge(indices, chances(noise), bad, above=0.0).passed


def test_groups_are_compared_in_plain_words() -> None:
    rng = np.random.default_rng(5)
    sex = pd.Series(rng.choice(["women", "men"], 2000), name="sex")
    sex[:5] = None
    truth = rng.random(2000) < 0.3
    women = (sex == "women").to_numpy()
    scores = np.clip(truth * 0.3 + 0.25 * women + rng.random(2000) * 0.4, 0, 1)
    found = by_group(sex, truth, scores, positive="approved")
    assert [group.name for group in found.groups] == ["(missing)", "men", "women"]
    assert sum(group.rows for group in found.groups) == 2000
    parity, odds = found.gaps
    assert parity.name == "demographic_parity_difference"
    assert (parity.high_group, parity.low_group) == ("women", "men")
    assert "of women are told approved" in parity.words
    assert odds.value.value >= 0
    assert any("(missing) has 5 rows" in note for note in found.notes)
    ages = by_group(pd.Series(rng.integers(18, 90, 2000), name="age"), truth, scores, positive="x")
    assert len(ages.groups) == 4


def raw_table(rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 90, rows).astype(float),
            "debt": rng.normal(0, 1, rows),
            "town": rng.choice(["Paris", "Köln", "Łódź"], rows),
            "sex": rng.choice(["women", "men"], rows),
        }
    )
    raw = frame["age"] / 20 + frame["debt"] + 2 * (frame["town"] == "Köln")
    frame["status"] = np.where(raw + rng.normal(0, 1, rows) > 4, "gone", "here")
    return frame


def fitted(kind: str, frame: pd.DataFrame) -> Pipeline:
    encode = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "debt"]),
            ("towns", OneHotEncoder(sparse_output=False, handle_unknown="ignore"), ["town", "sex"]),
        ]
    )
    final = (
        LogisticRegression()
        if kind == "linear"
        else LGBMClassifier(n_estimators=20, n_jobs=1, verbose=-1)
    )
    return Pipeline([("encode", encode), ("model", final)]).fit(frame, frame["status"])


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("kind", ["linear", "tree"])
def test_attributions_add_up_to_the_score(kind: str) -> None:
    frame = raw_table()
    model = fitted(kind, frame)
    found = attributions(model, frame, frame)
    assert found is not None
    assert found.columns == ["age", "debt", "town", "sex"]
    score = logit(model.predict_proba(frame)[:, 1])
    np.testing.assert_allclose(found.base[0] + found.parts[:, :, 0].sum(axis=1), score, atol=1e-6)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("kind", ["linear", "tree"])
@pytest.mark.parametrize("sensitive", ["sex", ""])
def test_a_report_is_json_and_a_page_without_requests(kind: str, sensitive: str) -> None:
    frame = raw_table()
    frame.loc[0, "town"] = "<script>alert(1)</script>"
    model = fitted(kind, frame)
    columns = ["age", "debt", "town", "sex"]
    subject = Subject(
        estimator=model,
        predict=lambda rows: model.predict_proba(rows[columns]),
        columns=columns,
        target="status",
        classes=["gone", "here"],
        positive="gone",
        sensitive=sensitive,
        title="<b>churn</b>",
        facts={"left out": ["a", "b"]},
    )
    report = evaluate(subject, frame)
    assert json.dumps(report, allow_nan=False) == json.dumps(evaluate(subject, frame))
    assert set(report["metrics"]) <= set(CATALOGUE)
    assert ("skipped" in report["groups"]) == (not sensitive)
    text = page(report)
    assert "<script" not in text
    assert "&lt;b&gt;churn" in text
    assert not re.search(r"(?:src|href)=|url\(|@import|https?://", text)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_a_report_on_three_classes() -> None:
    frame = raw_table()
    frame["status"] = np.where(frame["age"] > 70, "old", frame["status"])
    model = fitted("tree", frame)
    columns = ["age", "debt", "town", "sex"]
    subject = Subject(
        estimator=model,
        predict=lambda rows: model.predict_proba(rows[columns]),
        columns=columns,
        target="status",
        classes=["gone", "here", "old"],
        sensitive="sex",
    )
    report = evaluate(subject, frame)
    assert "skipped" in report["groups"]
    assert page(report)


def test_every_indicator_is_explained() -> None:
    for entry in CATALOGUE.values():
        assert all((entry.title, entry.what, entry.how, entry.reading, entry.misleads)), entry.name
