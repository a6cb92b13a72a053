"""Experiments: the parameters and metrics that runs tell of themselves."""

from typing import TYPE_CHECKING

from athanor.kernel.front_door import lazily

if TYPE_CHECKING:
    from athanor.tracking.errors import (
        BadKey,
        BadSearch,
        BatchTooLarge,
        ParamChanged,
    )
    from athanor.tracking.logic.rules import (
        check_key,
    )
    from athanor.tracking.logic.search import (
        model_filter,
        model_orders,
        page_offset,
        page_token,
        version_filter,
        version_orders,
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
    from athanor.tracking.searches import (
        Comparison,
        Order,
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
        "BadSearch": "errors",
        "Batch": "types",
        "BatchTooLarge": "errors",
        "Call": "mlflow.wire",
        "Comparison": "searches",
        "Metric": "types",
        "MlflowApp": "mlflow.wire",
        "MlflowError": "mlflow.failures",
        "MlflowRoutes": "mlflow.wire",
        "NewMetric": "types",
        "Order": "searches",
        "Param": "types",
        "ParamChanged": "errors",
        "Record": "mlflow.records",
        "Required": "mlflow.records",
        "SqlTrackingStore": "store",
        "Tracking": "service",
        "TrackingStore": "store",
        "add_server_routes": "mlflow.wire",
        "check_key": "logic.rules",
        "double": "mlflow.wire",
        "invalid": "mlflow.failures",
        "missing": "mlflow.records",
        "model_filter": "logic.search",
        "model_orders": "logic.search",
        "page_offset": "logic.search",
        "page_token": "logic.search",
        "unfit": "mlflow.records",
        "version_filter": "logic.search",
        "version_orders": "logic.search",
    },
)

__all__ = [
    "Answer",
    "Answered",
    "BadKey",
    "BadSearch",
    "Batch",
    "BatchTooLarge",
    "Call",
    "Comparison",
    "Metric",
    "MlflowApp",
    "MlflowError",
    "MlflowRoutes",
    "NewMetric",
    "Order",
    "Param",
    "ParamChanged",
    "Record",
    "Required",
    "SqlTrackingStore",
    "Tracking",
    "TrackingStore",
    "add_server_routes",
    "check_key",
    "double",
    "invalid",
    "missing",
    "model_filter",
    "model_orders",
    "page_offset",
    "page_token",
    "unfit",
    "version_filter",
    "version_orders",
]
