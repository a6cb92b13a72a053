"""Experiments: the parameters and metrics that runs tell of themselves."""

from typing import TYPE_CHECKING

from athanor.kernel.front_door import lazily

if TYPE_CHECKING:
    from athanor.tracking.errors import (
        BadKey,
        BatchTooLarge,
        ParamChanged,
    )
    from athanor.tracking.mlflow.failures import (
        MlflowError,
        invalid,
    )
    from athanor.tracking.mlflow.records import (
        Record,
        Required,
        missing,
        unfit,
    )
    from athanor.tracking.mlflow.wire import (
        Answer,
        Answered,
        Call,
        MlflowApp,
        MlflowRoutes,
        add_server_routes,
        double,
    )
    from athanor.tracking.service import (
        Tracking,
    )
    from athanor.tracking.store import (
        SqlTrackingStore,
        TrackingStore,
    )
    from athanor.tracking.types import (
        Batch,
        Metric,
        NewMetric,
        Param,
    )

__getattr__ = lazily(
    __name__,
    {
        "Answer": "mlflow.wire",
        "Answered": "mlflow.wire",
        "BadKey": "errors",
        "Batch": "types",
        "BatchTooLarge": "errors",
        "Call": "mlflow.wire",
        "Metric": "types",
        "MlflowApp": "mlflow.wire",
        "MlflowError": "mlflow.failures",
        "MlflowRoutes": "mlflow.wire",
        "NewMetric": "types",
        "Param": "types",
        "ParamChanged": "errors",
        "Record": "mlflow.records",
        "Required": "mlflow.records",
        "SqlTrackingStore": "store",
        "Tracking": "service",
        "TrackingStore": "store",
        "add_server_routes": "mlflow.wire",
        "double": "mlflow.wire",
        "invalid": "mlflow.failures",
        "missing": "mlflow.records",
        "unfit": "mlflow.records",
    },
)

__all__ = [
    "Answer",
    "Answered",
    "BadKey",
    "Batch",
    "BatchTooLarge",
    "Call",
    "Metric",
    "MlflowApp",
    "MlflowError",
    "MlflowRoutes",
    "NewMetric",
    "Param",
    "ParamChanged",
    "Record",
    "Required",
    "SqlTrackingStore",
    "Tracking",
    "TrackingStore",
    "add_server_routes",
    "double",
    "invalid",
    "missing",
    "unfit",
]
