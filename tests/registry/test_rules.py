"""The rules around models: gates, approvals, consents, cards, comparisons."""

import pickle
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from athanor.kernel import OWNER, Database, Events, Principal, Storage, Verdict
from athanor.kernel.errors import AthanorError
from athanor.kernel.events import SqlEventStore
from athanor.kernel.permissions import ActionForbidden
from athanor.kernel.zygote import choose_workers
from athanor.lineage import Lineage, NewArtifact, NewRun, OperationCall, SqlLineageStore
from athanor.registry import (
    Catalog,
    Intake,
    ModelNotFound,
    Models,
    ModelVersion,
    NewModelVersion,
    NoOrigins,
    SqlCatalogStore,
    SqlModelStore,
    SqlSearchStore,
    operations,
)
from athanor.registry.assembly import Governed, govern
from athanor.registry.errors import (
    AliasMovedMeanwhile,
    AliasProtected,
    BadGate,
    BadProtection,
    BadSection,
    ConsentNotFound,
    PickleNotAllowed,
    ProtectionNotFound,
    RequestClosed,
    RequestNotFound,
)
from athanor.registry.ground import Ground
from athanor.registry.logic.card import harmless, plain, sections_of
from athanor.registry.protection import NewProtection, RequestFilter, Step, parse_rule
from athanor.registry.scans import NewConsent
from athanor.registry.service.comparisons import Figures
from athanor.registry.service.transfers import ModelSurroundings, ModelTransfers
from athanor.registry.store import SqlTransferStore
from athanor.testing import FixedClock

ADA = Principal(id="ada", name="ada")
BOB = Principal(id="bob", name="bob")


class People:
    """Everybody may do everything, but what is forbidden to them by name."""

    def __init__(self) -> None:
        self.forbidden: set[tuple[str, str]] = set()

    def require(self, who: Principal, action: str, subject: str) -> None:
        if (who.name, action) in self.forbidden:
            raise ActionForbidden(who, action, subject)


class Room:
    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        clock, self.people = FixedClock(), People()
        self.storage = Storage(str(folder), reserve_bytes=0)
        self.events = Events(SqlEventStore(database), database, clock)
        kernel: dict[str, Any] = {"events": self.events, "access": self.people, "clock": clock}
        self.lineage = Lineage(SqlLineageStore(database), database, **kernel)
        stores = SqlModelStore(database), SqlCatalogStore(database)
        self.models = Models(
            stores[0], database, lineage=self.lineage, storage=self.storage, **kernel
        )
        intake = Intake(
            stores,
            lineage=self.lineage,
            storage=self.storage,
            origins=NoOrigins(),
            clock=clock,
        )
        self.catalog = Catalog(
            (*stores, SqlSearchStore(database)), database, intake=intake, **kernel
        )
        transfers = ModelTransfers(
            SqlTransferStore(database),
            database,
            surroundings=ModelSurroundings(
                models=stores[0], intake=intake, lineage=self.lineage, storage=self.storage
            ),
            **kernel,
        )
        self.figures: dict[int, Mapping[str, float]] = {}
        self.governed: Governed = govern(
            (self.models, self.catalog, transfers),
            stores[0],
            Ground(
                database=database,
                lineage=self.lineage,
                storage=self.storage,
                workers=choose_workers(()),
                **kernel,
            ),
            Figures(metrics=self.metrics, params=lambda v: {"depth": str(v.number)}),
        )
        self.folder = folder / "model"

    def metrics(self, version: ModelVersion) -> Mapping[str, float]:
        return {**version.metrics, **self.figures.get(version.number, {})}

    def register(
        self, auc: float = 0.9, *, files: Mapping[str, bytes] | None = None, **told: Any
    ) -> ModelVersion:
        self.folder.mkdir(exist_ok=True)
        for path in self.folder.iterdir():
            path.unlink()
        for name, content in {"MLmodel": b"flavors: {}", **(files or {})}.items():
            (self.folder / name).write_bytes(content)
        blob = self.storage.put_folder(self.folder)
        told = {
            "inputs": [{"name": "age", "type": "long", "required": True}],
            "target": "status",
            "task": "binary",
            "classes": ["gone", "here"],
            "positive": "gone",
            **told,
        }
        artifact = self.lineage.record(
            OWNER,
            NewArtifact(
                type="model",
                name="model",
                uri=blob.uri,
                digest=blob.digest,
                size=blob.size,
                metadata=told | {"blob": blob.digest, "layout": "folder"},
            ),
        )
        new = NewModelVersion(model="churn", artifact_id=artifact.id, metrics={"roc_auc": auc})
        return self.models.register(OWNER, new)

    def judged(self, version: ModelVersion, rows: str, auc: float) -> None:
        """An evaluation of a version on rows of a digest."""
        run = self.lineage.start_run(OWNER, NewRun(kind="task", name="report"))
        held = self.lineage.record(
            OWNER, NewArtifact(type="table", name="holdout", uri="x", digest=rows)
        )
        folder = self.folder.with_name("report")
        folder.mkdir(exist_ok=True)
        (folder / "report.json").write_text(
            f'{{"rows": 100, "metrics": {{"roc_auc": {{"value": {auc}}}}}}}'
        )
        blob = self.storage.put_folder(folder)
        report = self.lineage.record(
            OWNER,
            NewArtifact(
                type="report",
                name="report",
                uri=blob.uri,
                digest=blob.digest,
                metadata={"blob": blob.digest, "layout": "folder"},
            ),
        )
        assert version.artifact_id is not None
        self.lineage.consumed(OWNER, run.id, version.artifact_id, "model")
        self.lineage.consumed(OWNER, run.id, held.id, "holdout")
        self.lineage.produced(OWNER, run.id, report.id, "report")

    def protect(self, *gates: str, model: str = "churn", **told: Any) -> None:
        new = NewProtection(alias="champion", model=model, gates=gates, **told)
        self.governed.promotions.protect_alias(OWNER, new)

    def champion(self) -> int | None:
        return self.models.model(OWNER, "churn").aliases.get("champion")

    def actions(self) -> list[str]:
        return [event.action for event in self.events.since(0)]


