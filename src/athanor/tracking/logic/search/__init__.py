"""MLflow's search grammar: filters, orders and pages, read without a database."""

from athanor.tracking.logic.search.filters import (
    experiment_filter,
    model_filter,
    run_filter,
    version_filter,
)
from athanor.tracking.logic.search.logged import logged_model_filter
from athanor.tracking.logic.search.orders import (
    experiment_orders,
    logged_model_orders,
    model_orders,
    run_orders,
    version_orders,
)
from athanor.tracking.logic.search.pages import (
    bound_page_offset,
    bound_page_token,
    check_max_results,
    page_offset,
    page_token,
)

__all__ = [
    "bound_page_offset",
    "bound_page_token",
    "check_max_results",
    "experiment_filter",
    "experiment_orders",
    "logged_model_filter",
    "logged_model_orders",
    "model_filter",
    "model_orders",
    "page_offset",
    "page_token",
    "run_filter",
    "run_orders",
    "version_filter",
    "version_orders",
]
