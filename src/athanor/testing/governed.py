"""What every store of the registry's rules keeps to."""

from dataclasses import replace

import pytest

from athanor.kernel import Database, Verdict, new_id
from athanor.registry.cards import Section
from athanor.registry.protection import (
    Approval,
    ApprovalRequest,
    GateRule,
    Judgement,
    Protection,
    RequestFilter,
)
from athanor.registry.scans import Consent, Finding, Scan, ScannedFile, VersionScan
from athanor.registry.store import SqlCatalogStore, SqlModelStore
from athanor.registry.store.cards import CardStore
from athanor.registry.store.protection import ProtectionStore
from athanor.registry.store.safety import SafetyStore
from athanor.testing.clock import FixedClock
from athanor.testing.registry import a_model, a_version

_AT = FixedClock().now()
_SCAN = Scan(
    level="dangerous",
    files=[ScannedFile(path="m.pkl", format="pickle", size=3, problem="it ends too early")],
    findings=[
        Finding(file="m.pkl", module="os", name="system", level="dangerous", runs=True, call="x")
    ],
)


def _consent(model: str = "", project: str = "default") -> Consent:
    return Consent(
        project=project,
        model=model,
        level="unknown",
        protected=True,
        reason="tested",
        granted_by="owner",
        granted_at=_AT,
    )


def _protection(alias: str = "champion", model: str | None = "churn") -> Protection:
    return Protection(
        id=new_id(),
        project="default",
        model=model,
        alias=alias,
        gates=(GateRule(kind="metric", metric="roc_auc", at_least=0.8), GateRule(kind="schema")),
        approvals=1,
        by_others=True,
        created_by="owner",
        created_at=_AT,
    )


def _request(number: int = 2) -> ApprovalRequest:
    return ApprovalRequest(
        id=new_id(),
        project="default",
        model="churn",
        alias="champion",
        number=number,
        holder=1,
        judgement=new_id(),
        needed=2,
        asked_by="ada",
        asked_at=_AT,
    )


class _Stocked:
    @pytest.fixture(autouse=True)
    def _two_versions(self, database: Database) -> None:
        store = SqlModelStore(database)
        store.add_model(a_model())
        for _ in range(2):
            store.add_version(a_version(database), None)


class SafetyStoreContract(_Stocked):
    """Run it with fixtures `store` and `database`, the store's own."""

    def test_a_scan_comes_back_and_is_replaced(self, store: SafetyStore) -> None:
        found = VersionScan(model="churn", number=1, digest="d", scan=_SCAN, scanned_at=_AT)
        store.keep_scan(found)
        assert store.find_scan("churn", 1) == found
        later = replace(found, digest="e", scan=Scan(level="safe"))
        store.keep_scan(later)
        assert store.find_scan("churn", 1) == later
        assert store.find_scan("churn", 2) is None

    def test_a_consent_is_one_a_project_and_one_a_model(self, store: SafetyStore) -> None:
        for consent in (_consent(), _consent("churn"), _consent(), _consent(project="other")):
            store.grant(consent)
        assert sorted(store.list_consents("default"), key=lambda item: item.model) == [
            _consent(),
            _consent("churn"),
        ]
        assert len(store.list_consents(None)) == 3
        assert store.withdraw("default", "")
        assert not store.withdraw("default", "")
        assert store.list_consents("default") == [_consent("churn")]

    def test_what_is_deleted_takes_its_own_along(
        self, store: SafetyStore, database: Database
    ) -> None:
        store.keep_scan(
            VersionScan(model="churn", number=1, digest="d", scan=_SCAN, scanned_at=_AT)
        )
        store.grant(_consent("churn"))
        catalog = SqlCatalogStore(database)
        catalog.rename_model("churn", "leaving", _AT)
        assert store.find_scan("leaving", 1) is not None
        assert [item.model for item in store.list_consents("default")] == ["leaving"]
        catalog.remove_model("leaving")
        assert store.find_scan("leaving", 1) is None
        assert store.list_consents(None) == []


class ProtectionStoreContract(_Stocked):
    """Run it with fixtures `store` and `database`, the store's own."""

    def test_a_protection_comes_back_and_is_replaced(self, store: ProtectionStore) -> None:
        first, every = _protection(), _protection(model=None)
        store.protect(first)
        store.protect(every)
        assert set(store.protections(None, "churn")) == {first, every}
        again = replace(_protection(), approvals=0)
        store.protect(again)
        assert set(store.protections("default", "churn")) == {again, every}
        assert store.protections("other", None) == []
        assert store.unprotect("default", None, "champion")
        assert not store.unprotect("default", None, "champion")
        assert store.protections("default", None) == [again]

    def test_judgements_come_newest_first(self, store: ProtectionStore) -> None:
        said = Verdict(gate="schema", passed=True, reason="alike", measured={"a": [1.5]})
        kept = [
            Judgement(
                id=new_id(),
                model="churn",
                number=number,
                alias="champion",
                holder=None,
                passed=True,
                verdicts=(said,),
                judged_by="owner",
                judged_at=_AT,
            )
            for number in (1, 2)
        ]
        for judgement in kept:
            store.add_judgement(judgement)
        assert store.judgements("churn", None, 10) == kept[::-1]
        assert store.judgements("churn", 1, 10) == kept[:1]
        assert store.judgements("churn", None, 1) == kept[1:]
        assert store.find_judgement(kept[0].id) == kept[0]
        assert store.find_judgement(new_id()) is None

    def test_requests_change_and_are_found(self, store: ProtectionStore) -> None:
        first, second = _request(1), _request(2)
        for request in (first, second):
            store.add_request(request)
        assert store.requests(RequestFilter()) == [second, first]
        assert store.pending("churn", "champion") == [second, first]
        decided = replace(
            first,
            state="rejected",
            approvals=(Approval(who="bob", at=_AT, reason="fine"),),
            decided_by="eve",
            decided_at=_AT,
            decision="no",
        )
        store.change_request(decided)
        assert store.find_request(first.id, lock=True) == decided
        assert store.requests(RequestFilter(state="open", model="churn")) == [second]
        assert store.requests(RequestFilter(model="fraud")) == []
        assert store.pending("churn", "champion") == [second]

    def test_rows_follow_their_model(self, store: ProtectionStore, database: Database) -> None:
        store.protect(_protection())
        store.add_request(_request())
        catalog = SqlCatalogStore(database)
        catalog.rename_model("churn", "leaving", _AT)
        assert store.requests(RequestFilter(model="leaving"))
        assert store.protections(None, "leaving")
        catalog.remove_model("leaving")
        assert store.requests(RequestFilter()) == []
        assert store.protections(None, None) == []


class CardStoreContract(_Stocked):
    """Run it with fixtures `store` and `database`, the store's own."""

    def test_sections_keep_their_order(self, store: CardStore) -> None:
        def section(title: str, text: str, minute: int = 0) -> Section:
            at = _AT.replace(minute=minute)
            return Section(title=title, text=text, written_by="owner", written_at=at)

        store.write("churn", 1, section("Use", "first", 1))
        store.write("churn", 1, section("Limits", "none", 2))
        store.write("churn", 1, section("Use", "second", 3))
        assert store.sections("churn", 1) == [
            section("Use", "second", 3),
            section("Limits", "none", 2),
        ]
        assert store.sections("churn", 2) == []
        assert store.erase("churn", 1, "Use")
        assert not store.erase("churn", 1, "Use")
        assert [item.title for item in store.sections("churn", 1)] == ["Limits"]
