"""A features room of a test's own, with some customers' purchases in it."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from athanor.data import NewVersion, Roles
from athanor.features import (
    Definitions,
    Entity,
    FeatureService,
    FeatureView,
    Field,
    OnDemandView,
    SpineSource,
    TrainingRequest,
    ViewSource,
)
from athanor.kernel.database import Database
from athanor.kernel.permissions import OWNER
from athanor.testing import FixedClock
from athanor.testing.data import open_data_room
from athanor.testing.features import FeaturesRoom, open_features_room
from athanor.testing.redis import RedisMissing, running_redis
from tests.data.conftest import HereWorkers

DAY = timedelta(days=1)
NOW = datetime(2026, 6, 1, tzinfo=UTC)

PURCHASES = [
    {"customer": 1, "at": "2026-05-01T00:00:00Z", "amount": 10.0, "city": "a"},
    {"customer": 1, "at": "2026-05-20T00:00:00Z", "amount": 20.0, "city": None},
    {"customer": 2, "at": "2026-05-10T00:00:00Z", "amount": 5.0, "city": "b"},
    {"customer": 3, "at": "2026-01-01T00:00:00Z", "amount": 1.0, "city": "c"},
]
ASKED = [
    {"customer": 1, "event_timestamp": "2026-05-02T00:00:00Z", "limit": 4.0, "left": 0},
    {"customer": 1, "event_timestamp": "2026-05-21T00:00:00Z", "limit": 0.0, "left": 1},
    {"customer": 2, "event_timestamp": "2026-05-02T00:00:00Z", "limit": 2.0, "left": 0},
    {"customer": 9, "event_timestamp": "2026-05-21T00:00:00Z", "limit": 2.0, "left": 1},
]

Added = Callable[..., None]

DEFINITIONS = Definitions(
    entities=(Entity(name="customer"),),
    views=(
        FeatureView(
            name="spending",
            entities=("customer",),
            source=ViewSource(dataset="purchases"),
            event_time="at",
            ttl=60 * 86_400.0,
            features=(Field(name="amount"), Field(name="city")),
            tags={"team": "growth"},
        ),
    ),
    on_demand=(
        OnDemandView(
            name="ratios",
            inputs=("spending:amount",),
            request=(Field(name="limit", type="number"),),
            expressions={"share": "amount / limit"},
        ),
    ),
    services=(FeatureService(name="churn", features=("spending", "ratios")),),
)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    try:
        with running_redis() as url:
            yield url
    except RedisMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """A Redis of the tests' own, empty."""
    with redis.Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def room(sqlite: Database, tmp_path: Path, clock: FixedClock) -> FeaturesRoom:
    workers = HereWorkers()
    data = open_data_room(sqlite, tmp_path / "storage", workers, clock)
    return open_features_room(data, workers, clock)


@pytest.fixture
def added(room: FeaturesRoom, tmp_path: Path) -> Added:
    """Adds rows to a dataset."""

    def add(name: str, rows: list[dict[str, Any]], mode: Any = "replace") -> None:
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        room.data.datasets.add(OWNER, name, NewVersion(path=path, mode=mode, roles=Roles()))

    return add


@pytest.fixture
def shop(room: FeaturesRoom, added: Added) -> FeaturesRoom:
    """Purchases, rows to look up, and definitions over them."""
    added("purchases", PURCHASES)
    added("asked", ASKED)
    room.features.apply(OWNER, DEFINITIONS)
    return room


def request(**fields: Any) -> TrainingRequest:
    values: dict[str, Any] = {"features": ("churn",), "spine": SpineSource(dataset="asked")}
    return TrainingRequest(**(values | fields))
