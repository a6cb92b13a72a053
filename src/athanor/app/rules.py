"""The rules around models: which room judges what, and where figures come from."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from athanor.kernel import SYSTEM, AthanorError
from athanor.lineage import Lineage
from athanor.registry import Catalog, Models, ModelVersion, SqlModelStore
from athanor.registry.assembly import govern
from athanor.registry.ground import Ground
from athanor.registry.scanning import Scanner
from athanor.registry.service.cards import Cards
from athanor.registry.service.comparisons import Comparisons, Figures
from athanor.registry.service.exchange import Exchange
from athanor.registry.service.promotions import Promotions
from athanor.registry.service.safety import Safety
from athanor.registry.service.transfers import ModelTransfers
from athanor.responsible import FairnessGate
from athanor.tracking import Tracking

if TYPE_CHECKING:
    from athanor.app.house import House


def govern_models(house: "House") -> None:
    """Have the registry follow its rules, and let the upper rooms judge."""
    lineage, tracking = house.services[Lineage], house.services[Tracking]

    def metrics(version: ModelVersion) -> Mapping[str, float]:
        """What a version was registered with, and what its run told beside."""
        if version.run_id is None:
            return version.metrics
        try:
            told = {point.key: point.value for point in tracking.metrics(SYSTEM, version.run_id)}
        except AthanorError:
            return version.metrics  # its run is of another server, or is gone
        return {**told, **version.metrics}

    def params(version: ModelVersion) -> Mapping[str, str]:
        """What its run was told."""
        if version.run_id is None:
            return {}
        try:
            return {item.key: item.value for item in tracking.params(SYSTEM, version.run_id)}
        except AthanorError:
            return {}

    governed = govern(
        (house.services[Models], house.services[Catalog], house.services[ModelTransfers]),
        SqlModelStore(house.database),
        Ground(
            database=house.database,
            lineage=lineage,
            storage=house.storage,
            events=house.events,
            access=house.access,
            clock=house.clock,
            workers=house.workers,
        ),
        Figures(metrics=metrics, params=params),
    )
    governed.offer_gate(FairnessGate(lineage, house.storage))
    house.services |= {
        Cards: governed.cards,
        Comparisons: governed.comparisons,
        Exchange: governed.exchange,
        Safety: governed.safety,
        Promotions: governed.promotions,
        Scanner: governed.scanner,
    }
