"""Reports."""

from functools import partial
from typing import TYPE_CHECKING

from athanor.kernel import SYSTEM
from athanor.lineage import Lineage
from athanor.registry import Models
from athanor.responsible import ReportIndex, Reports, SqlReportStore

if TYPE_CHECKING:
    from athanor.app.house import House


def join_responsible(house: "House") -> None:
    """Make the reports."""
    store, lineage = SqlReportStore(house.database), house.services[Lineage]
    index = ReportIndex(store, lineage=lineage, storage=house.storage)
    house.events.subscribe("responsible.reports", index.note, index.actions, wants=index.concerns)
    house.services[Reports] = Reports(
        store,
        lineage=lineage,
        storage=house.storage,
        access=house.access,
        version_of=partial(_version_of, house),
    )


def _version_of(house: "House", artifact_id: str) -> str:
    """The registered version whose files are this artifact."""
    versions = house.services[Models].versions_of(SYSTEM, artifact_id)
    return f"{versions[0].model}@{versions[0].number}" if versions else ""
