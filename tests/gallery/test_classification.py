"""The pipeline's functions on public tables, called as they stand."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from athanor.app.gallery import classification as steps
from athanor.app.gallery.errors import OtherTarget
from athanor.registry.packaging import LoadedModel
from athanor.registry.packaging.materializer import ModelMaterializer

pytestmark = pytest.mark.filterwarnings("ignore:X does not have valid feature names")


class Outcome:
    """What one walk through the pipeline gave."""

    def __init__(self, data: pd.DataFrame, folder: Path, **given: Any) -> None:
        roles = {key: given.get(key, "") for key in ("id", "time", "sensitive", "positive")}
        self.checked = steps.check(data, given["target"], **roles)
        plan = self.checked.plan
        self.rows = steps.split(
            self.checked.table,
            plan,
            given.get("seed", 0),
            shuffle_labels=given.get("shuffle_labels", False),
            fresh=given.get("fresh"),
        )
        self.digests: list[str] = []
        models: list[Any] = []
        metrics: list[Any] = []
        for train in (steps.train_logistic, steps.train_lightgbm):
            trained = train(self.rows.train, plan, self.rows.about, given.get("seed", 0))
            models.append(self.kept(trained, folder / train.name))
            metrics.append(steps.evaluate(models[-1], self.rows.validation))
        self.chosen = steps.choose(models[0], models[1], metrics[0], metrics[1])
        self.reported = steps.report(
            self.chosen.model, self.rows.holdout, plan, self.rows.about, "churn"
        )
        self.gated = steps.gate(self.chosen.model, self.rows.holdout, given.get("champion"))

    def kept(self, trained: Any, folder: Path) -> LoadedModel:
        keeper = ModelMaterializer()
        folder.mkdir(parents=True)
        metadata = keeper.save(trained, folder)
        self.digests.append(keeper.digest(folder))
        loaded = keeper.load(folder, metadata, LoadedModel)
        assert isinstance(loaded, LoadedModel)
        return loaded


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def churners(data_folder: Path) -> pd.DataFrame:
    return pd.read_csv(data_folder / "bank_churners" / "BankChurners.csv")


CHURN = {"target": "Attrition_Flag", "id": "CLIENTNUM", "sensitive": "Gender"}


def test_bank_churners(churners: pd.DataFrame, tmp_path: Path) -> None:
    first = Outcome(churners, tmp_path / "first", **CHURN)
    left = {item["column"] for item in first.checked.plan["left_out"]}
    assert sum(name.startswith("Naive_Bayes") for name in left) == 2
    assert left >= {"CLIENTNUM"}
    assert first.reported.metrics["roc_auc"] >= 0.985
    assert first.chosen.model.positive == "Attrited Customer"
    assert first.gated.passed
    assert {path.name for path in first.reported.report.iterdir()} == {"report.json", "report.html"}

    again = Outcome(churners, tmp_path / "again", **CHURN)
    assert again.digests == first.digests
    assert again.reported.report.joinpath("report.json").read_bytes() == (
        first.reported.report.joinpath("report.json").read_bytes()
    )

    shuffled = Outcome(
        churners,
        tmp_path / "shuffled",
        **CHURN,
        shuffle_labels=True,
        champion=first.chosen.model,
    )
    assert not shuffled.gated.passed
    assert "The challenger is worse" in shuffled.gated.verdict["reason"]
    assert "shuffled on purpose" in " ".join(shuffled.rows.about["notes"])

    model, holdout = first.chosen.model, first.rows.holdout
    batch = model.predict_table(holdout)[:20]
    assert batch == [model.predict_table(holdout.iloc[[row]])[0] for row in range(20)]


@pytest.mark.parametrize(
    ("file", "target", "sensitive", "least"),
    [
        ("adult/adult_train.csv.gz", "income", "sex", 0.90),
        ("german_credit/german_credit.csv", "credit_risk", "", 0.65),
    ],
)
def test_other_tables(
    data_folder: Path, tmp_path: Path, file: str, target: str, sensitive: str, least: float
) -> None:
    data = pd.read_csv(data_folder / file)
    outcome = Outcome(data, tmp_path / "m", target=target, sensitive=sensitive)
    assert outcome.reported.metrics["roc_auc"] >= least
    assert outcome.gated.passed


def table(rows: int = 600, seed: int = 0, *, turned: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.normal(size=rows), "z": rng.choice(["a", "b"], rows)})
    raw = (-1 if turned else 1) * frame["x"] * 2 + (frame["z"] == "a") + rng.normal(size=rows)
    frame["y"] = np.where(raw > 0, "up", "down")
    frame["at"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(rows), unit="h")
    return frame


def test_a_challenger_that_learnt_the_change_wins_on_fresh_rows(tmp_path: Path) -> None:
    champion = Outcome(table(), tmp_path / "a", target="y").chosen.model
    fresh = table(seed=1, turned=True).rename(columns={"y": "label"}).drop(columns="at")
    challenger = Outcome(table(), tmp_path / "b", target="y", fresh=fresh, champion=champion)
    assert challenger.gated.passed
    assert challenger.gated.verdict["measured"]["rows"] == len(challenger.rows.holdout)
    same = Outcome(table(), tmp_path / "c", target="y", champion=champion)
    assert not same.gated.passed
    assert "no better" in same.gated.verdict["reason"]


def test_a_model_of_another_target_is_not_compared(tmp_path: Path) -> None:
    first = Outcome(table(), tmp_path / "a", target="y")
    other = Outcome(table(), tmp_path / "b", target="z")
    with pytest.raises(OtherTarget, match="predicts 'y', and the new model is to predict 'z'"):
        steps.gate(other.chosen.model, other.rows.holdout, first.chosen.model)


def test_a_row_stays_on_its_side_in_the_next_version() -> None:
    first = table()
    plan = {"target": "y", "id": "", "time": ""}
    longer = pd.concat([table(seed=3), first], ignore_index=True)
    _, early, _ = steps.parted(first, plan, 0.2, 7)
    _, late, _ = steps.parted(longer, plan, 0.2, 7)
    assert set(early["x"]) == set(late["x"]) & set(first["x"])
    assert 0.15 < len(early) / len(first) < 0.25


@pytest.mark.parametrize("seed", range(5))
def test_a_rare_class_has_its_share_of_the_holdout(seed: int) -> None:
    rows = table(3000)
    rows["y"] = np.where(np.arange(3000) < 59, "fraud", "fine")
    rest, holdout, how = steps.parted(rows, {"target": "y", "id": "", "time": ""}, 0.2, seed)
    assert (holdout["y"] == "fraud").sum() == 12
    assert (rest["y"] == "fraud").sum() == 47
    assert 500 < len(holdout) < 700
    assert "hash" in how


def test_by_time_the_latest_rows_are_the_holdout() -> None:
    rows = table().sample(frac=1, random_state=1)
    first, second, how = steps.parted(rows, {"target": "y", "id": "", "time": "at"}, 0.2, 0)
    assert len(second) == 120
    assert first["at"].max() < second["at"].min()
    assert "latest" in how


def test_three_classes(tmp_path: Path) -> None:
    data = table()
    data.loc[data["x"] > 1, "y"] = "far"
    outcome = Outcome(data, tmp_path / "m", target="y", sensitive="z")
    assert outcome.chosen.model.task == "multiclass"
    assert outcome.gated.passed
    answer = outcome.chosen.model.predict_table(data.head(1))[0]
    assert set(answer["probabilities"]) == {"up", "down", "far"}
