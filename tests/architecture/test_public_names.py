"""The public edge of the package is this list, and nothing else by accident."""

import athanor

PUBLIC = [
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


def test_the_public_names_are_these() -> None:
    assert list(athanor.__all__) == PUBLIC
    assert sorted(athanor.__all__) == list(athanor.__all__)


def test_every_public_name_resolves() -> None:
    assert [name for name in athanor.__all__ if getattr(athanor, name, None) is None] == []
