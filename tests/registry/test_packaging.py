"""Model folders: equal bytes for equal models, equal answers everywhere, nothing unsafe."""

import importlib
import json
import warnings
import zipfile
from operator import methodcaller
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from lightgbm import LGBMClassifier
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from athanor.registry import InputColumn, Signature, TrainedModel
from athanor.registry.errors import BadModelFolder, RecordRefused, UnsafeModel
from athanor.registry.packaging import LoadedModel, load_model, save_model
from athanor.registry.packaging.materializer import ModelMaterializer

ROWS = 600


def table() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 90, ROWS),
            "income": rng.normal(50_000, 9_000, ROWS).round(2),
            "town": rng.choice(["Paris", "Łódź", "Köln"], ROWS),
            "member": rng.random(ROWS) < 0.4,
            "debt": np.where(rng.random(ROWS) < 0.2, np.nan, rng.normal(0, 1, ROWS)),
        }
    )
    frame.loc[rng.random(ROWS) < 0.1, "town"] = None
    return frame


def labels(frame: pd.DataFrame) -> pd.Series:
    rng = np.random.default_rng(8)
    raw = frame["age"] / 30 + frame["member"] * 2 + rng.normal(0, 1, len(frame))
    return pd.Series(np.where(raw > raw.median(), "gone", "here"))


