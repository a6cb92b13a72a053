"""Native models whose steps before the last are a program: the same bits, the same refusals."""

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, SVR

from athanor.registry.errors import RecordRefused
from athanor.registry.packaging import opened
from athanor.serving.runtimes import encoding, native, proof
from athanor.serving.runtimes.encoded import Encoded
from athanor.serving.runtimes.native import NativeRuntime
from tests.serving.test_compiling import packaged

SOURCE = np.random.default_rng(3)
FRAME = pd.DataFrame(
    {"a": SOURCE.normal(size=60), "b": SOURCE.normal(size=60), "c": SOURCE.choice([*"xyz"], 60)}
)
FRAME.loc[::7, "b"] = math.nan
LABELS = np.where(FRAME.a > 0.2, "yes", "no")
ROWS: list[list[Any]] = [
    [0.5, 1.5, "x"],
    [-2.0, None, "y"],
    [3, 2, "never seen"],
    [1e30, -0.0, "z"],
]


@pytest.fixture(autouse=True)
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "_RANDOM_ROWS", 10)


def steps(*, frames: bool = False) -> Any:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=not frames)
    made = make_column_transformer((numbers, ["a", "b"]), (encoder, ["c"]))
    return made.set_output(transform="pandas") if frames else made


@pytest.mark.parametrize(
    ("before", "last", "target"),
    [
        (steps(), SVC(), LABELS),
        (steps(frames=True), GaussianNB(), LABELS),
        (steps(), SVR(), FRAME.a),
    ],
)
def test_a_quick_way_gives_the_models_bits(
    tmp_path: Path, before: Any, last: Any, target: Any
) -> None:
    folder = packaged(tmp_path, make_pipeline(before, last).fit(FRAME, target), FRAME)
    model = opened(folder)
    assert model is not None
    slow = NativeRuntime(model)
    quick = Encoded(slow, model, encoding.proved(slow, model))
    assert quick.quick(ROWS) == slow.predict(ROWS)
    assert [quick.quick([row]) for row in ROWS] == [slow.predict([row]) for row in ROWS]
    assert quick.predict(ROWS * 200) == slow.predict(ROWS * 200)
    for odd in ([math.inf, 1.0, "x"], ["1.5", 1.0, "x"], [1.0, 2.0, 3], [10**400, 1.0, "x"], [1.0]):
        assert quick.quick([odd]) is None
    with pytest.raises(RecordRefused, match="wants a number"):
        quick.predict([["1.5", 1.0, "x"]])


def test_what_was_shown_once_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    estimator = make_pipeline(steps(), SVC()).fit(FRAME, LABELS)
    model = opened(packaged(tmp_path, estimator, FRAME))
    assert model is not None
    note = tmp_path / "model.batching"
    note.write_text("whole of an older form")
    first = native._runtime(model, note)
    monkeypatch.setattr(encoding, "proved", None)
    again = native._runtime(model, note)
    assert isinstance(first, Encoded)
    assert isinstance(again, Encoded)
    assert again.hello == first.hello
    assert again.predict(ROWS) == first.predict(ROWS)


def test_what_differs_takes_the_models_own_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimator = make_pipeline(steps(), SVC()).fit(FRAME, LABELS)
    model = opened(packaged(tmp_path, estimator, FRAME))
    assert model is not None
    slow = NativeRuntime(model)
    monkeypatch.setattr(encoding, "function", lambda *_: "def features(row): return [0.5] * 5")
    assert encoding.proved(slow, model) == ""
    assert isinstance(native._runtime(model, tmp_path / "note"), NativeRuntime)
    monkeypatch.setattr(encoding, "_MOST_COLUMNS", 4)
    assert encoding.proved(slow, model) == ""


@pytest.mark.parametrize("kind", ["SVC", "LGBMClassifier", "XGBRegressor"])
def test_a_model_without_steps_reads_a_matrix(tmp_path: Path, kind: str) -> None:
    frame = FRAME[["a", "b"]].fillna(0.0) if kind == "SVC" else FRAME[["a", "b"]]
    module = {"SVC": "sklearn.svm", "LGBMClassifier": "lightgbm", "XGBRegressor": "xgboost"}[kind]
    library = pytest.importorskip(module)
    settings = {"verbose": -1, "min_child_samples": 2} if kind.startswith("LGBM") else {}
    target = FRAME.a if kind.endswith("Regressor") else LABELS
    estimator = getattr(library, kind)(**settings).fit(frame, target)
    model = opened(packaged(tmp_path, estimator, frame))
    assert model is not None
    slow = NativeRuntime(model)
    quick = Encoded(slow, model, encoding.proved(slow, model))
    rows: list[list[Any]] = [[0.5, 1.5], [-2.0, 0.0], [3, 2]]
    if kind != "SVC":
        rows.append([None, math.nan])
    assert quick.quick(rows) == slow.predict(rows)
    assert [quick.quick([row]) for row in rows] == [slow.predict([row]) for row in rows]
    for odd in ([math.inf, 1.0], ["1.5", 1.0], [1e300, 1.0], [1.0]):
        assert quick.quick([odd]) is None


def test_a_model_of_texts_has_no_quick_way(tmp_path: Path) -> None:
    texts = make_pipeline(CountVectorizer(analyzer="char"), MultinomialNB()).fit(FRAME.c, LABELS)
    model = opened(packaged(tmp_path, texts, FRAME[["c"]]))
    assert model is not None
    slow = NativeRuntime(model)
    assert encoding.proved(slow, model) == ""
    asked: list[list[Any]] = [["x"], ["z"]]
    assert [slow.hello.classes[place] for place in slow.predict(asked).labels] == list(
        texts.predict(["x", "z"])
    )


def test_answers_that_are_not_one_a_row_are_refused(tmp_path: Path) -> None:
    model = opened(packaged(tmp_path, SVR().fit(FRAME[["a"]], FRAME.a), FRAME[["a"]]))
    assert model is not None
    slow = NativeRuntime(replace(model, estimator=SimpleNamespace(predict=lambda _: [1.0])))
    with pytest.raises(ValueError, match="1 answers for 2 rows"):
        slow.predict([[1.0], [2.0]])
