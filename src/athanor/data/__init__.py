"""Datasets with numbered versions, their profiles and checks, watched folders, and SQL."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from athanor.data.errors import (
        DatasetNotFound,
        NoReadyVersion,
        UnfitTable,
        UnknownColumn,
        UnreadableFile,
        VersionNotFound,
    )
    from athanor.data.service import Datasets, Ground, Sql, Watches
    from athanor.data.service.intake import Intake
    from athanor.data.store import DataStore, SqlDataStore, SqlWatchStore, WatchStore
    from athanor.data.types import (
        CheckResult,
        Column,
        ColumnProfile,
        Dataset,
        DatasetVersion,
        Expectation,
        Leak,
        NewVersion,
        Profile,
        Quarantine,
        Query,
        QueryResult,
        ReadOptions,
        Roles,
        Source,
        Watch,
        WatchedFile,
    )

# Workers and commands need the types and errors and nothing of the database: each name is loaded
# with the module it stands in, when it is asked for.
_HOMES = {
    "CheckResult": "athanor.data.types",
    "Column": "athanor.data.types",
    "ColumnProfile": "athanor.data.types",
    "DataStore": "athanor.data.store",
    "Dataset": "athanor.data.types",
    "DatasetNotFound": "athanor.data.errors",
    "DatasetVersion": "athanor.data.types",
    "Datasets": "athanor.data.service",
    "Expectation": "athanor.data.types",
    "Ground": "athanor.data.service",
    "Intake": "athanor.data.service.intake",
    "Leak": "athanor.data.types",
    "NewVersion": "athanor.data.types",
    "NoReadyVersion": "athanor.data.errors",
    "Profile": "athanor.data.types",
    "Quarantine": "athanor.data.types",
    "Query": "athanor.data.types",
    "QueryResult": "athanor.data.types",
    "ReadOptions": "athanor.data.types",
    "Roles": "athanor.data.types",
    "Source": "athanor.data.types",
    "Sql": "athanor.data.service",
    "SqlDataStore": "athanor.data.store",
    "SqlWatchStore": "athanor.data.store",
    "UnfitTable": "athanor.data.errors",
    "UnknownColumn": "athanor.data.errors",
    "UnreadableFile": "athanor.data.errors",
    "VersionNotFound": "athanor.data.errors",
    "Watch": "athanor.data.types",
    "WatchStore": "athanor.data.store",
    "WatchedFile": "athanor.data.types",
    "Watches": "athanor.data.service",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


__all__ = [
    "CheckResult",
    "Column",
    "ColumnProfile",
    "DataStore",
    "Dataset",
    "DatasetNotFound",
    "DatasetVersion",
    "Datasets",
    "Expectation",
    "Ground",
    "Intake",
    "Leak",
    "NewVersion",
    "NoReadyVersion",
    "Profile",
    "Quarantine",
    "Query",
    "QueryResult",
    "ReadOptions",
    "Roles",
    "Source",
    "Sql",
    "SqlDataStore",
    "SqlWatchStore",
    "UnfitTable",
    "UnknownColumn",
    "UnreadableFile",
    "VersionNotFound",
    "Watch",
    "WatchStore",
    "WatchedFile",
    "Watches",
]
