"""What an endpoint's prediction log keeps: settings, the way to the planes, the table."""

from datetime import UTC, datetime
from typing import Any

import pytest

from athanor.kernel.permissions import OWNER, OwnerAccess
from athanor.serving.errors import EndpointNotFound
from athanor.serving.errors.recording import LogPolicyInvalid, RedactedColumnUnknown
from athanor.serving.logic.rows import PredictionRow, flat
from athanor.serving.service import Recording
from athanor.serving.store import SqlEndpointStore
from athanor.serving.types import Deploy, PredictionQuery
from athanor.serving.types.recording import LogPolicy
from athanor.testing.serving import Browser, eventually
from athanor.testing.serving_room import ServingRoom
from tests.serving.conftest import Trained, described


def recording_of(room: ServingRoom, sqlite: Any) -> Recording:
    return Recording(
        SqlEndpointStore(sqlite),
        sqlite,
        events=room.events,
        access=OwnerAccess(),
        log=room.log,
        fleet=room.supervisor,
    )


def test_settings_reach_the_planes(room: ServingRoom, sqlite: Any, champion: Trained) -> None:
    room.register(champion.folder, "bank", described(champion))
    room.endpoints.deploy(OWNER, "bank", Deploy(model="bank"))
    room.wait_for("bank", 1, "live")
    serving = recording_of(room, sqlite)
    assert serving.log_policy(OWNER, "bank") == LogPolicy()
    policy = LogPolicy(durability="fsync", redact=("card",))
    assert serving.keep_log(OWNER, "bank", policy) == policy
    assert "serving.log.changed" in room.actions()
    browser = Browser(int(room.supervisor.url().rpartition(":")[2]))
    record = champion.records[0]
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    def masked() -> bool:
        answer = browser.predict([record], name="bank", traceparent=trace)
        found = room.log.find(answer.body["predictions"][0]["id"])
        return found is not None and found.features["card"] == "***"

    assert eventually(masked)
    lag = serving.log_status(OWNER, "bank")
    assert (lag.policy, lag.hot_segments) == (policy, 1)
    before = room.log.query("bank", PredictionQuery())
    assert room.supervisor.compact() == len(before)
    after = room.log.query("bank", PredictionQuery())
    assert after == before
    assert after[0].trace == "0af7651916cd43dd8448eb211c80319c"
    assert serving.log_status(OWNER, "bank").hot_segments == 0


def test_what_can_not_be_is_refused(room: ServingRoom, sqlite: Any, champion: Trained) -> None:
    room.register(champion.folder, "bank", described(champion))
    room.endpoints.deploy(OWNER, "bank", Deploy(model="bank"))
    serving = recording_of(room, sqlite)
    policies: list[tuple[Any, type[Exception]]] = [
        (LogPolicy(durability="never"), LogPolicyInvalid),  # type: ignore[arg-type]
        (LogPolicy(sample=1.5), LogPolicyInvalid),
        (LogPolicy(sample=float("nan")), LogPolicyInvalid),
        (LogPolicy(redact=("cart",)), RedactedColumnUnknown),
    ]
    for policy, error in policies:
        with pytest.raises(error):
            serving.keep_log(OWNER, "bank", policy)
    with pytest.raises(EndpointNotFound):
        serving.log_policy(OWNER, "bang")


def test_a_row_keeps_its_trace_in_the_table() -> None:
    row = PredictionRow(
        id="a" * 32,
        request="r",
        predicted_at=datetime(2026, 3, 1, tzinfo=UTC),
        endpoint="bank",
        deployment="d",
        model="bank",
        version=1,
        latency=0.001,
        key=None,
        features={},
        label=None,
        score=None,
        probabilities=None,
        trace="b" * 32,
    )
    assert flat(row)["trace"] == "b" * 32