@pytest.fixture
def room(database: Database, tmp_path: Path) -> Room:
    return Room(database, tmp_path)


def test_no_alias_is_protected_by_default(room: Room) -> None:
    room.register()
    assert room.models.set_alias(OWNER, "churn", "champion", 1).aliases == ["champion"]
    room.models.remove_alias(OWNER, "churn", "champion")
    assert room.governed.promotions.judgements(OWNER, "churn") == []


def test_a_gate_that_does_not_pass_holds_the_alias_and_is_kept(room: Room) -> None:
    room.register(0.7)
    room.protect("roc_auc>=0.8")
    with pytest.raises(AliasProtected, match=r"roc_auc is 0\.7; at least 0\.8 is demanded"):
        room.models.set_alias(OWNER, "churn", "champion", 1)
    assert room.champion() is None
    (kept,) = room.governed.promotions.judgements(OWNER, "churn", number=1)
    assert [verdict.gate for verdict in kept.verdicts] == ["metric roc_auc", "pickle"]
    assert not kept.passed
    assert kept.artifact_id is not None
    trace = room.lineage.trace(OWNER, kept.artifact_id, "up")
    assert room.models.version(OWNER, "churn@1").artifact_id in {node.id for node in trace.nodes}
    assert room.actions()[-1] == "registry.alias.refused"
    room.register(0.81)
    assert room.models.promote(OWNER, "churn@2").aliases == ["champion"]


def test_other_aliases_and_other_models_stay_free(room: Room) -> None:
    room.register(0.1)
    room.protect("roc_auc>=0.8")
    assert room.models.set_alias(OWNER, "churn", "shadow", 1).aliases == ["shadow"]


def test_a_projects_protection_holds_for_every_model_of_it(room: Room) -> None:
    room.register(0.7)
    room.protect("roc_auc>=0.8", model="")
    room.protect("schema")
    with pytest.raises(AliasProtected, match="roc_auc"):
        room.models.promote(OWNER, "churn@1")
    promotions = room.governed.promotions
    assert len(promotions.protections(OWNER, model="churn")) == 2
    promotions.unprotect_alias(OWNER, "champion")
    assert room.models.promote(OWNER, "churn@1").aliases == ["champion"]
    with pytest.raises(ProtectionNotFound):
        promotions.unprotect_alias(OWNER, "champion")


def test_a_version_is_no_worse_than_the_holder(room: Room) -> None:
    for auc in (0.80, 0.79, 0.70):
        room.register(auc)
    room.protect("not-worse roc_auc by 0.02")
    for number in (1, 2):
        room.models.set_alias(OWNER, "churn", "champion", number)
    with pytest.raises(AliasProtected, match="not-worse"):
        room.models.set_alias(OWNER, "churn", "champion", 3)


