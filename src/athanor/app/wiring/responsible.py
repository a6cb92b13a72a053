"""Reports."""

from typing import TYPE_CHECKING

from athanor.lineage import Lineage
from athanor.responsible import ReportIndex, Reports, SqlReportStore

if TYPE_CHECKING:
    from athanor.app.house import House


def join_responsible(house: "House") -> None:
    """Make the reports."""
    store, lineage = SqlReportStore(house.database), house.services[Lineage]
    index = ReportIndex(store, lineage=lineage, storage=house.storage)
    house.events.subscribe("responsible.reports", index.note, index.actions, wants=index.concerns)
    house.services[Reports] = Reports(
        store, lineage=lineage, storage=house.storage, access=house.access
    )
