"""Several deployments behind one endpoint: shares, rules, shadows, sleep, workers by load."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from athanor.kernel.database import Database
from athanor.kernel.permissions import OWNER, SYSTEM
from athanor.kernel.workers import Workers
from athanor.serving.errors import (
    CanaryShareInvalid,
    DeploymentNotFound,
    NoCanary,
    NoEarlierDeployment,
)
from athanor.serving.errors.deployments import (
    CanaryUnderWay,
    ColumnsUnsent,
    DeploymentNotReady,
    LastDeployment,
    NoShadow,
    NothingToShadow,
    PlanInvalid,
    RolloutUnclear,
    RuleInvalid,
    ScalingInvalid,
    ShareInvalid,
    SharesInvalid,
)
from athanor.serving.service.traffic import Traffic
from athanor.serving.types import CanaryPlan, Deploy, NewLabel
from athanor.serving.types.rollouts import HeaderRule, Scaling, TrafficRules
from athanor.testing.serving import STUB_DESCRIPTION, Browser, eventually, formula, record
from athanor.testing.serving_room import ServingRoom, serving_room, stub_room
from tests.serving.conftest import Trained, described


@pytest.fixture
def stubs(tmp_path: Path, sqlite: Database, warm_workers: Workers) -> Iterator[ServingRoom]:
    """Versions 1, 2, 3 of `houses` differ by what they add in the stub's formula."""
    with stub_room(tmp_path, sqlite, warm_workers) as room:
        for number, bias in enumerate((0.0, 1.0, -1.0)):
            folder = tmp_path / f"model{number}"
            folder.mkdir()
            (folder / "bias").write_text(str(bias), "utf-8")
            room.register(folder, "houses", STUB_DESCRIPTION)
        yield room


BIASES = {1: 0.0, 2: 1.0, 3: -1.0}


def browser_of(room: ServingRoom) -> Browser:
    return Browser(int(room.supervisor.url().rpartition(":")[2]))


def deploy(room: ServingRoom, version: int, state: str = "live", **asked: object) -> int:
    made = room.endpoints.deploy(
        OWNER,
        "houses",
        Deploy(model=f"houses@{version}", **asked),  # type: ignore[arg-type]
    )
    room.wait_for("houses", made.number, state)  # type: ignore[arg-type]
    return made.number


def versions(room: ServingRoom, count: int, **headers: str) -> Counter[int]:
    """Which versions answered, each answer checked against its version's formula."""
    browser, found = browser_of(room), Counter[int]()
    for number in range(count):
        asked = record(number)
        answer = browser.predict([asked], **headers)
        assert answer.status == 200, answer.content
        version = answer.body["version"]
        score = formula(asked["size"], asked["rooms"], BIASES[version])
        assert answer.body["predictions"][0]["score"] == score
        found[version] += 1
    return found


def shares(room: ServingRoom) -> dict[str, float]:
    return room.deployments.traffic(OWNER, "houses").shares or {}


def test_traffic_is_divided_by_shares_and_headers_and_goes_back(stubs: ServingRoom) -> None:
    deploy(stubs, 1)
    deploy(stubs, 2, share=0.3)
    assert shares(stubs) == pytest.approx({"1": 0.7, "2": 0.3})
    assert 30 < versions(stubs, 200)[2] < 95
    deploy(stubs, 3, "standby", share=0.0)
    assert set(versions(stubs, 50)) == {1, 2}
    stubs.deployments.split(
        OWNER,
        "houses",
        TrafficRules(
            shares={"1": 0.5, "2": 0.5},
            rules=(HeaderRule(header="X-Tenant", value="beta*", deployment=3),),
            sticky="X-User",
        ),
    )
    assert versions(stubs, 5, X_Tenant="beta-7") == {3: 5}
    assert set(versions(stubs, 50, X_Tenant="gamma")) == {1, 2}
    users = [versions(stubs, 4, X_User=f"user{number}") for number in range(12)]
    assert all(len(seen) == 1 for seen in users)
    assert {version for seen in users for version in seen} == {1, 2}
    stubs.endpoints.rollback(OWNER, "houses")
    assert shares(stubs) == pytest.approx({"1": 0.7, "2": 0.3})
    stubs.deployments.retire(OWNER, "houses", 2)
    assert shares(stubs) == {"1": 1.0}
    assert versions(stubs, 10) == {1: 10}
    assert versions(stubs, 3, X_Tenant="beta") == {3: 3}
    with pytest.raises(NoEarlierDeployment):  # what was before is what is now
        stubs.endpoints.rollback(OWNER, "houses")
    left = stubs.deployments.retire(OWNER, "houses", 3)
    assert left.rules == ()
    assert "its rules went with it: X-Tenant: beta*" in left.deployments[0].reason
    ended = (HeaderRule(header="X-Tenant", deployment=3),)
    with pytest.raises(RuleInvalid, match="deployment 3 is retired"):
        stubs.deployments.split(OWNER, "houses", TrafficRules(rules=ended))