def test_figures_of_different_holdouts_are_not_compared(room: Room) -> None:
    first, second = room.register(0.8), room.register(0.9)
    room.judged(first, "sha256:aa", 0.8)
    room.judged(second, "sha256:bb", 0.9)
    room.protect("not-worse roc_auc")
    room.models.set_alias(OWNER, "churn", "champion", 1)
    with pytest.raises(AliasProtected, match="different holdouts"):
        room.models.set_alias(OWNER, "churn", "champion", 2)
    room.judged(second, "sha256:aa", 0.85)  # now both were judged on the same rows
    assert room.models.set_alias(OWNER, "churn", "champion", 2).number == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"inputs": [{"name": "age", "type": "string", "required": True}]}, "was long"),
        (
            {
                "inputs": [
                    {"name": "age", "type": "long", "required": True},
                    {"name": "town", "type": "string", "required": True},
                ]
            },
            "demanded now",
        ),
        ({"classes": ["gone", "stays"]}, "classes"),
        ({"target": "left"}, "target"),
        ({"inputs": []}, "does not tell"),
    ],
)
def test_callers_of_the_holder_can_go_on(room: Room, change: dict[str, Any], words: str) -> None:
    room.register()
    room.register(inputs=[{"name": "age", "type": "double", "required": False}])
    room.register(**change)
    room.protect("schema")
    room.models.set_alias(OWNER, "churn", "champion", 1)
    with pytest.raises(AliasProtected, match=words):
        room.models.set_alias(OWNER, "churn", "champion", 3)
    assert room.models.set_alias(OWNER, "churn", "champion", 2).number == 2


def test_a_latency_may_be_given(room: Room) -> None:
    room.register()
    room.protect("latency p95<=20ms")
    with pytest.raises(AliasProtected, match="could not be judged"):
        room.models.promote(OWNER, "churn@1")  # its folder holds no model to be timed
    room.figures[1] = {"latency_p95_ms": 30.0}
    with pytest.raises(AliasProtected, match="30 ms as given"):
        room.models.promote(OWNER, "churn@1")
    room.figures[1] = {"latency_p95_ms": 10.0}
    assert room.models.promote(OWNER, "churn@1").number == 1


def test_rooms_above_offer_gates(room: Room) -> None:
    class Fairness:
        name = "fairness"

        def check(self, context: dict[str, Any]) -> Verdict:
            passed = context["at_most"] > 0.1
            return Verdict(gate="fairness", passed=passed, reason=f"{context['measure']} told")

    room.register()
    room.protect("fairness <= 0.2")
    with pytest.raises(AliasProtected, match="Nothing here judges"):
        room.models.promote(OWNER, "churn@1")
    room.governed.offer_gate(Fairness())
    assert room.models.promote(OWNER, "churn@1").number == 1
    verdicts = room.governed.promotions.judgements(OWNER, "churn")[0].verdicts
    assert verdicts[0].reason == "demographic_parity_difference told"


def test_people_agree_before_it_moves(room: Room) -> None:
    room.register()
    room.protect("roc_auc>=0.5", approvals=2, by_others=True)
    promotions = room.governed.promotions
    for _ in range(2):  # asking twice is asking once
        with pytest.raises(AliasProtected, match="2 more must agree") as refused:
            room.models.set_alias(ADA, "churn", "champion", 1, reason="better")
    (request,) = promotions.requests(OWNER, RequestFilter(state="open"))
    assert refused.value.details["request"] == request.id
    assert (request.asked_by, request.reason, request.needed) == ("ada", "better", 2)
    with pytest.raises(RequestClosed, match="somebody else"):
        promotions.approve(ADA, request.id)
    assert promotions.approve(BOB, request.id, reason="looks right").state == "open"
    with pytest.raises(RequestClosed, match="already"):
        promotions.approve(BOB, request.id)
    assert room.champion() is None
    assert promotions.approve(OWNER, request.id).state == "used"
    assert room.champion() == 1
    move = room.models.history(OWNER, "churn")[-1]
    assert move.reason == "better; agreed to by bob, owner"
    told = [action for action in room.actions() if action.startswith("registry.approval")]
    assert told == ["registry.approval.asked", *["registry.approval.approved"] * 2]
    with pytest.raises(RequestClosed):
        promotions.reject(OWNER, request.id, reason="late")
    with pytest.raises(RequestNotFound):
        promotions.request(OWNER, "0" * 32)