def pipeline(final: object) -> Pipeline:
    numbers = Pipeline([("fill", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    encode = ColumnTransformer(
        [
            ("numbers", numbers, ["age", "income", "member", "debt"]),
            ("categories", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["town"]),
        ],
        sparse_threshold=0,
    )
    return Pipeline([("encode", encode), ("model", final)])


def boosted() -> LGBMClassifier:
    return LGBMClassifier(
        n_estimators=30,
        n_jobs=1,
        random_state=1,
        deterministic=True,
        force_row_wise=True,
        verbose=-1,
    )


FINALS = {"logistic": lambda: LogisticRegression(max_iter=500), "lightgbm": boosted}


@pytest.fixture(params=sorted(FINALS))
def fitted(request: pytest.FixtureRequest) -> Pipeline:
    frame = table()
    return pipeline(FINALS[request.param]()).fit(frame, labels(frame))


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(k): None if isinstance(v, float) and np.isnan(v) else v for k, v in row.items()}
        for row in frame.to_dict("records")
    ]


def test_two_savings_give_equal_bytes(fitted: Pipeline, tmp_path: Path) -> None:
    frame = table()
    again = pipeline(
        FINALS["logistic" if isinstance(fitted[-1], LogisticRegression) else "lightgbm"]()
    )
    again.fit(frame, labels(frame))
    save_model(fitted, tmp_path / "a", example=frame, signature=Signature(target="status", task=""))
    save_model(again, tmp_path / "b", example=frame, signature=Signature(target="status", task=""))
    for file in sorted((tmp_path / "a").iterdir()):
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name


def test_a_loaded_model_answers_to_the_bit_and_one_row_as_among_many(
    fitted: Pipeline, tmp_path: Path
) -> None:
    frame = table()
    save_model(fitted, tmp_path / "m", example=frame, signature=Signature(target="status", task=""))
    model = load_model(tmp_path / "m")
    batch = model.predict_records(records(frame))
    assert batch == [model.predict_records([record])[0] for record in records(frame)]
    assert batch == model.predict_table(frame)
    assert batch[:7] == model.predict_table(frame.head(7))
    expected = fitted.predict_proba(frame)
    told = np.array([[a["probabilities"]["gone"], a["probabilities"]["here"]] for a in batch])
    np.testing.assert_allclose(told, expected, rtol=0, atol=1e-14)
    assert [answer["label"] for answer in batch] == fitted.predict(frame).tolist()
    assert [answer["score"] for answer in batch] == told[:, 1].tolist()
    assert (model.target, model.task, model.positive) == ("status", "binary", "here")
    json.dumps(batch)


@pytest.mark.filterwarnings("ignore")
def test_mlflow_loads_it(fitted: Pipeline, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns of its own type hints when it is imported
        mlflow = importlib.import_module("mlflow")
        importlib.import_module("mlflow.pyfunc")
    frame = table()
    save_model(fitted, tmp_path / "m", example=frame, signature=Signature(target="status", task=""))
    native = mlflow.sklearn.load_model(str(tmp_path / "m"))
    assert (native.predict_proba(frame) == fitted.predict_proba(frame)).all()
    generic = mlflow.pyfunc.load_model(str(tmp_path / "m"))
    assert list(generic.predict(frame)) == fitted.predict(frame).tolist()
    assert [column.name for column in generic.metadata.signature.inputs] == list(frame.columns)
    assert generic.metadata.saved_input_example_info is not None
    example = generic.input_example
    assert list(example.columns) == list(frame.columns)


def test_the_signature_is_read_from_the_rows(fitted: Pipeline, tmp_path: Path) -> None:
    save_model(fitted, tmp_path / "m", example=table())
    assert load_model(tmp_path / "m").signature == (
        InputColumn(name="age", type="long"),
        InputColumn(name="income", type="double"),
        InputColumn(name="town", type="string", required=False),
        InputColumn(name="member", type="boolean"),
        InputColumn(name="debt", type="double", required=False),
    )


@pytest.mark.parametrize(
    ("change", "column", "why"),
    [
        ({"age": "old"}, "age", "wants a number"),
        ({"town": 5}, "town", "wants text"),
        ({"member": "yes"}, "member", "wants true or false"),
        ({"age": ...}, "age", "is required"),
    ],
)
def test_a_record_that_does_not_fit_is_named(
    tmp_path: Path, change: dict[str, Any], column: str, why: str
) -> None:
    frame = table()
    model = pipeline(LogisticRegression()).fit(frame, labels(frame))
    save_model(model, tmp_path / "m", example=frame)
    good = records(frame)[0]
    bad = {k: v for k, v in {**good, **change}.items() if v is not ...}
    with pytest.raises(RecordRefused, match=why) as refused:
        load_model(tmp_path / "m").predict_records([good, bad])
    assert refused.value.details == {"record": 1, "column": column}


def test_optional_columns_may_be_left_out_and_others_are_passed_over(tmp_path: Path) -> None:
    frame = table()
    model = pipeline(boosted()).fit(frame, labels(frame))
    save_model(model, tmp_path / "m", example=frame)
    loaded = load_model(tmp_path / "m")
    full = {"age": 40, "income": 5e4, "member": True, "town": None, "debt": None}
    short = {"age": 40, "income": 5e4, "member": True, "shoe": 44}
    assert loaded.predict_records([short]) == loaded.predict_records([full])
    assert loaded.predict_records([]) == []


def test_dates_and_numbers_as_text_are_encoded_by_public_functions(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "since": ["2020-01-01", "2021-06-01T10:00:00Z", None, "2022-03-04"] * 20,
            "total": ["1.5", " ", "3", "x"] * 20,
        }
    )
    since = Pipeline(
        [
            (
                "parse",
                FunctionTransformer(pd.to_datetime, kw_args={"utc": True, "format": "ISO8601"}),
            ),
            ("seconds", FunctionTransformer(np.asarray, kw_args={"dtype": "datetime64[s]"})),
            ("number", FunctionTransformer(np.asarray, kw_args={"dtype": "float64"})),
            ("column", FunctionTransformer(np.reshape, kw_args={"shape": (-1, 1)})),
            ("fill", SimpleImputer(missing_values=float(np.iinfo(np.int64).min))),
        ]
    )
    total = Pipeline(
        [
            ("number", FunctionTransformer(pd.to_numeric, kw_args={"errors": "coerce"})),
            ("column", FunctionTransformer(np.reshape, kw_args={"shape": (-1, 1)})),
            ("fill", SimpleImputer()),
        ]
    )
    encode = ColumnTransformer([("since", since, "since"), ("total", total, "total")])
    model = Pipeline([("e", encode), ("s", StandardScaler()), ("m", LogisticRegression())])
    model.fit(frame, [0, 1] * 40)
    save_model(model, tmp_path / "m", example=frame)
    loaded = load_model(tmp_path / "m")
    batch = loaded.predict_table(frame)
    assert batch == [loaded.predict_records([record])[0] for record in records(frame)]
    assert loaded.classes == (0, 1)


def test_regression_answers_values(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.arange(50.0)})
    save_model(LinearRegression().fit(frame, frame["x"] * 2), tmp_path / "m", example=frame)
    answer = load_model(tmp_path / "m").predict_records([{"x": 3}])[0]
    assert answer["label"] == pytest.approx(6.0)
    assert answer["probabilities"] == {}