def test_a_staged_version_is_asked_by_its_number_until_it_is_promoted(stubs: ServingRoom) -> None:
    deploy(stubs, 1)
    deploy(stubs, 2, "staged", stage=True)
    assert versions(stubs, 20) == {1: 20}
    assert versions(stubs, 2, X_Athanor_Deployment="2") == {2: 2}
    stubs.endpoints.promote(OWNER, "houses")
    assert versions(stubs, 20) == {2: 20}
    stubs.endpoints.rollback(OWNER, "houses")
    assert versions(stubs, 20) == {1: 20}


def test_who_can_go_back_no_further_is_told_both_ways_on(stubs: ServingRoom) -> None:
    for number in (1, 2, 3):
        deploy(stubs, number)
    stubs.endpoints.rollback(OWNER, "houses")
    assert versions(stubs, 5) == {2: 5}
    with pytest.raises(NoEarlierDeployment) as refused:
        stubs.endpoints.rollback(OWNER, "houses")
    assert "athanor endpoint split houses 3=100" in refused.value.hint
    assert "athanor deploy houses@1 --endpoint houses" in refused.value.hint
    assert versions(stubs, 5) == {2: 5}


def test_a_shadow_is_compared_and_never_answers(stubs: ServingRoom) -> None:
    deploy(stubs, 1)
    deploy(stubs, 2, "shadow", shadow=1.0)
    browser = browser_of(stubs)
    assert versions(stubs, 60) == {1: 60}
    assert browser.predict([record(1, "raise")]).status == 422
    found = browser.predict([record(number) for number in range(40)]).body["predictions"]
    labels = [NewLabel(id=row["id"], label="yes") for row in found]
    stubs.endpoints.label(OWNER, "houses", labels)
    assert eventually(lambda: stubs.deployments.shadow(OWNER, "houses").rows == 100)
    told = stubs.deployments.shadow(OWNER, "houses", 2)
    both = [
        (formula(r["size"], r["rooms"]), formula(r["size"], r["rooms"], 1.0))
        for r in (record(number) for number in [*range(60), *range(40)])
    ]
    assert told.agreed == sum((mine > 0.5) == (theirs > 0.5) for mine, theirs in both)
    assert told.score_difference.max == pytest.approx(max(b - a for a, b in both))
    assert (told.requests, told.failed, told.skipped, told.against) == (61, 0, 0, (1,))
    assert (told.labelled, told.right) == (40, sum(a > 0.5 for a, _ in both[60:]))
    assert told.shadow_right == sum(b > 0.5 for _, b in both[60:])
    assert told.examples[0].label != told.examples[0].shadow_label
    assert "same label" in told.verdict
    stubs.endpoints.promote(OWNER, "houses")
    assert versions(stubs, 5) == {2: 5}


def test_a_sleeping_deployment_wakes_and_holds_the_request(stubs: ServingRoom) -> None:
    deploy(stubs, 1, scaling=Scaling(min=0, idle_seconds=0.3))
    assert eventually(lambda: stubs.deployments.status(OWNER, "houses").deployments[0].asleep)
    assert eventually(lambda: list(stubs.supervisor.pids) == ["plane"])
    assert versions(stubs, 3) == {1: 3}
    (told,) = stubs.deployments.status(OWNER, "houses").deployments
    assert (told.cold_start.count, told.workers, told.requests) == (1, 1, 3)
    assert told.cold_start.last_seconds is not None
    page = browser_of(stubs).send("GET", "/metrics").content.decode()
    assert "athanor_cold_starts_total{" in page
    told_by_plane = browser_of(stubs)
    assert eventually(
        lambda: told_by_plane.send("GET", "/endpoints/houses").body["deployments"][0]["asleep"]
    )
    many = [threading.Thread(target=versions, args=(stubs, 2)) for _ in range(8)]
    for thread in many:
        thread.start()
    for thread in many:
        thread.join()
    assert eventually(
        lambda: stubs.deployments.status(OWNER, "houses").deployments[0].cold_start.count == 2
    )
    (told,) = stubs.deployments.status(OWNER, "houses").deployments
    assert (told.requests, told.errors) == (19, 0)
    stubs.deployments.scale(OWNER, "houses", 1, Scaling(min=1, max=1))
    assert eventually(lambda: stubs.deployments.status(OWNER, "houses").deployments[0].workers == 1)


