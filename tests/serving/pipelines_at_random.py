"""Pipelines of scikit-learn's own parts, drawn at random: for the tests of folding."""

import random
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import (
    RFE,
    SelectFromModel,
    SelectKBest,
    SelectPercentile,
    VarianceThreshold,
    f_regression,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    HuberRegressor,
    Lasso,
    LassoCV,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    Perceptron,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import LinearSVC, LinearSVR


def drawn(seed: int) -> tuple[Any, pd.DataFrame]:
    """A fitted pipeline, and the rows that it was fitted on."""
    source, choice = np.random.default_rng(seed), random.Random(seed)
    rows = _rows(source)
    task = choice.choice(["binary", "several", "values"])
    signal = rows.iloc[:, 0].fillna(0)
    signal = (signal - signal.mean()) / (signal.std() + 1e-9) + source.normal(size=len(rows))
    truth = {
        "binary": np.where(signal > 0, "yes", "no"),
        "several": np.select([signal < -0.5, signal < 0.5], ["low", "mid"], "high"),
        "values": np.abs(signal.to_numpy()) + 0.1,
    }[task]
    while True:
        try:
            return _pipeline(choice, rows, task).fit(rows, truth), rows
        except ValueError:  # scikit-learn refuses it: a selector may have left too few columns
            continue


def _rows(source: np.random.Generator, count: int = 200) -> pd.DataFrame:
    rows = pd.DataFrame(
        {
            f"n{place}": source.normal(
                source.choice([0, 100, -5]), source.choice([1, 50, 0.1]), count
            )
            for place in range(source.integers(1, 6))
        }
    )
    rows["count"] = source.integers(0, 9, count)
    for place in range(source.integers(0, 4)):
        known = list("abcdefgh")[: source.integers(2, 9)]
        rows[f"c{place}"] = source.choice(known, count).astype(object)
    if source.random() < 0.6:
        for name in rows.columns:
            if name != "count" and source.random() < 0.5:
                rows.loc[source.random(count) < 0.1, name] = np.nan
    return rows


def _pipeline(choice: random.Random, rows: pd.DataFrame, task: str) -> Pipeline:
    names = [str(name) for name in rows]
    texts = [name for name in names if name.startswith("c") and name != "count"]
    numbers = [name for name in names if name not in texts]
    parts = [("numbers", _scaled(choice), numbers)]
    if texts:
        parts.append(("texts", _encoded(choice, task), texts))
    choice.shuffle(parts)
    rest, density = choice.choice(["drop", "passthrough"]), choice.choice([0, 0.3])
    first = ColumnTransformer(parts, remainder=rest, sparse_threshold=density)
    selector, final = _regression(choice) if task == "values" else _classification(choice)
    steps = [("first", first), ("selector", selector), ("final", final)]
    return Pipeline([step for step in steps if step[1] is not None])


def _scaled(choice: random.Random) -> Any:
    imputers = [
        SimpleImputer(
            strategy=choice.choice(["mean", "median", "most_frequent"]),
            add_indicator=choice.random() < 0.3,
        ),
        SimpleImputer(strategy="constant", fill_value=-1),
    ]
    through_missing = [
        StandardScaler(),
        MinMaxScaler(clip=choice.random() < 0.5),
        MaxAbsScaler(),
        RobustScaler(),
        PowerTransformer(),
        QuantileTransformer(
            n_quantiles=50, output_distribution=choice.choice(["uniform", "normal"])
        ),
    ]
    others = [
        KBinsDiscretizer(
            encode=choice.choice(["ordinal", "onehot"]),
            quantile_method="averaged_inverted_cdf",
        ),
        Binarizer(),
        Normalizer(norm=choice.choice(["l1", "l2", "max"])),
        PolynomialFeatures(2, interaction_only=choice.random() < 0.5),
        FunctionTransformer(np.arcsinh),
        PCA(1),
        "passthrough",
    ]
    scaler = choice.choice([*through_missing, *others])
    first = choice.choice(imputers)
    behind = scaler in through_missing and choice.random() < 0.2
    return make_pipeline(scaler, first) if behind else make_pipeline(first, scaler)


def _encoded(choice: random.Random, task: str) -> Any:
    ignoring = OneHotEncoder(handle_unknown="ignore")
    encoders = [
        ignoring,
        OneHotEncoder(drop="first", handle_unknown="ignore"),
        OneHotEncoder(min_frequency=0.15, handle_unknown="infrequent_if_exist"),
        OneHotEncoder(),
        OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
        ),
        TargetEncoder() if task != "several" else ignoring,
    ]
    imputers = [
        None,
        SimpleImputer(strategy="most_frequent"),
        SimpleImputer(strategy="constant", fill_value="none"),
    ]
    encoder, imputer = choice.choice(encoders), choice.choice(imputers)
    return encoder if imputer is None else make_pipeline(imputer, encoder)


def _regression(choice: random.Random) -> tuple[Any, Any]:
    selectors = [
        None,
        SelectKBest(f_regression, k=2),
        VarianceThreshold(),
        SelectFromModel(Lasso(0.01)),
    ]
    finals = [
        LinearRegression(),
        Ridge(),
        Lasso(0.01),
        ElasticNet(0.01),
        BayesianRidge(),
        HuberRegressor(),
        SGDRegressor(random_state=0),
        LinearSVR(random_state=0),
        PoissonRegressor(),
        TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1),
        QuantileRegressor(alpha=0.01),
        LassoCV(),
    ]
    return choice.choice(selectors), choice.choice(finals)


def _classification(choice: random.Random) -> tuple[Any, Any]:
    selectors = [
        None,
        SelectKBest(k=2),
        VarianceThreshold(),
        SelectFromModel(LogisticRegression()),
        SelectPercentile(percentile=60),
        RFE(LogisticRegression(), n_features_to_select=2),
    ]
    finals = [
        LogisticRegression(max_iter=200),
        LogisticRegression(C=0.1),
        LogisticRegressionCV(cv=2, max_iter=100),
        SGDClassifier(loss="log_loss", random_state=0),
        SGDClassifier(loss="hinge", random_state=0),
        RidgeClassifier(),
        LinearSVC(random_state=0),
        LinearDiscriminantAnalysis(),
        SGDClassifier(loss="modified_huber", random_state=0),
        Perceptron(random_state=0),
    ]
    return choice.choice(selectors), choice.choice(finals)
