"""The classification pipeline: a table with a label in, a registered and served model out.

    check -> split -> train x 2 in parallel -> evaluate -> choose -> report -> gate -> register
    -> deploy

Every step is a plain function: import it, call it, test it. `check` finds out what may be learnt
from, `split` keeps a holdout that no model sees, both models are judged on the validation rows,
the better one on the holdout, where it must also beat the model in office.
"""

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from lightgbm import LGBMClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline

from athanor import operation, pipeline, step
from athanor.app.gallery.encoding import encoder, features
from athanor.app.gallery.errors import NoSuchColumn, OtherTarget
from athanor.app.gallery.tables import (
    columns_to_learn,
    labelled_rows,
    plain_labels,
    positive_label,
)
from athanor.data.logic.leakage import find_leaks
from athanor.pipelines.authoring import If
from athanor.registry import Signature, TrainedModel
from athanor.registry.packaging import LoadedModel
from athanor.registry.packaging.frames import infer_inputs
from athanor.responsible.logic.evaluation import Subject
from athanor.responsible.logic.evaluation import evaluate as evaluation
from athanor.responsible.logic.gate import judge
from athanor.responsible.logic.metrics import binary_metrics, multiclass_metrics
from athanor.responsible.logic.page import page

HOLDOUT = 0.2
"""Share of the rows that no model sees before the gate."""
VALIDATION = 0.2
"""Share of the other rows that decides between the two models."""
FEW = 50
"""Rows of a class in the holdout below which their number is not left to chance."""
WEIGHT = "row weight"
"""The column that tells how much a training row counts."""


class Checked(NamedTuple):
    """Labelled rows, and what is to be learnt from them."""

    table: pd.DataFrame
    plan: dict[str, Any]


class Rows(NamedTuple):
    """The parts of the rows."""

    train: pd.DataFrame
    validation: pd.DataFrame
    holdout: pd.DataFrame
    about: dict[str, Any]


class Chosen(NamedTuple):
    """The better model."""

    model: Annotated[LoadedModel, "model"]
    name: str
    reason: str


class Reported(NamedTuple):
    """How good the chosen model is on rows that nothing was decided on."""

    report: Annotated[Path, "report"]
    metrics: dict[str, float]


class Gated(NamedTuple):
    """What the gate said."""

    verdict: dict[str, Any]
    passed: bool
    record: Annotated[dict[str, Any], "verdict"]


@step
def check(
    data: pd.DataFrame,
    target: str,
    id: str,
    time: str,
    sensitive: str,
    positive: str,
    keep: list[str] | None = None,
) -> Checked:
    """Find out what may be learnt from: labels, kinds of columns, leaks; say what is left out."""
    for role, name in (("id", id), ("time", time), ("sensitive column", sensitive)):
        if name and name not in data.columns:
            raise NoSuchColumn(role, name, data.columns)
    table, notes = labelled_rows(data, target)
    table = table.loc[:, [str(column) for column in table.columns]]
    ignored = tuple(name for name in (id, time) if name)
    leaks = find_leaks(pa.Table.from_pandas(table, preserve_index=False), target, ignore=ignored)
    columns, left_out = columns_to_learn(
        table,
        {"target": target, "id": id, "time": time},
        {leak.column: leak.score for leak in leaks},
        keep or (),
    )
    for leak in leaks:
        if leak.column in (keep or ()):
            notes.append(f"Kept as it was asked for, though {leak.reason}")
    if sensitive in {column["name"] for column in columns}:
        notes.append(f"The model reads the sensitive column {sensitive!r}, as the table holds it.")
    for item in left_out:
        print(f"left out {item['column']!r}: {item['reason']}")
    for note in notes:
        print(note)
    plan = {
        "target": target,
        "positive": positive_label(table[target], positive),
        "classes": sorted(table[target].unique().tolist(), key=str),
        "columns": columns,
        "left_out": left_out,
        "leaks": [leak.column for leak in leaks],
        "notes": notes,
        "id": id,
        "time": time,
        "sensitive": sensitive,
    }
    return Checked(table, plan)


