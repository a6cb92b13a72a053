"""Features as tables for SQL: what there is, and the rows of each view."""

from typing import Any

from athanor.features.errors import ViewVersionNotFound
from athanor.features.service import Features, FeatureViews
from athanor.features.types import FeatureView, ViewVersion
from athanor.kernel import Column, Principal, Relation, Scan, Storage

_COLUMNS = tuple(
    Column(name=name, type=kind)
    for name, kind in (
        ("project", "VARCHAR"), ("view", "VARCHAR"), ("feature", "VARCHAR"), ("type", "VARCHAR"),
        ("entities", "VARCHAR"), ("version", "INTEGER"), ("rows", "BIGINT"),
        ("last_event", "TIMESTAMPTZ"), ("ttl", "DOUBLE"), ("owner", "VARCHAR"),
        ("description", "VARCHAR"),
    )
)  # fmt: skip


def relations(features: Features, views: FeatureViews, storage: Storage) -> list[Relation]:
    """`features`: every feature of every view. "feature_rows@VIEW": the rows of one."""

    def catalogue(who: Principal, rest: str) -> Scan:
        del rest
        rows: list[dict[str, Any]] = []
        for view in features.views(who):
            ready = (item for item in views.versions(who, view.name) if item.state == "ready")
            rows += _rows(view, next(ready, None))
        return Scan(rows=rows)

    def stored(who: Principal, rest: str) -> Scan:
        name = rest or next((view.name for view in features.views(who)), "")
        features.view(who, name)
        ready = (item for item in views.versions(who, name) if item.state == "ready")
        newest = next(ready, None)
        if newest is None:
            raise ViewVersionNotFound(name, None)
        path = storage.path_of(newest.blob)
        shape = "SELECT COLUMNS('^([^_]|_[^_]|_$)') FROM source"  # ours begin with two
        return Scan(parquet=[str(path)] if path else [], sql=shape)

    return [
        Relation(
            name="features",
            description="every feature of every view",
            columns=_COLUMNS,
            scan=catalogue,
        ),
        Relation(
            name="feature_rows",
            description='the stored rows of a view: "feature_rows@VIEW"',
            scan=stored,
        ),
    ]


def _rows(view: FeatureView, newest: ViewVersion | None) -> list[dict[str, Any]]:
    last = newest.last_event if newest is not None else None
    return [
        {
            "project": view.project,
            "view": view.name,
            "feature": item.name,
            "type": item.type,
            "entities": ", ".join(view.entities),
            "version": newest.number if newest else None,
            "rows": newest.rows if newest else None,
            "last_event": last.isoformat() if last else None,
            "ttl": view.ttl,
            "owner": view.owner,
            "description": item.description or view.description,
        }
        for item in (newest.fields if newest is not None else view.features)
    ]