def test_workers_come_and_go_with_the_load(stubs: ServingRoom) -> None:
    deploy(stubs, 1, scaling=Scaling(min=1, max=3, concurrency=2.0, cooldown_seconds=0.5))
    stop = threading.Event()

    def client() -> None:
        browser = browser_of(stubs)
        while not stop.is_set():
            assert browser.predict([record(1, "slow")]).status == 200

    def workers() -> int:
        return stubs.deployments.status(OWNER, "houses").deployments[0].workers

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        assert eventually(lambda: workers() == 3)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert eventually(lambda: workers() == 1)
    assert versions(stubs, 5) == {1: 5}


def test_many_models_are_loaded_by_name_and_unloaded_by_least_use(stubs: ServingRoom) -> None:
    for version in (1, 2, 3):
        stubs.endpoints.deploy(
            OWNER, "houses", Deploy(model=f"houses@{version}", member=True, capacity=2)
        )
    for number in (1, 2, 3):
        stubs.wait_for("houses", number, "member")
    browser = browser_of(stubs)

    def loaded() -> set[int]:
        told = stubs.deployments.status(OWNER, "houses").deployments
        return {item.version for item in told if item.workers}

    assert eventually(lambda: len(loaded()) <= 2)
    for version in (1, 2, 1, 3):
        assert versions(stubs, 2, X_Athanor_Model=f"houses@{version}") == {version: 2}
    assert eventually(lambda: loaded() == {1, 3})
    assert versions(stubs, 1, X_Athanor_Model="houses") == {3: 1}
    unnamed = browser.predict([record(1)])
    assert unnamed.status == 404
    assert unnamed.body["details"]["models"] == ["houses@3", "houses@2", "houses@1"]
    assert browser.predict([record(1)], X_Athanor_Model="hauses@1").status == 404


def test_a_deployment_whose_endpoint_went_away_does_not_come_up(stubs: ServingRoom) -> None:
    made = stubs.endpoints.deploy(OWNER, "houses", Deploy(model="houses@1"))
    stubs.endpoints.remove(OWNER, "houses")
    traffic: Traffic = vars(stubs.endpoints)["_traffic"]
    traffic.ready(SYSTEM, made)  # as by a look that began before
    traffic.failed(SYSTEM, made, "gone")
    assert stubs.endpoints.list(OWNER) == []


