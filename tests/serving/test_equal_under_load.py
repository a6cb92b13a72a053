"""Every answer under load equals what the model says in process, on public data sets."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from athanor.app.house import House
from athanor.kernel.permissions import OWNER
from athanor.registry import Signature, TrainedModel
from athanor.registry.packaging import load_model
from athanor.registry.packaging.materializer import ModelMaterializer
from athanor.serving import Deploy, Endpoints
from athanor.testing.serving import Browser, eventually
from tests.serving.conftest import Trained, registered

TOLERANCE = 1e-9
"""Of probabilities and values; labels are equal to the letter."""
CONNECTIONS = 8


def mixed(table: pd.DataFrame, target: str, head: Any) -> Any:
    """Numbers scaled, texts encoded, and a model at the end."""
    features = table.drop(columns=target)
    numbers = list(features.select_dtypes("number").columns)
    texts = [name for name in features.columns if name not in numbers]
    encoder = make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
    )
    return make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), numbers), (encoder, texts)
        ),
        head,
    ).fit(features, table[target])


def words(table: pd.DataFrame, target: str) -> Any:
    reader = make_column_transformer((TfidfVectorizer(max_features=2_000), "text"))
    return make_pipeline(reader, LogisticRegression()).fit(table[["text"]], table[target])


TABLES: dict[str, tuple[str, str, list[str], Callable[[pd.DataFrame, str], Any]]] = {
    "bank_churners": (
        "BankChurners.csv", "Attrition_Flag", ["CLIENTNUM"],
        lambda table, target: mixed(table, target, LGBMClassifier(n_estimators=40, verbose=-1)),
    ),
    "adult": (
        "adult_train.csv.gz", "income", [],
        lambda table, target: mixed(table, target, LogisticRegression(max_iter=200)),
    ),
    "bike_sharing": (
        "hour.csv", "cnt", ["instant", "dteday", "casual", "registered"],
        lambda table, target: mixed(table, target, RandomForestRegressor(20, random_state=1)),
    ),
    "penguins": (
        "penguins.csv", "species", [],
        lambda table, target: mixed(table, target, LogisticRegression(max_iter=500)),
    ),
    "digits": (
        "digits.csv.gz", "label", [],
        lambda table, target: RandomForestClassifier(20, random_state=1).fit(
            table.drop(columns=target), table[target]
        ),
    ),
    "sms_spam": ("sms_spam.csv", "label", [], words),
}  # fmt: skip


def trained(folder: Path, data: Path, name: str) -> Trained:
    file, target, dropped, fit = TABLES[name]
    table = pd.read_csv(data / name / file).drop(columns=dropped)
    table = table.dropna(subset=[target]).sample(min(len(table), 3_000), random_state=7)
    features = table.drop(columns=target)
    description = ModelMaterializer().save(
        TrainedModel(
            estimator=fit(table, target),
            example=features,
            signature=Signature(target=target, task=""),
        ),
        folder,
    )
    return Trained(folder, description, load_model(folder), features, list(table[target]))


def answers_equal(house: House, model: Trained, name: str, *, rows: int) -> None:
    """Ask for single rows and for several over many connections."""
    registered(house, model, name)
    endpoints: Endpoints = house.services[Endpoints]
    endpoints.deploy(OWNER, name.replace("_", "-"), Deploy(model=name))
    endpoint = name.replace("_", "-")

    def proved() -> bool:
        live = endpoints.get(OWNER, endpoint).live
        return live is not None and live.runtime is not None

    assert eventually(proved, 120.0)
    records = model.records[:rows]
    direct = model.model.predict_records(records)
    port = int(house.serving_url().rpartition(":")[2])
    wrong: list[Any] = []

    def ask(place: int) -> None:
        browser = Browser(port)
        for start in range(place, len(records), CONNECTIONS):
            size = 1 + (start % 3) * 5
            answer = browser.predict(records[start : start + size], endpoint)
            expected = direct[start : start + size]
            if answer.status != 200:
                wrong.append((start, answer.content))
                continue
            told = answer.body["predictions"]
            wrong.extend(pair for pair in zip(told, expected, strict=True) if not same(*pair))

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong[:3] == []


def same(told: dict[str, Any], expected: dict[str, Any]) -> bool:
    if told["probabilities"]:
        if told["label"] != expected["label"]:
            return False
        mine, theirs = (
            list(told["probabilities"].values()),
            list(expected["probabilities"].values()),
        )
    else:
        mine, theirs = [told["score"]], [expected["score"]]
    close = np.allclose(mine, theirs, rtol=TOLERANCE, atol=TOLERANCE)
    return close and abs(told["score"] - expected["score"]) <= TOLERANCE * max(1, abs(mine[0]))


@pytest.mark.soak
@pytest.mark.parametrize("name", sorted(TABLES))
def test_answers_under_load_equal_the_models_own(
    shop: House, data_folder: Path, tmp_path: Path, name: str
) -> None:
    model = trained(tmp_path / "model", data_folder, name)
    answers_equal(shop, model, name, rows=1_000)
