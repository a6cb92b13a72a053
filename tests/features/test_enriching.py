"""The plane asks for keys, and the model gets its features, in every protocol."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from athanor.features import open_reader
from athanor.features.lookup import KeyColumn, Lookup, OnDemand, Plan, pack
from athanor.features.store import SqlOnlineStore
from athanor.kernel.database import Database
from athanor.serving.errors import ColumnMissing, ValueRefused
from athanor.serving.errors.features import FeaturesUnused
from athanor.serving.logic.enriching import asked_columns
from athanor.serving.logic.routing import Route, Target
from athanor.serving.plane.dialects.mlflow import Invocations
from athanor.serving.plane.dialects.port import Asked, Dialect
from athanor.serving.plane.dialects.records import Records
from athanor.serving.plane.enrich import Enrichment
from athanor.serving.plane.http import Limits, Request
from athanor.serving.service.features import keyed
from athanor.serving.types import Deploy, InputColumn, Signature
from athanor.serving.types.features import FeatureUse
from athanor.serving.types.recording import LogPolicy
from athanor.testing.features import a_record

PLAN = Plan(
    service="churn",
    lookups=(
        Lookup(
            view="default/spending",
            space="default/customer",
            keys=(KeyColumn(name="customer", type="integer"),),
            features=("amount", "visits"),
            names=("amount", "visits"),
        ),
    ),
    on_demand=(
        OnDemand(
            view="default/ratios",
            inputs=(("default/spending", "amount", "amount"),),
            request=("limit",),
            features=("share",),
            names=("share",),
            types=("number",),
            expressions={"share": "amount / limit"},
        ),
    ),
    columns=("amount", "visits", "share"),
)
ROUTE = Route(name="churn", targets=[])
SIGNATURE = Signature(
    columns=(
        InputColumn(name="share", type="double"),
        InputColumn(name="amount", type="double"),
        InputColumn(name="visits", type="double"),
        InputColumn(name="limit", type="double"),
        InputColumn(name="age", type="long"),
    )
)


@pytest.fixture
def enrichment(sqlite: Database) -> Iterator[Enrichment]:
    store = SqlOnlineStore(sqlite)
    packed = pack({"amount": 8.0, "visits": 3})
    store.put("default/customer", "default/spending", 1, [a_record(packed=packed)])
    asks = asked_columns(SIGNATURE, PLAN, [("limit", "number")], "churn")
    assert [(item.name, item.required) for item in asks] == [
        ("customer", True), ("limit", True), ("share", False), ("amount", False),
        ("visits", False), ("age", True),
    ]  # fmt: skip
    use = FeatureUse(service="churn", plan=PLAN, asks=asks)
    target = Target(
        id="d", number=1, model="churn", version=1, weight=1.0, sockets=[], signature=SIGNATURE,
        features=use,
    )  # fmt: skip
    reader = open_reader(sqlite.engine.url.render_as_string(hide_password=False))
    yield Enrichment(target, use, reader)
    reader.close()


def read(
    enrichment: Enrichment,
    dialect: Dialect,
    body: dict[str, Any],
    route: Route = ROUTE,
) -> Asked:
    headers = {"content-type": ["application/json"]}
    request = Request("POST", "/", headers, json.dumps(body).encode(), 0.0)
    return enrichment.read(dialect, route, request, Limits())


def asked(enrichment: Enrichment, dialect: Dialect, body: dict[str, Any]) -> list[list[Any]]:
    return read(enrichment, dialect, body).rows


def test_features_are_found_by_key_in_every_protocol(enrichment: Enrichment) -> None:
    record = {"customer": 1, "limit": 4.0, "age": 30}
    wanted = [[2.0, 8.0, 3.0, 4.0, 30]]
    assert asked(enrichment, Records(), {"records": [record]}) == wanted
    assert asked(enrichment, Invocations(), {"dataframe_records": [record]}) == wanted


def test_whom_a_row_is_about_is_logged_and_is_the_endpoints_key(enrichment: Enrichment) -> None:
    record = {"customer": 1, "limit": 4.0, "age": 30}
    plain = read(enrichment, Records(), {"records": [record, record | {"customer": 2}]})
    assert plain.beside == [{"customer": 1}, {"customer": 2}]
    masked = Route(name="churn", targets=[], key="customer", log=LogPolicy(redact=("customer",)))
    told = read(enrichment, Invocations(), {"dataframe_records": [record]}, masked)
    assert told.beside == [{"customer": "***"}]
    assert told.keys == ["1"]
    use, deploy = FeatureUse(service="churn", plan=PLAN, asks=()), Deploy(model="churn")
    assert keyed(deploy, None, use).key == "customer"
    assert keyed(replace(deploy, key=""), None, use).key == ""
    assert keyed(deploy, None, None).key is None


def test_what_callers_send_stands(enrichment: Enrichment) -> None:
    record = {"customer": 1, "limit": 4.0, "age": 30, "visits": 7}
    assert asked(enrichment, Records(), {"records": [record]}) == [[2.0, 8.0, 7.0, 4.0, 30]]


def test_an_unknown_key_has_no_features_and_a_missing_one_is_refused(
    enrichment: Enrichment,
) -> None:
    record = {"customer": 2, "limit": 4.0, "age": 30}
    assert asked(enrichment, Records(), {"records": [record]}) == [[None, None, None, 4.0, 30]]
    told = read(enrichment, Records(), {"records": [record, record | {"customer": 1}]})
    assert told.absent == {"amount": {"not_found": 1}, "visits": {"not_found": 1}}
    with pytest.raises(ColumnMissing, match="customer"):
        asked(enrichment, Records(), {"records": [{"limit": 4.0, "age": 30}]})
    with pytest.raises(ValueRefused, match="customer"):
        asked(enrichment, Records(), {"records": [record | {"customer": "1"}]})


def test_a_service_that_the_model_does_not_read_is_refused() -> None:
    other = Signature(columns=(InputColumn(name="age", type="long"),))
    with pytest.raises(FeaturesUnused, match="none of the features"):
        asked_columns(other, PLAN, [], "churn")