def test_a_rejected_move_stays_where_it_is(room: Room) -> None:
    room.register()
    room.protect(approvals=1)
    with pytest.raises(AliasProtected):
        room.models.promote(ADA, "churn@1")
    promotions = room.governed.promotions
    (request,) = promotions.requests(OWNER, RequestFilter())
    rejected = promotions.reject(BOB, request.id, reason="not before the audit")
    assert (rejected.state, rejected.decided_by) == ("rejected", "bob")
    assert rejected.decision == "not before the audit"
    assert room.champion() is None
    with pytest.raises(AliasProtected):
        room.models.promote(ADA, "churn@1")
    assert len(promotions.requests(OWNER, RequestFilter(state="open"))) == 1


def test_the_permissions_port_says_who_may_agree(room: Room) -> None:
    room.register()
    room.protect(approvals=1)
    room.people.forbidden = {("bob", "registry.approve"), ("bob", "registry.force")}
    with pytest.raises(AliasProtected):
        room.models.promote(ADA, "churn@1")
    (request,) = room.governed.promotions.requests(OWNER, RequestFilter())
    with pytest.raises(ActionForbidden):
        room.governed.promotions.approve(BOB, request.id)
    with pytest.raises(ActionForbidden):
        room.models.promote(BOB, "churn@1", force=True)
    assert room.models.promote(OWNER, "churn@1", force=True).aliases == ["champion"]
    assert "registry.alias.forced" in room.actions()
    assert room.governed.promotions.request(OWNER, request.id).state == "withdrawn"


def test_an_approval_is_of_this_move_alone(room: Room) -> None:
    for _ in range(3):
        room.register()
    room.protect(approvals=1)
    with pytest.raises(AliasProtected):
        room.models.promote(ADA, "churn@1")
    (request,) = room.governed.promotions.requests(OWNER, RequestFilter())
    room.models.promote(OWNER, "churn@3", force=True)
    assert room.governed.promotions.request(OWNER, request.id).state == "withdrawn"
    with pytest.raises(RequestClosed):
        room.governed.promotions.approve(BOB, request.id)


def test_a_protected_alias_is_not_removed_but_rolled_back(room: Room) -> None:
    for _ in range(2):
        room.register()
    for number in (1, 2):
        room.models.set_alias(OWNER, "churn", "champion", number)
    room.protect("roc_auc>=0.99")
    acts: list[Callable[[], None]] = [
        lambda: room.models.remove_alias(OWNER, "churn", "champion"),
        lambda: room.catalog.delete_version(OWNER, "churn", 2),
        lambda: room.catalog.delete_model(OWNER, "churn"),
    ]
    for act in acts:
        with pytest.raises(AliasProtected, match="lift the protection"):
            act()
    assert room.models.rollback(OWNER, "churn").number == 1


def test_a_refused_challenger_is_among_the_judgements(room: Room) -> None:
    register = operations(room.models, room.events)["model.register"]
    told = {"gate": "quality", "passed": False, "reason": "worse", "measured": {"p_value": 0.9}}
    judged = partial(room.governed.promotions.judgements, OWNER, "churn")
    with pytest.raises(ModelNotFound):
        judged()
    parameters = {"name": "churn", "verdict": told}
    register(OWNER, OperationCall(run_id="r", task="register", key="k", parameters=parameters))
    room.register()
    room.protect("schema")
    room.models.promote(OWNER, "churn@1")
    passed, refused = judged()
    assert (passed.number, refused.number, refused.passed) == (1, 0, False)
    (verdict,) = refused.verdicts
    assert (verdict.reason, verdict.measured["run"]) == ("worse", "r")
    assert judged(number=1) == [passed]


def test_an_alias_that_moved_meanwhile_is_judged_again(room: Room) -> None:
    for _ in range(3):
        room.register()
    room.protect("schema")
    decide = room.governed.guard.decide

    def slow(who: Principal, step: Step) -> Any:
        found = decide(who, step)
        if step.number == 2:
            room.models.set_alias(OWNER, "churn", "champion", 3)
        return found

    room.governed.guard.decide = slow  # type: ignore[method-assign]
    with pytest.raises(AliasMovedMeanwhile):
        room.models.set_alias(OWNER, "churn", "champion", 2)
    assert room.champion() == 3


