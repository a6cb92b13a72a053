"""Models and their catalog."""

from typing import TYPE_CHECKING

from athanor.lineage import Lineage, Operation
from athanor.registry import (
    Catalog,
    Intake,
    Models,
    Origins,
    SqlCatalogStore,
    SqlModelStore,
    SqlSearchStore,
    add_model_routes,
    add_version_routes,
    model_versions,
)
from athanor.registry import operations as model_operations
from athanor.registry import resolver as model_resolver

if TYPE_CHECKING:
    from athanor.app.house import House


def join_registry(house: "House", steps: dict[str, Operation]) -> None:
    """Make the registry; offer its steps to pipelines."""
    lineage = house.services[Lineage]
    store, catalog_store = SqlModelStore(house.database), SqlCatalogStore(house.database)
    models = Models(
        store,
        house.database,
        lineage=lineage,
        storage=house.storage,
        events=house.events,
        access=house.access,
        clock=house.clock,
    )
    steps |= model_operations(models, house.events)
    lineage.offer_resolver("model", model_resolver(models, lineage))
    catalog = Catalog(
        (store, catalog_store, SqlSearchStore(house.database)),
        house.database,
        intake=Intake(
            (store, catalog_store),
            lineage=lineage,
            storage=house.storage,
            origins=house.services[Origins],
            clock=house.clock,
        ),
        events=house.events,
        access=house.access,
        clock=house.clock,
    )
    add_model_routes(house.mlflow, models, catalog)
    add_version_routes(house.mlflow, models, catalog)
    house.services |= {Models: models, Catalog: catalog}
    house.relations.append(model_versions(models))
    house.counters["models"] = lambda who: len(models.models(who))
