"""What the registry's services stand on."""

from dataclasses import dataclass

from athanor.kernel import Access, Clock, Database, Events, Storage
from athanor.kernel.workers import Workers
from athanor.lineage import Lineage


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The kernel's parts and the lineage."""

    database: Database
    lineage: Lineage
    storage: Storage
    events: Events
    access: Access
    clock: Clock
    workers: Workers