def test_a_pipelines_version_waits_without_failing_it(room: Room) -> None:
    version = room.register()
    room.protect(approvals=1)
    run = room.lineage.start_run(OWNER, NewRun(kind="task", name="register"))
    artifact = room.lineage.artifact(OWNER, version.artifact_id or "")
    call = OperationCall(
        run_id=run.id,
        task="register",
        key="run/register",
        parameters={"name": "churn"},
        artifacts={"model": [artifact]},
    )
    with room.database.transaction():
        found = operations(room.models, room.events)["model.register"](OWNER, call)
    assert found.parameters["registered"]
    assert not found.parameters["promoted"]
    assert "must agree" in found.parameters["reason"]
    assert len(room.governed.promotions.requests(OWNER, RequestFilter(state="open"))) == 1


def test_bad_protections_are_refused(room: Room) -> None:
    room.register()
    for gates, approvals, error in (
        ((), 0, BadProtection),
        (("schema",), 11, BadProtection),
        (("roc_auc > 0.8",), 0, BadGate),
        (("roc_auc>=nan",), 0, BadGate),
        (("",), 0, BadGate),
    ):
        with pytest.raises(error):
            room.protect(*gates, approvals=approvals)


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ("roc_auc>=0.8", "roc_auc>=0.8"),
        ("metric log_loss <= 0.5", "log_loss<=0.5"),
        ("not-worse roc_auc", "not-worse roc_auc"),
        ("not-worse val_loss by 0.01", "not-worse val_loss by 0.01 lower"),
        ("not-worse loss_share higher", "not-worse loss_share higher"),
        ("fairness<=0.1", "fairness demographic_parity_difference<=0.1"),
        ("fairness equalized_odds_difference <= 0.1", "fairness equalized_odds_difference<=0.1"),
        ("latency <= 20ms", "latency p95<=20"),
        ("latency p99<=20", "latency p99<=20"),
        ("schema", "schema"),
        ("pickle", "pickle"),
        ("quality", "quality"),
    ],
)
def test_gates_as_they_are_written(text: str, again: str) -> None:
    rule = parse_rule(text)
    assert rule.text == again
    assert parse_rule(rule.text) == rule


class _Evil:
    def __reduce__(self) -> Any:
        return (eval, ("1+1",))


PLAIN = {"model.pkl": pickle.dumps({"a": 1})}
EVIL = {"model.pkl": pickle.dumps(_Evil())}


def test_pickles_ask_for_consent(room: Room) -> None:
    safe, usual, evil = room.register(), room.register(files=PLAIN), room.register(files=EVIL)
    scanner, safety = room.governed.scanner, room.governed.safety
    assert [safety.scan(OWNER, f"churn@{n}").scan.level for n in (1, 2, 3)] == [
        "safe",
        "usual",
        "dangerous",
    ]
    assert "registry.pickle.found" in room.actions()  # at its registration
    scanner.require(safe)
    with pytest.raises(PickleNotAllowed, match="churn@2") as refused:
        scanner.require(usual)
    assert refused.value.hint.endswith("allow-pickle churn")
    safety.allow(OWNER, NewConsent())
    scanner.require(usual)
    with pytest.raises(PickleNotAllowed, match=r"builtins\.eval\('1\+1'\)") as refused:
        scanner.require(evil)
    assert refused.value.hint.endswith("allow-pickle churn --dangerous")
    with pytest.raises(PickleNotAllowed, match="by its name"):
        scanner.runs_code("churn@2")  # serving asks for the model's own
    safety.allow(OWNER, NewConsent(model="churn", level="dangerous"))
    assert scanner.runs_code("churn@3")
    assert not scanner.runs_code("churn@1")
    assert safety.permission(OWNER, "churn@3").allowed
    safety.withdraw(OWNER, "default", "churn")
    assert not safety.permission(OWNER, "churn@3").allowed
    with pytest.raises(ConsentNotFound):
        safety.withdraw(OWNER, "default", "churn")
    assert [consent.model for consent in safety.consents(OWNER)] == [""]


def test_protected_aliases_take_no_pickle_unless_that_is_allowed(room: Room) -> None:
    room.register(files=PLAIN)
    room.protect("roc_auc>=0.5")
    room.governed.safety.allow(OWNER, NewConsent(model="churn"))
    with pytest.raises(AliasProtected, match="nobody allowed that for protected aliases"):
        room.models.promote(OWNER, "churn@1")
    room.governed.safety.allow(OWNER, NewConsent(model="churn", protected=True))
    assert room.models.promote(OWNER, "churn@1").number == 1