@step
def split(
    table: pd.DataFrame,
    plan: dict[str, Any],
    seed: int,
    *,
    shuffle_labels: bool,
    fresh: pd.DataFrame | None = None,
) -> Rows:
    """Part the rows: the latest fifth by time, or a fifth by a hash of each row, is the holdout.

    A row's hash does not change, so that a row of the holdout is on no later version's training
    side, and the model in office has not learnt from it. With `fresh` labelled rows, the holdout
    is half of them, which nobody has learnt from either; the other half is learnt from together
    with `table`, and weighs as much as it.
    `shuffle_labels` spoils the training labels on purpose: a model that must lose at the gate.
    """
    target, notes = plan["target"], []
    if fresh is None:
        rest, holdout, how = parted(table, plan, HOLDOUT, seed)
        train, validation, _ = parted(rest, plan, VALIDATION, seed + 1)
        train = train.assign(**{WEIGHT: 1.0})
        notes.append(f"The holdout is {len(holdout):,} of {len(table):,} rows, {how}.")
    else:
        fresh, timeless = known_labels(fresh, table, plan), {**plan, "time": ""}
        learnt, holdout, how = parted(fresh, timeless, 0.5, seed)
        learnt, validation, _ = parted(learnt, timeless, VALIDATION, seed + 1)
        weight = len(table) / len(learnt)
        train = pd.concat(
            [table.assign(**{WEIGHT: 1.0}), learnt.assign(**{WEIGHT: weight})], ignore_index=True
        )
        notes.append(f"The holdout is {len(holdout):,} of {len(fresh):,} fresh rows, {how}.")
        notes.append(f"{len(learnt):,} fresh rows weigh {weight:.1f} in training, the others 1.")
    if shuffle_labels:
        order = np.random.default_rng(seed).permutation(len(train))
        train = train.assign(**{target: train[target].to_numpy()[order]})
        notes.append("The labels of the training rows were shuffled on purpose.")
    for note in notes:
        print(note)
    about = {
        "notes": notes,
        "rows": {"train": len(train), "validation": len(validation), "holdout": len(holdout)},
        "shuffled_labels": shuffle_labels,
        "fresh": fresh is not None,
    }
    return Rows(train, validation, holdout, about)