def test_what_is_asked_of_the_traffic_is_checked(stubs: ServingRoom, tmp_path: Path) -> None:
    with pytest.raises(NothingToShadow):
        stubs.endpoints.deploy(OWNER, "houses", Deploy(model="houses@1", shadow=1.0))
    deploy(stubs, 1)
    for wrong, error in (
        (Deploy(model="houses", canary=0.1, shadow=0.5), RolloutUnclear),
        (Deploy(model="houses", canary=1.0), CanaryShareInvalid),
        (Deploy(model="houses", share=30.0), ShareInvalid),
        (Deploy(model="houses", member=True, capacity=-1), ScalingInvalid),
        (Deploy(model="houses", replicas=0), ScalingInvalid),
        (Deploy(model="houses", replicas=1 << 63), ScalingInvalid),
        (Deploy(model="houses", plan=CanaryPlan(steps=())), PlanInvalid),
        (Deploy(model="houses", plan=CanaryPlan(steps=(0.5, 0.1))), PlanInvalid),
        (Deploy(model="houses", plan=CanaryPlan(alpha=float("nan"))), PlanInvalid),
        (Deploy(model="houses", plan=CanaryPlan(requests=0)), PlanInvalid),
        (Deploy(model="houses", shadow=0.0), ShareInvalid),
        (Deploy(model="houses", scaling=Scaling(min=2, max=1)), ScalingInvalid),
        (Deploy(model="houses", scaling=Scaling(idle_seconds=float("nan"))), ScalingInvalid),
    ):
        with pytest.raises(error):
            stubs.endpoints.deploy(OWNER, "houses", wrong)
    columns = [{"name": name, "type": "double"} for name in ("size", "garden")]
    stubs.register(tmp_path / "model0", "farms", {**STUB_DESCRIPTION, "inputs": columns})
    with pytest.raises(ColumnsUnsent, match="farms@1 needs garden, which the callers"):
        stubs.endpoints.deploy(OWNER, "houses", Deploy(model="farms", canary=0.1))
    assert len(stubs.endpoints.get(OWNER, "houses").deployments) == 1
    beside = stubs.endpoints.deploy(
        OWNER, "houses", Deploy(model="farms", share=0.1, other_columns=True)
    )
    stubs.deployments.retire(OWNER, "houses", beside.number)
    for rules, refusal in (
        (TrafficRules(shares={"1": 0.5}), SharesInvalid),
        (TrafficRules(shares={"one": 1.0}), SharesInvalid),
        (TrafficRules(shares={"1": 2.0, "2": -1.0}), SharesInvalid),
        (TrafficRules(shares={"7": 1.0}), DeploymentNotFound),
        (TrafficRules(rules=(HeaderRule(header="X A", deployment=1),)), RuleInvalid),
        (TrafficRules(rules=(HeaderRule(header="X-A", deployment=9),)), RuleInvalid),
        (TrafficRules(sticky="no header"), RuleInvalid),
    ):
        with pytest.raises(refusal):
            stubs.deployments.split(OWNER, "houses", rules)
    with pytest.raises(LastDeployment):
        stubs.deployments.retire(OWNER, "houses", 1)
    with pytest.raises(NoShadow):
        stubs.deployments.shadow(OWNER, "houses")
    with pytest.raises(NoCanary):
        stubs.deployments.canary(OWNER, "houses")
    # No time takes the place of requests: with none, and none logged, it keeps its share.
    plan = CanaryPlan(patience_seconds=0.0, seconds=0.001, undecided="advance")
    deploy(stubs, 2, "canary", canary=0.5, plan=plan)
    waits = "waits for requests: none came, and nothing is logged to replay"
    assert eventually(lambda: stubs.endpoints.get(OWNER, "houses").deployments[0].reason == waits)
    told = stubs.deployments.canary(OWNER, "houses")
    assert (told.reason, told.share, bool(told.measured)) == (waits, 0.5, True)
    assert (told.deployment, told.champion, told.step, told.action) == (3, 1, 1, "wait")
    with pytest.raises(CanaryUnderWay):
        stubs.deployments.split(OWNER, "houses", TrafficRules(shares={"1": 1.0}))
    stubs.endpoints.rollback(OWNER, "houses")
    with pytest.raises(DeploymentNotReady):
        stubs.deployments.split(OWNER, "houses", TrafficRules(shares={"2": 1.0}))


def nonsense(room: ServingRoom, folder: Path) -> None:
    """Register a version 4 whose scores are no numbers."""
    (folder / "nonsense").mkdir()
    (folder / "nonsense" / "bias").write_text("nan", "utf-8")
    room.register(folder / "nonsense", "houses", STUB_DESCRIPTION)


def test_a_canary_that_nobody_promotes_stays_and_harm_ends_it(
    stubs: ServingRoom, tmp_path: Path
) -> None:
    nonsense(stubs, tmp_path)
    deploy(stubs, 1)
    plan = CanaryPlan(automatic=False, replay=False, requests=10, tolerance=0.4, slow_tolerance=0.9)
    deploy(stubs, 2, "canary", canary=0.5, plan=plan)
    versions(stubs, 80)
    assert eventually(lambda: stubs.deployments.canary(OWNER, "houses").action == "advance")
    assert stubs.endpoints.get(OWNER, "houses").deployments[0].state == "canary"
    stubs.endpoints.promote(OWNER, "houses")
    assert versions(stubs, 3) == {2: 3}
    deploy(stubs, 4, "canary", canary=0.5, plan=plan)
    browser = browser_of(stubs)
    assert eventually(
        lambda: (
            browser.predict([record(1)]).status == 200
            and stubs.endpoints.get(OWNER, "houses").deployments[0].state == "refused"
        )
    )
    assert "make no sense" in stubs.endpoints.get(OWNER, "houses").deployments[0].reason