def test_a_card_is_filled_and_completed(room: Room) -> None:
    version = room.register()
    run = room.lineage.start_run(OWNER, NewRun(kind="task", name="train", code={"commit": "abc"}))
    data = room.lineage.record(
        OWNER, NewArtifact(type="dataset", name="<b>churn</b>", uri="x", digest="sha256:dd")
    )
    assert version.artifact_id is not None
    room.lineage.consumed(OWNER, run.id, data.id, "data")
    room.lineage.produced(OWNER, run.id, version.artifact_id, "model")
    room.judged(version, "sha256:aa", 0.9)
    room.protect("roc_auc>=0.8")
    room.models.promote(OWNER, "churn@1")
    cards = room.governed.cards
    text = cards.card(OWNER, "churn@1").text
    for told in (
        "# churn, version 1 (champion)",
        "dataset &lt;b>churn",
        "task train",
        "commit: abc",
        "age: long",
        "Parameter depth = 1",
        "| roc\\_auc | 0.9000 |",
        "100 rows of holdout",
        "metric roc\\_auc (for champion",
        "Nothing in its files runs",
        "Intended use",
    ):
        assert told in text
    assert "unknown" not in text
    written = cards.write_section(OWNER, "churn@1", "Intended use", "Calls to <script>x</script>")
    assert "Intended use" not in written.suggested
    assert "&lt;script>" in written.text
    edited = written.text.replace("Calls to", "Letters to") + "\n## Owner\n\nThe churn team\n"
    again = cards.edit_card(OWNER, "churn@1", edited)
    assert [section.title for section in again.sections] == ["Intended use", "Owner"]
    assert "registry.card.written" in room.actions()
    gone = cards.write_section(OWNER, "churn@1", "Owner", "")
    assert [section.title for section in gone.sections] == ["Intended use"]
    for title, told in (("", "x"), ("a\nb", "x"), ("What it is", "x"), ("t", "x" * 100_001)):
        with pytest.raises(BadSection):
            cards.write_section(OWNER, "churn@1", title, told)
    with pytest.raises(BadSection):
        cards.edit_card(OWNER, "churn@1", "no section")
    with pytest.raises(AthanorError):
        cards.write_section(OWNER, "churn@1", "Nothing there", "")


@pytest.mark.parametrize(
    "text",
    [
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x]( JavaScript :alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x]: javascript:alert(1)",
        "<javascript:alert(1)>",
        "[x](<javascript:alert(1)>)",
        "![x](data:text/html;base64,AAAA)",
        "`a`<script>",
    ],
)
def test_no_card_holds_html(text: str) -> None:
    for shown in (harmless(text), plain(text)):
        assert "<" not in shown
        assert "(javascript:" not in shown.lower().replace(" ", "")
        assert "(data:" not in shown
        assert "&#" not in shown


def test_sections_are_those_of_people() -> None:
    text = "# top\n\n## What it is\n\nours\n\n## Limits\n\n### deep\ntext\n## Empty\n"
    assert sections_of(text) == {"Limits": "### deep\ntext"}


def test_compared_on_the_same_rows_or_told_that_they_differ(room: Room) -> None:
    first, second = room.register(0.8), room.register(0.9)
    comparisons = room.governed.comparisons
    unknown = comparisons.compare(OWNER, "churn", ["1", "2"])
    assert unknown.same_holdout is None
    assert "not recorded" in unknown.note
    room.judged(first, "sha256:aa", 0.8)
    room.judged(second, "sha256:bb", 0.9)
    differ = comparisons.compare(OWNER, "churn", ["1", "latest"])
    assert differ.same_holdout is False
    assert "The holdouts differ" in differ.note
    assert [item.digest for item in differ.holdouts] == ["sha256:aa", "sha256:bb"]
    assert differ.metrics == {"roc_auc": [0.8, 0.9]}
    assert differ.params == {"depth": ["1", "2"]}
    room.judged(second, "sha256:aa", 0.75)
    same = comparisons.compare(OWNER, "churn", ["1", "2"])
    assert same.same_holdout
    assert same.metrics == {"roc_auc": [0.8, 0.75]}
    assert [item.digest for item in comparisons.holdouts(OWNER, "churn")] == [
        "sha256:bb",
        "sha256:aa",
    ]


def test_what_callers_would_notice_is_told(room: Room) -> None:
    room.register()
    room.register(inputs=[{"name": "town", "type": "string", "required": True}])
    found = room.governed.comparisons.compare(OWNER, "churn", ["1", "2"])
    assert found.inputs_added == ["town"]
    assert found.inputs_removed == ["age"]
    assert found.breaks == ["column 'town' is demanded now"]
