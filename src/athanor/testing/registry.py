"""What every store of the registry keeps to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from athanor.kernel import Database, Verdict, new_id
from athanor.lineage import Artifact, SqlLineageStore
from athanor.registry.errors import ModelNotFound
from athanor.registry.store import CatalogStore, ModelStore, SearchStore, Wanted, WebhookStore
from athanor.registry.types import (
    IS_PROMPT,
    AliasMove,
    InputColumn,
    Model,
    ModelVersion,
    Signature,
)
from athanor.registry.webhooks import Webhook
from athanor.tracking import model_filter, model_orders, version_filter, version_orders

_AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
_LATER = _AT + timedelta(hours=1)


def a_model(name: str = "churn") -> Model:
    """A model as the service would make it."""
    return Model(name=name, project="default", created_by="owner", created_at=_AT, updated_at=_AT)


def a_version(database: Database, model: str = "churn", digest: str = "sha256:aa") -> ModelVersion:
    """A version of an artifact that is recorded on the way."""
    artifact = SqlLineageStore(database).add_artifact(
        Artifact(
            id=new_id(),
            project="default",
            type="model",
            name="model",
            uri="x",
            digest=digest,
            size=1,
            created_at=_AT,
        )
    )
    return ModelVersion(
        model=model,
        number=0,
        artifact_id=artifact.id,
        digest=digest,
        size=12,
        run_id=None,
        flavor="sklearn",
        signature=Signature(
            inputs=(InputColumn(name="age", type="long", required=False),),
            target="status",
            classes=("gone", "here"),
            positive="gone",
        ),
        metrics={"roc_auc": 0.75},
        verdict=Verdict(gate="quality", passed=True, reason="better", measured={"p_value": 0.01}),
        created_by="owner",
        created_at=_AT,
        updated_at=_AT,
    )


class ModelStoreContract:
    """Run it with fixtures `store` and `database`, the store's own."""

    def test_each_model_counts_from_one(self, store: ModelStore, database: Database) -> None:
        numbers = []
        for name in ("churn", "fraud", "churn"):
            store.add_model(a_model(name))
            numbers.append(store.add_version(a_version(database, name), None).number)
        assert numbers == [1, 1, 2]
        assert [version.number for version in store.list_versions("churn")] == [2, 1]
        assert len(store.list_versions(None)) == 3
        assert [(model.name, model.latest) for model in store.list_models()] == [
            ("churn", 2),
            ("fraud", 1),
        ]

    def test_a_model_that_is_gone_can_not_be_held(self, store: ModelStore) -> None:
        with pytest.raises(ModelNotFound):
            store.lock("gone")

    def test_a_version_comes_back_as_it_was(self, store: ModelStore, database: Database) -> None:
        store.add_model(a_model())
        kept = store.add_version(a_version(database), "key-1")
        assert store.find_version("churn", 1) == kept
        assert store.find_by_key("churn", "key-1") == kept
        assert kept.artifact_id is not None
        assert store.find_by_artifact(kept.artifact_id) == [kept]
        assert store.find_by_artifact("0" * 32) == []
        assert kept.signature.inputs[0].name == "age"
        assert kept.verdict is not None
        assert kept.verdict.measured == {"p_value": 0.01}
        assert kept.created_at == _AT
        assert store.find_version("churn", 2) is None
        assert store.find_by_key("churn", "key-2") is None

    def test_a_key_is_taken_once_a_model(self, store: ModelStore, database: Database) -> None:
        for name in ("churn", "fraud"):
            store.add_model(a_model(name))
            store.add_version(a_version(database, name), "key")
        with pytest.raises(Exception, match=r"(?i)unique"):
            store.add_version(a_version(database), "key")

    def test_adding_a_model_again_changes_nothing(self, store: ModelStore) -> None:
        store.add_model(a_model())
        store.protect("churn", protected=True)
        store.add_model(a_model())
        found = store.find_model("churn")
        assert found is not None
        assert found.protected
        assert store.find_model("fraud") is None

    def test_an_alias_moves_and_remembers(self, store: ModelStore, database: Database) -> None:
        store.add_model(a_model())
        for _ in range(2):
            store.add_version(a_version(database), None)
        store.lock("churn")
        history: list[tuple[int | None, int | None]] = [(1, None), (2, 1), (None, 2)]
        for number, previous in history:
            store.move_alias(
                AliasMove(
                    model="churn",
                    alias="champion",
                    number=number,
                    previous=previous,
                    kind="set" if number else "removed",
                    reason="",
                    moved_by="owner",
                    moved_at=_AT,
                )
            )
            found = store.find_model("churn")
            assert found is not None
            assert found.aliases == ({"champion": number} if number else {})
        assert [(m.number, m.previous) for m in store.moves("churn", "champion")] == history
        assert store.moves("churn", "shadow") == []
        assert len(store.moves("churn", None)) == 3


