"""Models that answer inside the plane: what folds, what is walked, and the proof of both."""

import json
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from athanor.kernel.errors import AthanorError
from athanor.registry import Signature, TrainedModel
from athanor.registry.packaging import load_model
from athanor.registry.packaging.materializer import ModelMaterializer
from athanor.serving.errors.runtimes import RowRefused, RuntimeUnusable
from athanor.serving.logic.frames import Hello, Reply
from athanor.serving.plane.served import _answered
from athanor.serving.runtimes import compiled, compiling
from athanor.serving.runtimes.native import NativeRuntime
from athanor.serving.runtimes.proof import Hints, answers_of, proof_rows, prove
from athanor.serving.runtimes.trees import xgboost as trees_of_xgboost
from athanor.serving.runtimes.trees.lightgbm import _beside_zero
from athanor.serving.types import InputColumn
from tests.serving.conftest import Trained
from tests.serving.pipelines_at_random import drawn


def packaged(folder: Path, estimator: Any, rows: pd.DataFrame) -> Path:
    model = folder / "model"
    trained = TrainedModel(
        estimator=estimator, example=rows, signature=Signature(target="t", task="")
    )
    ModelMaterializer().save(trained, model)
    return model


def compiled_of(folder: Path, estimator: Any, rows: pd.DataFrame) -> dict[str, Any]:
    into = folder / "compiled"
    into.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # libraries warn of names; the answers count
        return compiling.compile_model(str(packaged(folder, estimator, rows)), str(into))


