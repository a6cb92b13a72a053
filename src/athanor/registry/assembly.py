"""The parts of the registry that stand around its models, put together once."""

from dataclasses import dataclass

from athanor.kernel import Gate
from athanor.registry.evaluations import Evaluations
from athanor.registry.ground import Ground
from athanor.registry.guard import Guard
from athanor.registry.latency import Stopwatch
from athanor.registry.scanning import Scanner
from athanor.registry.service import Catalog, Models
from athanor.registry.service.cards import Cards
from athanor.registry.service.comparisons import Comparisons, Figures
from athanor.registry.service.exchange import Exchange
from athanor.registry.service.promotions import Promotions
from athanor.registry.service.safety import Safety
from athanor.registry.service.transfers import ModelTransfers
from athanor.registry.store import ModelStore
from athanor.registry.store.cards import SqlCardStore
from athanor.registry.store.protection import SqlProtectionStore
from athanor.registry.store.safety import SqlSafetyStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Governed:
    """Services of one registry, and the rules that they apply."""

    safety: Safety
    promotions: Promotions
    cards: Cards
    comparisons: Comparisons
    exchange: Exchange
    scanner: Scanner
    guard: Guard

    def offer_gate(self, gate: Gate) -> None:
        """Have an upper room judge the gates of its name."""
        self.guard.offer_gate(gate)


def govern(
    followers: tuple[Models, Catalog, ModelTransfers],
    store: ModelStore,
    ground: Ground,
    figures: Figures,
) -> Governed:
    """Have a registry's services follow rules: scans, protected aliases, consents.

    `figures` finds metrics and parameters of versions that were registered without any.
    """
    safety_store, protections = SqlSafetyStore(ground.database), SqlProtectionStore(ground.database)
    scanner = Scanner(safety_store, store, ground)
    evaluations = Evaluations(ground.lineage, ground.storage)
    guard = Guard(protections, store, scanner=scanner, evaluations=evaluations, ground=ground)
    guard.use(metrics=figures.metrics, latency=Stopwatch(scanner, ground))
    models, catalog, transfers = followers
    for follower in (models, catalog, transfers):
        follower.follow(guard)
    cards = SqlCardStore(ground.database)
    return Governed(
        safety=Safety(safety_store, scanner, models, ground),
        promotions=Promotions(protections, guard, models, ground),
        cards=Cards(
            (cards, protections),
            models,
            ground,
            scanner=scanner,
            figures=figures,
        ),
        exchange=Exchange(models, transfers, cards, ground),
        comparisons=Comparisons(
            models, evaluations, lineage=ground.lineage, access=ground.access, figures=figures
        ),
        scanner=scanner,
        guard=guard,
    )