class CatalogStoreContract:
    """Run it with fixtures `catalog`, `store` and `database`, all of one database."""

    def test_a_model_is_described_tagged_and_renamed(
        self, catalog: CatalogStore, store: ModelStore, database: Database
    ) -> None:
        assert store.add_model(replace(a_model(), tags={"team": "growth"}))
        assert not store.add_model(a_model())
        store.add_version(replace(a_version(database), tags={"seed": "1"}), None)
        store.move_alias(_set("champion", 1))
        catalog.change_model("churn", {"description": "who leaves", "updated_at": _LATER})
        catalog.tag_model("churn", "team", "retention")
        catalog.tag_model("churn", "tier", "1")
        catalog.untag_model("churn", "tier")
        catalog.rename_model("churn", "leaving", _LATER)
        assert store.find_model("churn") is None
        found = store.find_model("leaving")
        assert found is not None
        assert (found.description, found.tags) == ("who leaves", {"team": "retention"})
        assert (found.aliases, found.latest, found.updated_at) == ({"champion": 1}, 1, _LATER)
        version = store.find_version("leaving", 1)
        assert version is not None
        assert (version.tags, version.aliases) == ({"seed": "1"}, ["champion"])
        assert len(store.moves("leaving", None)) == 1

    def test_a_deleted_number_is_not_given_again(
        self, catalog: CatalogStore, store: ModelStore, database: Database
    ) -> None:
        store.add_model(a_model())
        for _ in range(2):
            store.add_version(replace(a_version(database), tags={"a": "b"}), None)
        catalog.remove_version("churn", 2)
        assert store.find_version("churn", 2) is None
        assert store.add_version(a_version(database), None).number == 3
        catalog.remove_model("churn")
        assert store.find_model("churn") is None
        store.add_model(a_model())
        assert store.add_version(a_version(database), None).number == 1

    def test_a_version_is_described_tagged_and_staged(
        self, catalog: CatalogStore, store: ModelStore, database: Database
    ) -> None:
        store.add_model(a_model())
        for _ in range(3):
            store.add_version(a_version(database), None)
        catalog.tag_version("churn", 1, "seed", "1")
        catalog.tag_version("churn", 1, "seed", "2")
        catalog.tag_version("churn", 1, "gone", "x")
        catalog.untag_version("churn", 1, "gone")
        for number in (1, 2):
            catalog.change_version("churn", number, {"stage": "Production", "updated_at": _LATER})
        first = store.find_version("churn", 1)
        assert first is not None
        assert (first.tags, first.stage) == ({"seed": "2"}, "Production")
        newest = catalog.latest_versions(["churn", "other"])
        assert [(found.number, found.stage) for found in newest] == [(2, "Production"), (3, "None")]
        catalog.archive("churn", "Production", 2, _LATER)
        stages = {found.number: found.stage for found in store.list_versions("churn")}
        assert stages == {1: "Archived", 2: "Production", 3: "None"}

    def test_a_version_may_lie_elsewhere(
        self, store: ModelStore, database: Database, catalog: CatalogStore
    ) -> None:
        store.add_model(a_model())
        elsewhere = replace(
            a_version(database),
            artifact_id=None,
            digest="",
            size=0,
            run_id="a run of another server",
            source="s3://bucket/model",
        )
        kept = store.add_version(elsewhere, None)
        assert (kept.artifact_id, kept.source) == (None, "s3://bucket/model")
        assert catalog.latest_versions(["churn"]) == [kept]


def _set(alias: str, number: int) -> AliasMove:
    return AliasMove(
        model="churn",
        alias=alias,
        number=number,
        previous=None,
        kind="set",
        reason="",
        moved_by="owner",
        moved_at=_AT,
    )


