"""The whole SDK: every room's client, joined over one transport."""

from athanor.client.persons import PersonsClient
from athanor.data.client import ChecksClient, Data, RecipesClient
from athanor.features.client import FeaturesClient
from athanor.kernel import Transport
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


class Client:
    """A connection to a platform, room by room."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.data = Data(transport)
        self.recipes = RecipesClient(transport)
        self.checks = ChecksClient(transport)
        self.runs = Runs(transport)
        self.tracking = TrackingClient(transport)
        self.experiments = ExperimentsClient(transport)
        self.files = FilesClient(transport)
        self.logged_models = LoggedModelsClient(transport)
        self.inputs = InputsClient(transport)
        self.transfers = TransfersClient(transport)
        self.debug = DebugClient(transport)
        self.features = FeaturesClient(transport)
        self.pipelines = PipelinesClient(transport)
        self.models = ModelsClient(transport)
        self.catalog = CatalogClient(transport)
        self.model_transfers = ModelTransfersClient(transport)
        self.exchange = ExchangeClient(transport)
        self.cards = CardsClient(transport)
        self.promotions = PromotionsClient(transport)
        self.safety = SafetyClient(transport)
        self.webhooks = WebhooksClient(transport)
        self.reports = ReportsClient(transport)
        self.endpoints = EndpointsClient(transport)
        self.batches = BatchesClient(transport)
        self.tickets = TicketsClient(transport)
        self.exports = ExportsClient(transport)
        self.deployments = DeploymentsClient(transport)
        self.recording = RecordingClient(transport)
        self.monitors = MonitorsClient(transport)
        self.alerts = AlertsClient(transport)
        self.persons = PersonsClient(transport)
