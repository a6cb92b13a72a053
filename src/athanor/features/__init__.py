"""Entities, feature views, training sets, online features: one definition for all of them."""

from typing import TYPE_CHECKING

from athanor.kernel.front_door import lazily

if TYPE_CHECKING:
    from athanor.features.authoring import on_demand_view, python_source
    from athanor.features.building import Building
    from athanor.features.ground import Ground, Stores
    from athanor.features.holding import FeatureHolder
    from athanor.features.lookup import (
        Enricher,
        Plan,
        Reader,
        is_redis,
        open_reader,
        open_redis,
    )
    from athanor.features.operations import operations
    from athanor.features.records import Materialize, OnlineRequest, ParityReport, Push
    from athanor.features.relations import relations
    from athanor.features.service import (
        Features,
        FeatureViews,
        OnlineFeatures,
        TrainingSets,
    )
    from athanor.features.store import (
        DefinitionStore,
        HistoryStore,
        OnlineStore,
        SqlDefinitionStore,
        SqlHistoryStore,
        SqlOnlineStore,
    )
    from athanor.features.types import (
        Definitions,
        Entity,
        FeatureService,
        FeatureView,
        Field,
        OnDemandView,
        SpineSource,
        TrainingRequest,
        ViewSource,
        ViewTest,
        ViewVersion,
    )

__getattr__ = lazily(
    __name__,
    {
        "Building": "building",
        "DefinitionStore": "store",
        "Definitions": "types",
        "Enricher": "lookup",
        "Entity": "types",
        "FeatureHolder": "holding",
        "FeatureService": "types",
        "FeatureView": "types",
        "FeatureViews": "service",
        "Features": "service",
        "Field": "types",
        "Ground": "ground",
        "HistoryStore": "store",
        "Materialize": "records",
        "OnDemandView": "types",
        "OnlineFeatures": "service",
        "OnlineRequest": "records",
        "OnlineStore": "store",
        "ParityReport": "records",
        "Plan": "lookup",
        "Push": "records",
        "Reader": "lookup",
        "SpineSource": "types",
        "SqlDefinitionStore": "store",
        "SqlHistoryStore": "store",
        "SqlOnlineStore": "store",
        "Stores": "ground",
        "TrainingRequest": "types",
        "TrainingSets": "service",
        "ViewSource": "types",
        "ViewTest": "types",
        "ViewVersion": "types",
        "is_redis": "lookup",
        "on_demand_view": "authoring",
        "open_reader": "lookup",
        "open_redis": "lookup",
        "operations": "operations",
        "python_source": "authoring",
        "relations": "relations",
    },
)

__all__ = [
    "Building",
    "DefinitionStore",
    "Definitions",
    "Enricher",
    "Entity",
    "FeatureHolder",
    "FeatureService",
    "FeatureView",
    "FeatureViews",
    "Features",
    "Field",
    "Ground",
    "HistoryStore",
    "Materialize",
    "OnDemandView",
    "OnlineFeatures",
    "OnlineRequest",
    "OnlineStore",
    "ParityReport",
    "Plan",
    "Push",
    "Reader",
    "SpineSource",
    "SqlDefinitionStore",
    "SqlHistoryStore",
    "SqlOnlineStore",
    "Stores",
    "TrainingRequest",
    "TrainingSets",
    "ViewSource",
    "ViewTest",
    "ViewVersion",
    "is_redis",
    "on_demand_view",
    "open_reader",
    "open_redis",
    "operations",
    "python_source",
    "relations",
]
