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
    models = house.services[Models]
    found = (
        f"{version.model}@{version.number}"
        for model in models.models(SYSTEM)
        for version in models.versions(SYSTEM, model.name)
        if version.artifact_id == artifact_id
    )
    return next(found, "")