def folds_or_says_why(seed: int, folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # short training does not always converge
        estimator, rows = drawn(seed)
    report = compiled_of(folder, estimator, rows)
    if report["kind"] == "folded":
        assert report["proof"]["passed"]
        assert all(item["largest_difference"] < 1e-9 for item in report["proof"]["groups"].values())
    else:
        assert "in a way that is not known" in report["why_not"]["folded"]


@pytest.mark.parametrize("seed", [114, 124, 128])
def test_a_random_pipeline_folds(seed: int, tmp_path: Path) -> None:
    folds_or_says_why(seed, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(200))
def test_random_pipelines_fold(seed: int, tmp_path: Path) -> None:
    folds_or_says_why(seed, tmp_path)


def measured(count: int = 400) -> pd.DataFrame:
    source = np.random.default_rng(7)
    rows = pd.DataFrame({f"n{i}": source.normal(size=count) * 10.0 ** (i - 2) for i in range(4)})
    rows["zeros"] = np.where(source.random(count) < 0.5, 0.0, source.normal(size=count) * 1e-3)
    rows["card"] = source.choice(list("abcd"), count)
    return rows


def encoded(*, sparse: bool) -> Any:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return make_column_transformer(
        (numbers, ["n0", "n1", "n2", "n3", "zeros"]),
        (OneHotEncoder(handle_unknown="ignore"), ["card"]),
        sparse_threshold=1.0 if sparse else 0.0,
    )


TREES: dict[str, Callable[[], Any]] = {
    "lightgbm": lambda: lightgbm.LGBMClassifier(n_estimators=30, verbose=-1, n_jobs=1),
    "xgboost": lambda: xgboost.XGBClassifier(n_estimators=30, n_jobs=1),
    "forest": lambda: RandomForestClassifier(20, random_state=0),
    "values": lambda: RandomForestRegressor(10, max_depth=6, random_state=0),
    "boosted": lambda: GradientBoostingClassifier(n_estimators=10),
    "histograms": lambda: HistGradientBoostingClassifier(max_iter=3),
}


@pytest.mark.parametrize("name", TREES)
def test_trees_answer_to_the_last_bit(name: str, tmp_path: Path) -> None:
    rows = measured()
    columns = [name for name in rows if name != "card"]
    truth = (rows.n2 + np.sin(rows.n3) > 0.3).astype(int)
    report = compiled_of(tmp_path, TREES[name]().fit(rows[columns], truth), rows[columns])
    assert report["kind"] == "trees", report["why_not"]
    groups = report["proof"]["groups"]
    assert groups["thresholds"]["rows"] > 30
    assert all(item["largest_difference"] == 0.0 for item in groups.values())
    assert sum(item["ties"] for item in groups.values()) == 0


def test_xgboost_answers_infinity_where_its_library_does(tmp_path: Path) -> None:
    rows = measured()[["n0", "n1"]]
    truth = (rows.n0 + rows.n1 > 0).astype(int)
    estimator = xgboost.XGBClassifier(n_estimators=5, n_jobs=1).fit(rows, truth)
    assert compiled_of(tmp_path, estimator, rows)["kind"] == "trees"
    model = compiled.load(tmp_path / "compiled")
    odd: list[list[Any]] = [
        [math.inf, 0.1],
        [-math.inf, 0.1],
        [1e39, 0.1],
        [0.1, -1e300],
        [None, 3.4e38],
    ]
    direct = estimator.predict_proba(pd.DataFrame(odd, columns=["n0", "n1"], dtype=float))
    assert [list(model.one(row)[1]) for row in odd] == direct.tolist()
    whole, booster = map(trees_of_xgboost.ensemble, (estimator, estimator.get_booster()))
    assert (booster.finite, whole.finite) == (True, False)
    with pytest.raises(xgboost.core.XGBoostError, match="inf"):
        xgboost.DMatrix(np.array(odd[:1]))


@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_trees_behind_encoders_do(name: str, tmp_path: Path, *, sparse: bool) -> None:
    rows = measured()
    truth = (rows.n2 + (rows.card == "b") > 0.3).astype(int)
    estimator = make_pipeline(encoded(sparse=sparse), TREES[name]()).fit(rows, truth)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = compiled_of(tmp_path, estimator, rows)
    assert report["kind"] == "trees", report["why_not"]
    assert report["proof"]["groups"]["thresholds"]["largest_difference"] == 0.0


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_trees_on_pandas_categories_read_texts(library: str, tmp_path: Path) -> None:
    source = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "a": source.normal(size=300),
            "c": pd.Categorical(source.choice([*"xyz"], 300)),
            "k": pd.Categorical(source.choice([3, 5, 8], 300)),
        }
    )
    labels = ((frame.a > 0) ^ (frame.c == "x") ^ (frame.k == 5)).astype(int)
    if library == "lightgbm":
        estimator = lightgbm.LGBMClassifier(n_estimators=10, verbose=-1, n_jobs=1)
    else:
        estimator = xgboost.XGBClassifier(n_estimators=10, enable_categorical=True, n_jobs=1)
    folder = packaged(tmp_path, estimator.fit(frame, labels), frame)
    model = load_model(folder)
    rows = [{"a": float(a), "c": str(c), "k": str(k)} for a, c, k in frame.head(40).to_numpy()]
    answered = [answer["score"] for answer in model.predict_records(rows)]
    expected: Any = estimator.predict_proba(frame.head(40))
    assert answered == expected[:, 1].tolist()
    unseen, missing = model.predict_records(
        [{"a": 0.1, "c": "never seen", "k": "5"}, {"a": 0.1, "c": None, "k": "5"}]
    )
    assert unseen == missing
    (tmp_path / "out").mkdir()
    report = compiling.compile_model(str(folder), str(tmp_path / "out"))
    assert report["kind"] == ("trees" if library == "lightgbm" else "native")


def test_words_fold(tmp_path: Path) -> None:
    texts = ["call now to win", "see you at home", "win a prize now", "at home with you"] * 10
    rows, truth = pd.DataFrame({"text": texts}), ["spam", "ham", "spam", "ham"] * 10
    counted = make_pipeline(CountVectorizer(ngram_range=(1, 2)), TfidfTransformer())
    for number, words in enumerate((TfidfVectorizer(sublinear_tf=True), counted)):
        estimator = make_pipeline(
            make_column_transformer((words, "text")), LogisticRegression()
        ).fit(rows, truth)
        place = tmp_path / str(number)
        place.mkdir()
        assert compiled_of(place, estimator, rows)["kind"] == "folded"


def test_several_values_fold(tmp_path: Path) -> None:
    rows = measured()[["n0", "n1", "n2"]]
    estimator = LinearRegression().fit(rows, np.c_[rows.n0 * 2, rows.n1 - rows.n2])
    report = compiled_of(tmp_path, estimator, rows)
    assert report["kind"] == "folded"
    model = compiled.load(tmp_path / "compiled")
    assert model.hello.outputs == ["t_0", "t_1"]
    assert model.one([1.0, 0.5, 0.25])[1] == pytest.approx([2.0, 0.25])