def parted(
    rows: pd.DataFrame, plan: dict[str, Any], share: float, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """(first part, second part, how): the second holds `share` of the rows and every class.

    Of a class of which chance could leave it few rows (fewer than 50 expected) it holds exactly
    its share; there a row may change sides as rows are added.
    """
    target, time = plan["target"], plan["time"]
    if time and time in rows and rows[time].notna().all():
        place = rows[time].rank(method="first").to_numpy()
        late, how = place > len(rows) - round(len(rows) * share), f"the latest by {time!r}"
    else:
        hashes = row_hashes(rows, plan["id"], seed)
        late, how = hashes < share, "drawn by a hash of each row"
        for places in rows.groupby(target, sort=False).indices.values():
            wanted = round(len(places) * share)
            if 0 < wanted < FEW:
                limit = np.partition(hashes[places], wanted - 1)[wanted - 1]
                late[places] = hashes[places] <= limit
    labels = rows[target].to_numpy()
    if set(labels[late]) != set(labels[~late]):
        drawn = train_test_split(
            np.arange(len(rows)), test_size=share, stratify=labels, random_state=seed
        )
        late, how = np.isin(np.arange(len(rows)), drawn[1]), "drawn at random by label"
    return rows.loc[~late].reset_index(drop=True), rows.loc[late].reset_index(drop=True), how


def row_hashes(rows: pd.DataFrame, id: str, seed: int) -> Any:
    """A number from 0 to 1 for each row: of its id where every row has its own, else of all of it.

    Equal rows have equal numbers, so that no row is on both sides.
    """
    named = id and id in rows and rows[id].is_unique and rows[id].notna().all()
    hashes = pd.util.hash_pandas_object(rows[[id]] if named else rows, index=False).to_numpy()
    mixed = pd.util.hash_array(hashes ^ np.uint64((seed * 0x9E3779B97F4A7C15) % 2**64))
    return mixed / 2.0**64


def known_labels(fresh: pd.DataFrame, table: pd.DataFrame, plan: dict[str, Any]) -> pd.DataFrame:
    """Fresh rows in the table's columns, with labels that it knows."""
    target = plan["target"]
    if target not in fresh and "label" in fresh:
        fresh = fresh.rename(columns={"label": target})
    if target not in fresh:
        raise NoSuchColumn("target of the fresh rows", target, fresh.columns)
    if plan["time"] and plan["time"] not in fresh and "predicted_at" in fresh:
        fresh = fresh.rename(columns={"predicted_at": plan["time"]})
    fresh = fresh.reindex(columns=table.columns)
    fresh = fresh.assign(
        **{name: as_kind_of(fresh[name], table[name]) for name in table.columns if name != target}
    )
    fresh = fresh.loc[fresh[target].notna()]
    labels = plain_labels(fresh[target])
    by_text = {str(label): label for label in plan["classes"]}
    told = [by_text.get(str(label)) for label in (fresh[target] if labels is None else labels)]
    fresh = fresh.assign(**{target: pd.Series(told, index=fresh.index, dtype=object)})
    known: pd.DataFrame = fresh.loc[fresh[target].notna()].astype({target: table[target].dtype})
    return known


def as_kind_of(values: pd.Series, like: pd.Series) -> pd.Series:
    """Values in the type of an earlier column; what does not fit is missing."""
    if pd.api.types.is_datetime64_any_dtype(like):
        found = pd.to_datetime(values, utc=True, errors="coerce")
        zone = getattr(like.dt, "tz", None)
        return found.dt.tz_convert(zone) if zone else found.dt.tz_localize(None)
    if pd.api.types.is_bool_dtype(like):
        return values
    if pd.api.types.is_numeric_dtype(like):
        return pd.to_numeric(values, errors="coerce")
    if pd.api.types.is_datetime64_any_dtype(values):
        return values.astype(str)
    return values


@step
def train_logistic(
    train: pd.DataFrame, plan: dict[str, Any], about: dict[str, Any], seed: int
) -> Annotated[TrainedModel, "model"]:
    """Logistic regression on scaled numbers and one column a category level."""
    final = LogisticRegression(max_iter=2000, random_state=seed)
    return fitted(final, train, plan, about, scale=True)


@step
def train_lightgbm(
    train: pd.DataFrame, plan: dict[str, Any], about: dict[str, Any], seed: int
) -> Annotated[TrainedModel, "model"]:
    """Boosted trees, one thread and row-wise histograms, so that equal work gives equal trees."""
    final = LGBMClassifier(
        n_estimators=200,
        learning_rate=0.08,
        num_leaves=31,
        min_child_samples=20,
        subsample=0.9,
        subsample_freq=1,
        colsample_bytree=0.8,
        reg_lambda=1.0,
        random_state=seed,
        n_jobs=1,
        deterministic=True,
        force_row_wise=True,
        verbose=-1,
    )
    return fitted(final, train, plan, about, scale=False)


def fitted(
    final: Any, train: pd.DataFrame, plan: dict[str, Any], about: dict[str, Any], *, scale: bool
) -> TrainedModel:
    """The encoder and a final model, fitted on raw columns, with what serving needs to know."""
    columns, target = plan["columns"], plan["target"]
    rows = features(train, columns)
    model = Pipeline([("encode", encoder(rows, columns, scale=scale)), ("model", final)])
    model.fit(rows, train[target].to_numpy(), model__sample_weight=train[WEIGHT].to_numpy())
    raw = train[[column["name"] for column in columns]]
    classes = tuple(label.item() if hasattr(label, "item") else label for label in model.classes_)
    signature = Signature(
        inputs=infer_inputs(raw),
        target=target,
        task="binary" if len(classes) == 2 else "multiclass",
        classes=classes,
        positive=plan["positive"],
    )
    metadata = {"algorithm": type(final).__name__, "training": about, "left_out": plan["left_out"]}
    return TrainedModel(estimator=model, example=raw, signature=signature, metadata=metadata)


@step
def evaluate(model: LoadedModel, rows: pd.DataFrame) -> dict[str, float]:
    """The figures of one model on labelled rows."""
    truth, chances = answers(model, rows)
    if model.positive is None:
        found = multiclass_metrics(truth, chances)
    else:
        index = model.classes.index(model.positive)
        found = binary_metrics(truth == index, np.ascontiguousarray(chances[:, index]))
    return {name: estimate.value for name, estimate in found.items()}


def answers(model: LoadedModel, rows: pd.DataFrame) -> tuple[Any, Any]:
    """(class index of each row's label, probabilities), in the order of the model's classes."""
    known = {label: index for index, label in enumerate(model.classes)}
    truth = rows[model.target].map(known).to_numpy(dtype=np.int64)
    return truth, model.probabilities(rows)


@step
def choose(
    logistic: LoadedModel,
    lightgbm: LoadedModel,
    logistic_metrics: dict[str, float],
    lightgbm_metrics: dict[str, float],
) -> Chosen:
    """The model with the greater ROC AUC on the validation rows; the simpler one where equal."""
    areas = {"logistic": logistic_metrics["roc_auc"], "lightgbm": lightgbm_metrics["roc_auc"]}
    name = "lightgbm" if areas["lightgbm"] > areas["logistic"] else "logistic"
    told = ", ".join(f"{key} {area:.4f}" for key, area in areas.items())
    reason = f"{name} ranks the validation rows best (ROC AUC: {told})."
    print(reason)
    return Chosen(lightgbm if name == "lightgbm" else logistic, name, reason)


@step
def report(
    model: LoadedModel,
    holdout: pd.DataFrame,
    plan: dict[str, Any],
    about: dict[str, Any],
    name: str,
) -> Reported:
    """The evaluation report of the chosen model on the holdout, as a page and as JSON."""
    subject = Subject(
        estimator=model.estimator,
        predict=model.probabilities,
        columns=[column.name for column in model.signature],
        target=model.target,
        classes=model.classes,
        positive=model.positive,
        sensitive=plan["sensitive"],
        title=f"Evaluation of {name}",
        facts={
            "model": model.description.metadata.get("algorithm", ""),
            "rows": about["rows"],
            "left out": [f"{item['column']} ({item['reason']})" for item in plan["left_out"]],
            "notes": [*plan["notes"], *about["notes"]],
        },
    )
    found = evaluation(subject, holdout)
    folder = Path(tempfile.mkdtemp(dir=".")) / "report"
    folder.mkdir()
    (folder / "report.json").write_text(json.dumps(found, ensure_ascii=False, indent=1))
    (folder / "report.html").write_text(page(found))
    metrics = {key: item["value"] for key, item in found["metrics"].items()}
    return Reported(folder, {key: value for key, value in metrics.items() if value is not None})


@step
def gate(model: LoadedModel, holdout: pd.DataFrame, champion: LoadedModel | None = None) -> Gated:
    """Whether the model may take over: a paired test against the one in office on the same rows.

    Raises: OtherTarget where the one in office predicts another column.
    """
    if champion is not None and champion.target not in {"", model.target}:
        raise OtherTarget(model.target, champion.target)
    truth, chances = answers(model, holdout)
    rival = None if champion is None else aligned(champion, model, holdout)
    positive = 1 if model.positive is None else model.classes.index(model.positive)
    found = judge(truth, chances, rival, positive=positive, names=tuple(map(str, model.classes)))
    print(found.reason)
    verdict = {
        "gate": found.gate,
        "passed": found.passed,
        "reason": found.reason,
        "measured": found.measured,
    }
    return Gated(verdict, found.passed, verdict)


def aligned(champion: LoadedModel, model: LoadedModel, rows: pd.DataFrame) -> Any:
    """The champion's probabilities in the order of the challenger's classes."""
    told = champion.probabilities(rows)
    columns = {str(label): told[:, index] for index, label in enumerate(champion.classes)}
    nothing = np.zeros(len(rows))
    return np.column_stack([columns.get(str(label), nothing) for label in model.classes])


@pipeline
def classification(  # noqa: PLR0913 - a parameter a choice
    data: pd.DataFrame,
    target: str,
    name: str,
    *,
    id: str = "",
    time: str = "",
    sensitive: str = "",
    positive: str = "",
    keep: list[str] | None = None,
    seed: int = 0,
    shuffle_labels: bool = False,
    endpoint: str = "",
    canary: int = 0,
    patience: int = 60,
    fresh: pd.DataFrame | None = None,
    champion: LoadedModel | None = None,
) -> None:
    """Train, evaluate, gate, register and serve a classifier of `target`.

    Args:
        data: the table, such as `dataset:churn@latest`.
        target: the column with the label.
        name: of the model in the registry.
        id: a column that identifies rows; not learnt from.
        time: a column to part the rows by; not learnt from.
        sensitive: a column whose groups the report compares.
        positive: the class that `score` is the probability of; found out where empty.
        keep: columns to learn from though they leak the target, or look like identifiers.
        seed: of every random choice.
        shuffle_labels: spoil the training labels on purpose: a model that must lose at the gate.
        endpoint: where to serve the model; "" for nowhere.
        canary: percent of the endpoint's traffic that it begins with; 0 for all at once.
        patience: seconds without traffic after which the canary is asked what was logged before.
        fresh: labelled rows that came later, such as `labelled:churn`.
        champion: the model in office, such as `model:churn@champion`.
    """
    checked = check(data, target, id, time, sensitive, positive, keep)
    rows = split(checked.table, checked.plan, seed, shuffle_labels=shuffle_labels, fresh=fresh)
    # A step hands on what it returns as what the next one's hint asks for: a model comes loaded.
    logistic: Any = train_logistic(rows.train, checked.plan, rows.about, seed)
    lightgbm: Any = train_lightgbm(rows.train, checked.plan, rows.about, seed)
    logistic_metrics = evaluate(logistic, rows.validation)
    lightgbm_metrics = evaluate(lightgbm, rows.validation)
    chosen = choose(logistic, lightgbm, logistic_metrics, lightgbm_metrics)
    reported = report(chosen.model, rows.holdout, checked.plan, rows.about, name)
    gated = gate(chosen.model, rows.holdout, champion)
    registered = operation(
        "model.register",
        outputs={"registered": bool, "version": int, "reference": str, "reason": str},
    )(
        model=chosen.model,
        name=name,
        metrics=reported.metrics,
        verdict=gated.verdict,
    )
    with If(registered.registered), If(endpoint != ""):
        operation("endpoint.deploy")(
            endpoint=endpoint, model=registered.reference, canary=canary, patience=patience
        )