def test_a_classifier_without_probabilities_tells_labels(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.arange(50.0)})
    save_model(LinearSVC().fit(frame, frame["x"] > 25), tmp_path / "m", example=frame)
    answer = load_model(tmp_path / "m").predict_records([{"x": 49}])[0]
    assert answer == {"label": True, "probabilities": {}, "score": None}


def test_a_type_outside_the_allow_list_is_named_at_saving(tmp_path: Path) -> None:
    frame = table()
    caller = FunctionTransformer(methodcaller("eval", "age"))
    model = Pipeline([("call", caller), ("model", DummyClassifier())])
    with pytest.raises(UnsafeModel, match=r"operator\.methodcaller"):
        save_model(model, tmp_path / "m", example=frame)
    with pytest.raises(UnsafeModel, match=r"builtins\.eval|eval"):
        save_model(FunctionTransformer(eval), tmp_path / "n", example=frame)


def test_a_file_that_trusts_itself_is_refused_at_loading(tmp_path: Path) -> None:
    frame = table()
    good = pipeline(LogisticRegression()).fit(frame, labels(frame))
    save_model(good, tmp_path / "m", example=frame)
    evil = skops.io.dumps(FunctionTransformer(eval))
    (tmp_path / "m" / "model.skops").write_bytes(evil)
    mlmodel = tmp_path / "m" / "MLmodel"
    mlmodel.write_text(
        mlmodel.read_text().replace(
            "skops_trusted_types: []", "skops_trusted_types: [builtins.eval]"
        )
    )
    with pytest.raises(UnsafeModel, match=r"builtins\.eval"):
        load_model(tmp_path / "m")


@pytest.mark.parametrize(
    ("file", "content", "error"),
    [
        ("MLmodel", "flavors: {}", BadModelFolder),
        ("MLmodel", ":\n- {", BadModelFolder),
        ("MLmodel", "flavors: {sklearn: {pickled_model: model.pkl}}", UnsafeModel),
        (
            "MLmodel",
            "flavors: {sklearn: {pickled_model: ../x.skops, serialization_format: skops}}",
            BadModelFolder,
        ),
        ("model.skops", "not a zip", BadModelFolder),
    ],
)
def test_a_broken_folder_is_refused(
    tmp_path: Path, file: str, content: str, error: type[Exception]
) -> None:
    frame = table()
    save_model(pipeline(LogisticRegression()).fit(frame, labels(frame)), tmp_path / "m")
    (tmp_path / "m" / file).write_text(content)
    with pytest.raises(error):
        load_model(tmp_path / "m")


@pytest.mark.parametrize(("labels", "true"), [((0, 1), 1), ((False, True), True)])
def test_a_folder_that_names_no_positive_class_means_what_is_true(
    tmp_path: Path, labels: tuple[Any, Any], true: object
) -> None:
    frame = table()
    told = np.where(np.arange(len(frame)) % 2, labels[1], labels[0])
    save_model(pipeline(LogisticRegression()).fit(frame, told), tmp_path)
    text = (tmp_path / "MLmodel").read_text()
    named = f"positive: {json.dumps(true)}"
    assert named in text
    (tmp_path / "MLmodel").write_text(text.replace(named, "positive: null"))
    loaded = load_model(tmp_path)
    assert loaded.positive == true
    for answer in loaded.predict_records(records(frame.head(5))):
        assert answer["score"] == answer["probabilities"][str(true)]


