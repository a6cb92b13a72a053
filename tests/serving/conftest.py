"""Workers, planes and models for the tests of serving."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from athanor.app import house as house_module
from athanor.app.house import House
from athanor.kernel.database import Database
from athanor.kernel.permissions import OWNER
from athanor.kernel.settings import load_settings
from athanor.kernel.workers import Workers
from athanor.kernel.zygote import HEAVY_MODULES, choose_workers
from athanor.lineage import Lineage
from athanor.registry import Models, NewModelVersion, Signature, TrainedModel
from athanor.registry.packaging import LoadedModel, load_model
from athanor.registry.packaging.materializer import ModelMaterializer
from athanor.serving import Deploy, Endpoints
from athanor.serving.supervisor import PlaneSettings
from athanor.testing.serving import Browser, RunningPlane, eventually, running_plane
from athanor.testing.serving_room import ServingRoom, serving_room, stored


@pytest.fixture(scope="session")
def warm_workers() -> Iterator[Workers]:
    workers = choose_workers(HEAVY_MODULES)
    workers.start()
    yield workers
    workers.close()


@pytest.fixture(autouse=True)
def _browsers_are_closed() -> Iterator[None]:
    yield
    while Browser.opened:
        Browser.opened.pop().close()


@pytest.fixture
def plane(tmp_path: Path, warm_workers: Workers) -> Iterator[RunningPlane]:
    with running_plane(tmp_path, warm_workers) as running:
        yield running


@pytest.fixture
def room(tmp_path: Path, sqlite: Database, warm_workers: Workers) -> Iterator[ServingRoom]:
    settings = PlaneSettings(seal_seconds=3600.0)
    with serving_room(tmp_path, sqlite, warm_workers, settings) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Trained:
    """A packaged model and rows to ask it about."""

    folder: Path
    description: dict[str, Any]
    model: LoadedModel
    rows: pd.DataFrame
    truth: list[str]

    @property
    def records(self) -> list[dict[str, Any]]:
        return [
            {str(name): None if pd.isna(value) else value for name, value in row.items()}
            for row in self.rows.to_dict("records")
        ]


def bank(count: int, seed: int) -> tuple[pd.DataFrame, "np.ndarray[Any, Any]"]:
    """Mixed columns with missing values, and a label that depends on some of them."""
    source = np.random.default_rng(seed)
    rows = pd.DataFrame(
        {
            "age": source.integers(18, 90, count),
            "balance": np.where(source.random(count) < 0.1, np.nan, source.normal(0, 1e4, count)),
            "trend": source.normal(size=count),
            "card": source.choice(["blue", "silver", "gold"], count),
            "region": source.choice(list("abcdef"), count),
        }
    )
    risk = rows.trend + 0.02 * (rows.age - 50) + (rows.card == "gold") + source.normal(size=count)
    return rows, np.where(risk > 0.3, "left", "stayed")


def train(folder: Path, *, seed: int, contrary: bool = False) -> Trained:
    rows, truth = bank(600, seed)
    labels = np.where(truth == "left", "stayed", "left") if contrary else truth
    estimator = make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), ["age", "balance", "trend"]),
            (OneHotEncoder(handle_unknown="ignore"), ["card", "region"]),
        ),
        LogisticRegression(max_iter=500, C=0.1 if seed % 2 else 1.0),
    ).fit(rows, labels)
    description = ModelMaterializer().save(
        TrainedModel(
            estimator=estimator, example=rows, signature=Signature(target="churn", task="")
        ),
        folder,
    )
    fresh, fresh_truth = bank(300, seed + 1000)
    return Trained(folder, description, load_model(folder), fresh, list(fresh_truth))


@pytest.fixture(scope="session")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(tmp_path_factory.mktemp("champion") / "model", seed=2)


@pytest.fixture(scope="session")
def challenger(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(tmp_path_factory.mktemp("challenger") / "model", seed=3)


@pytest.fixture(scope="session")
def worse(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Trained on the contrary of the truth."""
    return train(tmp_path_factory.mktemp("worse") / "model", seed=5, contrary=True)


def described(trained: Trained) -> dict[str, Any]:
    return asdict(trained.model.description.signature) | trained.description


class KeptWorkers:
    """The session's warm workers, which no house ends."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    @property
    def warm(self) -> bool:
        return self._workers.warm

    def start(self) -> None:
        """They run."""

    def warm_up(self) -> None:
        """They are warm."""

    def close(self, grace: float = 2.0) -> None:
        """They are the session's."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._workers, name)


@contextmanager
def opened_house(
    workspace: Path, workers: Workers, patch: pytest.MonkeyPatch, *, serving: bool = True
) -> Iterator[House]:
    """A whole platform on a workspace, as a server or as a command has it."""
    patch.setattr(house_module, "choose_workers", lambda *_, **__: KeptWorkers(workers))
    settings, _ = load_settings({"workspace": workspace, "port": 0}, {})
    house = House.open(settings, serving=serving)
    house.start()
    try:
        yield house
    finally:
        house.close()


def registered(house: House, trained: Trained, name: str = "churn") -> None:
    """Store a model and register it."""
    lineage: Lineage = house.services[Lineage]
    artifact = stored(house.storage, lineage, trained.folder, name, described(trained))
    house.services[Models].register(OWNER, NewModelVersion(model=name, artifact_id=artifact.id))


@pytest.fixture(scope="module")
def shop(
    tmp_path_factory: pytest.TempPathFactory, warm_workers: Workers, champion: Trained
) -> Iterator[House]:
    """A server with one endpoint, `churn`, that answers."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("shop") / "workspace"
        with opened_house(folder, warm_workers, patch) as house:
            registered(house, champion)
            endpoints = house.services[Endpoints]
            endpoints.deploy(OWNER, "churn", Deploy(model="churn", key="card"))
            assert eventually(lambda: endpoints.get(OWNER, "churn").live is not None)
            yield house