class SearchStoreContract:
    """Run it with fixtures `search`, `catalog`, `store` and `database`, all of one database."""

    def test_models_by_name_tags_and_project(
        self, search: SearchStore, store: ModelStore, database: Database
    ) -> None:
        for name, tags in (
            ("b", {"k": "1"}),
            ("a", {"k": "2"}),
            ("B", {}),
            ("p", {IS_PROMPT: "true"}),
        ):
            store.add_model(replace(a_model(name), tags=tags))
        store.add_model(replace(a_model("theirs"), project="other"))
        store.add_version(a_version(database, "a"), None)
        cases: list[tuple[str, list[str]]] = [
            ("", ["B", "a", "b"]),
            ("name = 'a'", ["a"]),
            ("name LIKE 'b%'", ["b"]),
            ("name ILIKE 'b%'", ["B", "b"]),
            ("name NOT IN ('a', 'b')", ["B"]),
            ("tags.k != '1'", ["a"]),
            ("tags.k LIKE '%' AND tags.k = '1'", ["b"]),
            (f"tags.`{IS_PROMPT}` = 'true'", ["p"]),
        ]
        for text, names in cases:
            wanted = Wanted(
                project="default",
                comparisons=model_filter(text),
                orders=model_orders([]),
                limit=10,
            )
            assert [model.name for model in search.search_models(wanted)] == names, text

    def test_versions_by_what_is_told_of_them(
        self, search: SearchStore, store: ModelStore, database: Database
    ) -> None:
        for name in ("a", "b"):
            store.add_model(a_model(name))
            for number in (1, 2, 3):
                version = a_version(database, name)
                tags = {"n": str(number)}
                where = f"s3://{name}/{number}"
                later = _AT + timedelta(seconds=number)
                version = replace(version, tags=tags, source=where, run_id=f"r{number}")
                store.add_version(replace(version, updated_at=later), None)
        cases: list[tuple[str, list[str], list[tuple[str, int]]]] = [
            ("name = 'a'", [], [("a", 3), ("a", 2), ("a", 1)]),
            ("version_number >= 2 AND name = 'b'", ["version_number ASC"], [("b", 2), ("b", 3)]),
            ("run_id = 'r1'", [], [("a", 1), ("b", 1)]),
            ("tags.n = '3'", ["name DESC"], [("b", 3), ("a", 3)]),
            ("source_path LIKE 's3://a/%' AND run_id IN ('r2')", [], [("a", 2)]),
        ]
        for text, orders, found in cases:
            wanted = Wanted(
                project="default",
                comparisons=version_filter(text),
                orders=version_orders(orders),
                limit=10,
            )
            versions = search.search_versions(wanted)
            assert [(version.model, version.number) for version in versions] == found, text
        beyond = Wanted(project="default", orders=version_orders([]), limit=2, offset=5)
        assert [version.model for version in search.search_versions(beyond)] == ["b"]


class WebhookStoreContract:
    """Run it with a fixture `webhooks`."""

    def test_a_webhook_comes_back_as_it_was(self, webhooks: WebhookStore) -> None:
        kept = _a_webhook()
        webhooks.add(kept, "locked")
        found = webhooks.find(kept.id)
        assert found is not None
        assert (found.webhook, found.secret) == (replace(kept, signed=True), "locked")
        assert webhooks.find("nobody") is None
        webhooks.change(kept.id, {"status": "DISABLED", "secret": None, "events": ["a.b"]})
        changed = webhooks.find(kept.id)
        assert changed is not None
        assert changed.webhook == replace(kept, status="DISABLED", events=("a.b",))
        assert webhooks.remove(kept.id)
        assert not webhooks.remove(kept.id)

    def test_who_is_told_of_an_event(self, webhooks: WebhookStore) -> None:
        told = _a_webhook()
        others = [
            _a_webhook(events=("model_version.created",)),
            _a_webhook(status="DISABLED"),
            _a_webhook(project="other"),
        ]
        for webhook in (told, *others):
            webhooks.add(webhook, None)
        assert webhooks.told_of("default", "registered_model.created") == [told]
        assert webhooks.told_of("default", "registered_model") == []

    def test_the_newest_come_first(self, webhooks: WebhookStore) -> None:
        made = [_a_webhook(created_at=_AT + timedelta(seconds=second)) for second in range(4)]
        for webhook in made:
            webhooks.add(webhook, None)
        newest = list(reversed(made))
        assert webhooks.page("default", 3, 0) == newest[:3]
        assert webhooks.page("default", 3, 3) == newest[3:]
        assert webhooks.page("other", 3, 0) == []


def _a_webhook(**other: Any) -> Webhook:
    told: dict[str, Any] = {
        "id": new_id(),
        "project": "default",
        "name": "hook",
        "url": "https://receiver.example/x",
        "events": ("registered_model.created",),
        "created_by": "owner",
        "created_at": _AT,
        "updated_at": _AT,
    }
    return Webhook(**(told | other))