def test_the_archive_holds_no_address_and_no_time(fitted: Pipeline, tmp_path: Path) -> None:
    save_model(fitted, tmp_path / "m")
    with zipfile.ZipFile(tmp_path / "m" / "model.skops") as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert "000000.npy" in archive.namelist()


def test_a_bare_estimator_tells_its_columns(fitted: Pipeline, tmp_path: Path) -> None:
    save_model(fitted, tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    assert {column.name: column.type for column in loaded.signature} == {
        "age": "double",
        "income": "double",
        "town": "string",
        "member": "double",
        "debt": "double",
    }
    assert loaded.predict_records([{"age": 3, "town": "Paris"}])


def test_the_materializer_keeps_estimators_and_trained_models(
    fitted: Pipeline, tmp_path: Path
) -> None:
    frame = table()
    keeper = ModelMaterializer()
    assert keeper.handles(Pipeline)
    assert keeper.handles(LogisticRegression)
    assert keeper.handles(TrainedModel)
    assert keeper.handles(LGBMClassifier)
    assert not keeper.handles(dict)
    trained = TrainedModel(
        estimator=fitted, example=frame, signature=Signature(target="status"), metadata={"n": 1}
    )
    metadata = keeper.save(trained, tmp_path / "a")
    keeper.save(trained, tmp_path / "b")
    assert keeper.digest(tmp_path / "a") == keeper.digest(tmp_path / "b")
    assert metadata["target"] == "status"
    assert metadata["flavor"] == "sklearn"
    estimator = keeper.load(tmp_path / "a", metadata, Pipeline)
    assert isinstance(estimator, Pipeline)
    again = keeper.load(tmp_path / "a", metadata, TrainedModel)
    assert isinstance(again, TrainedModel)
    assert again.metadata == {"n": 1}
    assert again.signature is not None
    assert again.signature.classes == ("gone", "here")
    loaded = keeper.load(tmp_path / "a", metadata, LoadedModel)
    assert isinstance(loaded, LoadedModel)
    assert loaded.predict_table(frame) == load_model(tmp_path / "b").predict_table(frame)


@pytest.mark.parametrize(
    "counter", [CountVectorizer(), TfidfVectorizer(), HashingVectorizer(n_features=64)]
)
@pytest.mark.parametrize("example", [True, False])
def test_a_counter_of_words_reads_the_texts_and_not_their_column_s_name(
    tmp_path: Path, counter: Any, *, example: bool
) -> None:
    texts = pd.DataFrame({"text": ["good day", "bad night", "good night", "bad day"] * 5})
    estimator = make_pipeline(counter, LogisticRegression()).fit(texts["text"], ["p", "n"] * 10)
    save_model(estimator, tmp_path / "model", example=texts if example else None)
    model = load_model(tmp_path / "model")
    assert model.signature == (InputColumn(name="text", type="string"),)
    answers = model.predict_records([{"text": text} for text in texts["text"]])
    assert [answer["label"] for answer in answers] == [*estimator.predict(texts["text"])]
    assert model.predict_table(texts) == answers
    assert model.probabilities(texts).shape == (20, 2)


def test_a_classifier_of_several_targets_tells_its_labels_as_values(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0] * 5})
    truth = np.c_[frame["a"] > 1, frame["a"] % 2].astype(int)
    estimator = DecisionTreeClassifier().fit(frame, truth)
    save_model(estimator, tmp_path / "model", example=frame)
    model = load_model(tmp_path / "model")
    assert (model.classes, model.task) == ((), "regression")
    assert [answer["score"] for answer in model.predict_table(frame)] == truth.tolist()