def test_what_does_not_compile_says_why(tmp_path: Path) -> None:
    rows = measured()[["n0", "n1"]]
    estimator = GaussianNB().fit(rows, rows.n0 > 0)
    report = compiled_of(tmp_path, estimator, rows)
    assert report["kind"] == "native"
    assert "GaussianNB is no linear model" in report["why_not"]["folded"]
    assert [path.name for path in (tmp_path / "compiled").iterdir()] == ["proof.json"]


def test_a_row_that_the_model_can_not_read_is_named(tmp_path: Path) -> None:
    rows = measured()[["n0", "n1"]]
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, rows.n0 > 0)
    assert compiled_of(tmp_path, estimator, rows)["kind"] == "folded"
    model = compiled.load(tmp_path / "compiled")
    with pytest.raises(RowRefused, match="Record 1, column 'n1'"):
        model.predict([[1.0, 2.0], [1.0, None]])
    with pytest.raises(RowRefused, match="infinite"):
        model.one([math.inf, 1.0])


def test_a_value_that_a_step_can_not_read_writes_no_trace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = measured()[["n0", "card"]]
    encoder = make_column_transformer((OneHotEncoder(), ["card"]), remainder="passthrough")
    estimator = make_pipeline(encoder, LogisticRegression()).fit(rows, rows.n0 > 0)
    assert compiled_of(tmp_path, estimator, rows)["kind"] == "folded"
    model = compiled.load(tmp_path / "compiled")
    caplog.clear()
    told = _answered(model, [[1.0, ["b"]]])
    assert isinstance(told, AthanorError)
    assert told.status < 500
    assert [record for record in caplog.records if record.exc_info] == []


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeUnusable):
        compiled.load(tmp_path)
    (tmp_path / "runtime.json").write_text(
        json.dumps({"kind": "folded", "classes": [], "format_version": 99})
    )
    with pytest.raises(RuntimeUnusable, match="newer"):
        compiled.load(tmp_path)


class Off:
    """A runtime that is wrong beyond a bound."""

    def __init__(self, beyond: float) -> None:
        self.hello = Hello([], "whole")
        self._beyond = beyond

    def one(self, row: list[Any]) -> tuple[int, list[float]]:
        value = row[0] or 0.0
        return -1, [value + 1.0 if value > self._beyond else value]

    def predict(self, rows: list[list[Any]]) -> Reply:
        return compiled.reply_of([self.one(row) for row in rows], classifies=False)


def test_the_proof_finds_what_is_off() -> None:
    columns = [InputColumn(name="a", type="double")]
    rows = proof_rows(columns, [[0.5]], Hints(thresholds={"a": [1e5]}))
    right, wrong = Off(math.inf), Off(1e5)
    assert prove(right, Off(math.inf), rows, runtime="folded", tolerance=1e-9).passed
    found = prove(wrong, right, rows, runtime="folded", tolerance=1e-9)
    assert not found.passed
    assert "the model" in found.reason


@pytest.mark.parametrize("threshold", [0.0, 1e-36, -1e-36, 5e-35, -5e-35, 1.0])
@pytest.mark.parametrize("value", [0.0, 1e-36, -1e-36, 1e-35, -1e-35, 2e-35, -2e-35, 1.0, -1.0])
def test_near_zero_is_zero_to_lightgbm(threshold: float, value: float) -> None:
    itself = 0.0 if abs(value) <= 1.0000000180025095e-35 else value
    assert (value <= _beside_zero(threshold)) == (itself <= threshold)


def test_a_compiled_champion_answers_as_its_worker_does(champion: Trained, tmp_path: Path) -> None:
    compiling.compile_model(str(champion.folder), str(tmp_path))
    fast, native = compiled.load(tmp_path), NativeRuntime(load_model(champion.folder))
    names = [column.name for column in champion.model.signature]
    rows = [[record[name] for name in names] for record in champion.records]
    mine, its = (answers_of(item.predict(rows), len(rows)) for item in (fast, native))
    assert [label for label, _ in mine] == [label for label, _ in its]
    assert max(abs(a[1][1] - b[1][1]) for a, b in zip(mine, its, strict=True)) < 1e-12
