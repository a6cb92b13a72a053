"""Features: definitions, views, training sets, online values."""

from typing import TYPE_CHECKING

from athanor.data import Datasets, Recipes, Sql
from athanor.data.types.recipes import ApplyOrder
from athanor.features import (
    Building,
    FeatureHolder,
    Features,
    FeatureViews,
    Ground,
    OnlineFeatures,
    OnlineStore,
    SqlDefinitionStore,
    SqlHistoryStore,
    SqlOnlineStore,
    Stores,
    TrainingSets,
    is_redis,
    open_redis,
    operations,
    relations,
)
from athanor.kernel import Principal
from athanor.kernel.settings import BadSetting
from athanor.lineage import Lineage, Operation

if TYPE_CHECKING:
    from athanor.app.house import House


def join_features(house: "House", steps: dict[str, Operation]) -> None:
    """Make the features' services over the datasets; offer their steps to pipelines."""
    recipes: Recipes = house.services[Recipes]

    def prepare(who: Principal, recipe: str, dataset: str, project: str) -> str:
        return recipes.apply(who, recipe, ApplyOrder(dataset=dataset), project=project).artifact_id

    stores = Stores(
        definitions=SqlDefinitionStore(house.database),
        history=SqlHistoryStore(house.database),
        online=_online(house),
    )
    ground = Ground(
        database=house.database,
        storage=house.storage,
        events=house.events,
        access=house.access,
        clock=house.clock,
        workers=house.workers,
        lineage=house.services[Lineage],
        datasets=house.services[Datasets],
        sql=house.services[Sql],
        prepare=prepare,
    )
    building = Building(stores, ground)
    online = OnlineFeatures(stores, ground, building)
    online.attach(house.jobs)
    if house.database.dialect == "sqlite":
        # Under the workspace's lock: whoever was at work when the last process died is gone.
        house.starters.append(lambda: _freed(stores))
    house.starters.append(online.resume)
    house.services |= {
        Features: Features(stores, ground),
        FeatureViews: FeatureViews(stores, ground, building),
        TrainingSets: TrainingSets(stores, ground, building),
        OnlineFeatures: online,
    }
    features, views = house.services[Features], house.services[FeatureViews]
    steps |= operations(views, house.services[TrainingSets], online, house.services[Lineage])
    house.relations += relations(features, views, house.storage)
    house.holders.append(FeatureHolder(stores, ground))
    house.counters["features"] = lambda who: len(house.services[Features].views(who))


def _online(house: "House") -> OnlineStore:
    """Where online rows are kept.

    Raises: BadSetting where the setting names no Redis; OnlineStoreUnavailable without its extra.
    """
    url = house.settings.online_url
    if not url:
        return SqlOnlineStore(house.database)
    if not is_redis(url):
        scheme = url.partition("://")[0]
        raise BadSetting(
            "online_url", "athanor settings tells where it is set", f"has the scheme {scheme!r}",
            "Say redis://HOST:PORT/NUMBER, rediss:// or unix://; or leave it out.",
        )  # fmt: skip
    store: OnlineStore = open_redis(url)
    return store


def _freed(stores: Stores) -> None:
    stores.history.leases.end_all()
