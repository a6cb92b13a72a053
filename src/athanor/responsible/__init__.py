"""Responsible AI: evaluation reports, explanations, group figures and the quality gate.

`athanor.responsible.logic` needs numpy and is loaded by name.
"""

from typing import TYPE_CHECKING

from athanor.kernel.front_door import lazily

if TYPE_CHECKING:
    from athanor.responsible.catalogue import (
        CATALOGUE,
    )
    from athanor.responsible.errors import (
        ReportNotFound,
    )
    from athanor.responsible.fairness import (
        FairnessGate,
    )
    from athanor.responsible.service import (
        ReportIndex,
        Reports,
    )
    from athanor.responsible.store import (
        ReportStore,
        SqlReportStore,
    )
    from athanor.responsible.types import (
        Contents,
        Indicator,
        Report,
    )

__getattr__ = lazily(
    __name__,
    {
        "CATALOGUE": "catalogue",
        "Contents": "types",
        "FairnessGate": "fairness",
        "Indicator": "types",
        "Report": "types",
        "ReportIndex": "service",
        "ReportNotFound": "errors",
        "ReportStore": "store",
        "Reports": "service",
        "SqlReportStore": "store",
    },
)

__all__ = [
    "CATALOGUE",
    "Contents",
    "FairnessGate",
    "Indicator",
    "Report",
    "ReportIndex",
    "ReportNotFound",
    "ReportStore",
    "Reports",
    "SqlReportStore",
]
