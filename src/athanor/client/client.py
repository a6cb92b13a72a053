"""The whole SDK: every room's client, joined over one transport."""

import importlib
from typing import TYPE_CHECKING, Any

from athanor.kernel import Transport

if TYPE_CHECKING:
    from athanor.client.persons import PersonsClient
    from athanor.data import QueryResult
    from athanor.data.client import ChecksClient, Data, RecipesClient
    from athanor.features.client import FeaturesClient
    from athanor.lineage.client import Runs
    from athanor.monitoring.client import AlertsClient, MonitorsClient
    from athanor.pipelines.client import PipelinesClient
    from athanor.registry.client import (
        CardsClient,
        CatalogClient,
        ExchangeClient,
        ModelsClient,
        ModelTransfersClient,
        PromotionsClient,
        SafetyClient,
        WebhooksClient,
    )
    from athanor.responsible.client import ReportsClient
    from athanor.serving.client import EndpointsClient
    from athanor.serving.client.batches import BatchesClient
    from athanor.serving.client.deployments import DeploymentsClient
    from athanor.serving.client.exports import ExportsClient
    from athanor.serving.client.recording import RecordingClient
    from athanor.serving.client.tickets import TicketsClient
    from athanor.tracking.client import (
        DebugClient,
        ExperimentsClient,
        FilesClient,
        InputsClient,
        LoggedModelsClient,
        TrackingClient,
        TransfersClient,
    )

_PLACES = {
    "data": "athanor.data.client:Data",
    "recipes": "athanor.data.client:RecipesClient",
    "checks": "athanor.data.client:ChecksClient",
    "runs": "athanor.lineage.client:Runs",
    "tracking": "athanor.tracking.client:TrackingClient",
    "experiments": "athanor.tracking.client:ExperimentsClient",
    "files": "athanor.tracking.client:FilesClient",
    "logged_models": "athanor.tracking.client:LoggedModelsClient",
    "inputs": "athanor.tracking.client:InputsClient",
    "transfers": "athanor.tracking.client:TransfersClient",
    "debug": "athanor.tracking.client:DebugClient",
    "features": "athanor.features.client:FeaturesClient",
    "pipelines": "athanor.pipelines.client:PipelinesClient",
    "models": "athanor.registry.client:ModelsClient",
    "catalog": "athanor.registry.client:CatalogClient",
    "model_transfers": "athanor.registry.client:ModelTransfersClient",
    "exchange": "athanor.registry.client:ExchangeClient",
    "cards": "athanor.registry.client:CardsClient",
    "promotions": "athanor.registry.client:PromotionsClient",
    "safety": "athanor.registry.client:SafetyClient",
    "webhooks": "athanor.registry.client:WebhooksClient",
    "reports": "athanor.responsible.client:ReportsClient",
    "endpoints": "athanor.serving.client:EndpointsClient",
    "batches": "athanor.serving.client.batches:BatchesClient",
    "tickets": "athanor.serving.client.tickets:TicketsClient",
    "exports": "athanor.serving.client.exports:ExportsClient",
    "deployments": "athanor.serving.client.deployments:DeploymentsClient",
    "recording": "athanor.serving.client.recording:RecordingClient",
    "monitors": "athanor.monitoring.client:MonitorsClient",
    "alerts": "athanor.monitoring.client:AlertsClient",
    "persons": "athanor.client.persons:PersonsClient",
}


class Client:
    """A connection to a platform, room by room; each room's client is loaded when it is used."""

    if TYPE_CHECKING:
        data: Data
        recipes: RecipesClient
        checks: ChecksClient
        runs: Runs
        tracking: TrackingClient
        experiments: ExperimentsClient
        files: FilesClient
        logged_models: LoggedModelsClient
        inputs: InputsClient
        transfers: TransfersClient
        debug: DebugClient
        features: FeaturesClient
        pipelines: PipelinesClient
        models: ModelsClient
        catalog: CatalogClient
        model_transfers: ModelTransfersClient
        exchange: ExchangeClient
        cards: CardsClient
        promotions: PromotionsClient
        safety: SafetyClient
        webhooks: WebhooksClient
        reports: ReportsClient
        endpoints: EndpointsClient
        batches: BatchesClient
        tickets: TicketsClient
        exports: ExportsClient
        deployments: DeploymentsClient
        recording: RecordingClient
        monitors: MonitorsClient
        alerts: AlertsClient
        persons: PersonsClient

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    if not TYPE_CHECKING:  # a checker of types is to name what is not there

        def __getattr__(self, name: str) -> Any:
            """A room's client, kept from then on."""
            if name not in _PLACES:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            module, _, kind = _PLACES[name].partition(":")
            made = getattr(importlib.import_module(module), kind)(self.transport)
            setattr(self, name, made)
            return made

    def sql(self, query: str) -> "QueryResult":
        """The answer to one SELECT over everything, its first 10,000 rows; as `data.query`."""
        return self.data.query(query)

    def __dir__(self) -> list[str]:
        """What completion offers."""
        return sorted({*super().__dir__(), *_PLACES})
