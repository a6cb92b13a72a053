"""Datasets with numbered versions, their profiles and checks, watched folders, and SQL."""

from typing import TYPE_CHECKING

from athanor.kernel.front_door import lazily

if TYPE_CHECKING:
    from athanor.data.errors import (
        DatasetNotFound,
        NoReadyVersion,
        UnfitTable,
        UnknownColumn,
        UnreadableFile,
        VersionNotFound,
    )
    from athanor.data.service import (
        Datasets,
        Ground,
        Sql,
        Watches,
    )
    from athanor.data.service.intake import (
        Intake,
    )
    from athanor.data.store import (
        DataStore,
        SqlDataStore,
        SqlWatchStore,
        WatchStore,
    )
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

__getattr__ = lazily(
    __name__,
    {
        "CheckResult": "types",
        "Column": "types",
        "ColumnProfile": "types",
        "DataStore": "store",
        "Dataset": "types",
        "DatasetNotFound": "errors",
        "DatasetVersion": "types",
        "Datasets": "service",
        "Expectation": "types",
        "Ground": "service",
        "Intake": "service.intake",
        "Leak": "types",
        "NewVersion": "types",
        "NoReadyVersion": "errors",
        "Profile": "types",
        "Quarantine": "types",
        "Query": "types",
        "QueryResult": "types",
        "ReadOptions": "types",
        "Roles": "types",
        "Source": "types",
        "Sql": "service",
        "SqlDataStore": "store",
        "SqlWatchStore": "store",
        "UnfitTable": "errors",
        "UnknownColumn": "errors",
        "UnreadableFile": "errors",
        "VersionNotFound": "errors",
        "Watch": "types",
        "WatchStore": "store",
        "WatchedFile": "types",
        "Watches": "service",
    },
)

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
