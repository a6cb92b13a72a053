"""Athanor: the whole life of a machine-learning model.

Names are loaded when they are first used, so that `import athanor` costs nearly nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from athanor.app.sdk import (
        connect,
        log_metric,
        log_metrics,
        log_param,
        log_params,
        register_model,
        should_stop,
        sql,
        start_run,
    )
    from athanor.client import Client
    from athanor.kernel.errors import AthanorError
    from athanor.pipelines.authoring import (
        Collected,
        Elif,
        Else,
        ExitHandler,
        FinalStatus,
        If,
        OneOf,
        ParallelFor,
        operation,
        pipeline,
        sql_step,
        step,
    )

_PLACES = {
    "AthanorError": "athanor.kernel.errors",
    "Client": "athanor.client",
    "Collected": "athanor.pipelines.authoring",
    "Elif": "athanor.pipelines.authoring",
    "Else": "athanor.pipelines.authoring",
    "ExitHandler": "athanor.pipelines.authoring",
    "FinalStatus": "athanor.pipelines.authoring",
    "If": "athanor.pipelines.authoring",
    "OneOf": "athanor.pipelines.authoring",
    "ParallelFor": "athanor.pipelines.authoring",
    "connect": "athanor.app.sdk",
    "log_metric": "athanor.app.sdk",
    "log_metrics": "athanor.app.sdk",
    "log_param": "athanor.app.sdk",
    "log_params": "athanor.app.sdk",
    "operation": "athanor.pipelines.authoring",
    "pipeline": "athanor.pipelines.authoring",
    "register_model": "athanor.app.sdk",
    "should_stop": "athanor.app.sdk",
    "sql": "athanor.app.sdk",
    "sql_step": "athanor.pipelines.authoring",
    "start_run": "athanor.app.sdk",
    "step": "athanor.pipelines.authoring",
}

__all__ = [
    "AthanorError",
    "Client",
    "Collected",
    "Elif",
    "Else",
    "ExitHandler",
    "FinalStatus",
    "If",
    "OneOf",
    "ParallelFor",
    "connect",
    "log_metric",
    "log_metrics",
    "log_param",
    "log_params",
    "operation",
    "pipeline",
    "register_model",
    "should_stop",
    "sql",
    "sql_step",
    "start_run",
    "step",
]


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'athanor' has no attribute {name!r}")
    found = getattr(importlib.import_module(place), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