def test_a_canary_that_does_harm_after_it_took_over_is_taken_back(
    stubs: ServingRoom, tmp_path: Path
) -> None:
    nonsense(stubs, tmp_path)
    deploy(stubs, 1)
    plan = CanaryPlan(replay=False, watch_seconds=600.0)
    deploy(stubs, 4, "canary", canary=0.5, plan=plan)
    stubs.endpoints.promote(OWNER, "houses")
    browser = browser_of(stubs)
    assert eventually(lambda: browser.predict([record(1)]).body["version"] == 1)
    stubs.wait_for("houses", 2, "refused")  # the planes know before the database does
    shown = stubs.endpoints.get(OWNER, "houses")
    assert (shown.deployments[0].state, shown.live and shown.live.number) == ("refused", 1)
    assert "after it had taken over" in shown.deployments[0].reason
    assert "serving.endpoint.rolled_back" in stubs.actions()


def test_live_labels_tell_that_a_canary_is_worse(stubs: ServingRoom) -> None:
    deploy(stubs, 1, key="house")
    plan = CanaryPlan(replay=False, seconds=600.0, labels=20)
    deploy(stubs, 3, "canary", canary=0.5, plan=plan)
    browser, number = browser_of(stubs), 0

    def worse() -> bool:
        nonlocal number
        found = []
        for _ in range(60):
            asked = {**record(77), "house": number}  # of which the two say different labels
            answer = browser.predict([asked]).body
            found.append(NewLabel(id=answer["predictions"][0]["id"], label="yes"))
            number += 1
        stubs.endpoints.label(OWNER, "houses", found)
        time.sleep(0.5)
        return stubs.endpoints.get(OWNER, "houses").deployments[0].state == "refused"

    assert formula(record(77)["size"], record(77)["rooms"]) > 0.5
    assert formula(record(77)["size"], record(77)["rooms"], -1.0) < 0.5
    assert eventually(worse)
    refused = stubs.endpoints.get(OWNER, "houses").deployments[0]
    assert "wrong more often" in refused.reason


def test_an_endpoint_without_a_model_that_loads_says_so(stubs: ServingRoom, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "refuse").write_text("its weights are missing", "utf-8")
    stubs.register(broken, "houses", STUB_DESCRIPTION)
    deploy(stubs, 4, "failed")
    shown = stubs.endpoints.get(OWNER, "houses")
    assert "its weights are missing" in shown.problem
    told = stubs.deployments.status(OWNER, "houses")
    assert not told.ready
    assert "its weights are missing" in told.problem
    answer = browser_of(stubs).predict([record(1)])
    assert answer.status == 503
    assert "its weights are missing" in answer.body["message"]
    (broken / "refuse").rename(broken / "fail")
    stubs.register(broken, "houses", STUB_DESCRIPTION)
    deploy(stubs, 5, "failed")
    assert "its library is too old" in stubs.endpoints.get(OWNER, "houses").problem
    deploy(stubs, 1)
    assert versions(stubs, 2) == {1: 2}


def test_a_compiled_model_sleeps_and_wakes_inside_the_plane(
    tmp_path: Path, sqlite: Database, warm_workers: Workers, champion: Trained
) -> None:
    with serving_room(tmp_path, sqlite, warm_workers, compiling=True) as room:
        room.register(champion.folder, "churn", described(champion))
        asked = Deploy(model="churn", scaling=Scaling(min=0, idle_seconds=0.3))
        room.endpoints.deploy(OWNER, "churn", asked)
        room.wait_for("churn", 1, "live")
        browser = browser_of(room)

        def asleep() -> bool:
            told = browser.send("GET", "/endpoints/churn").body["deployments"][0]
            (status,) = room.deployments.status(OWNER, "churn").deployments
            return bool(told["asleep"]) and status.runtime == "folded"

        assert eventually(asleep)
        assert list(room.supervisor.pids) == ["plane"]
        (expected,) = champion.model.predict_records(champion.records[:1])
        answer = browser.predict(champion.records[:1], "churn")
        assert answer.status == 200
        assert answer.body["predictions"][0]["label"] == expected["label"]
        (status,) = room.deployments.status(OWNER, "churn").deployments
        assert (status.cold_start.count, status.workers) == (1, 0)
        assert room.deployments.status(OWNER, "churn").ready
