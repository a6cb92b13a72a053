"""Responsible AI: evaluation reports, explanations, group figures and the quality gate.

`athanor.responsible.logic` needs numpy and is loaded by name.
"""

from athanor.responsible.catalogue import CATALOGUE
from athanor.responsible.errors import ReportNotFound
from athanor.responsible.service import ReportIndex, Reports
from athanor.responsible.store import ReportStore, SqlReportStore
from athanor.responsible.types import Contents, Indicator, Report

__all__ = [
    "CATALOGUE",
    "Contents",
    "Indicator",
    "Report",
    "ReportIndex",
    "ReportNotFound",
    "ReportStore",
    "Reports",
    "SqlReportStore",
]
