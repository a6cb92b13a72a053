"""Which modules hold the routes whose paths begin with what.

They are loaded when the first request asks for them: FastAPI takes milliseconds to build a route,
and a start, or a command without a server, asks for few of the hundreds that there are.
"""

from importlib import import_module
from typing import Final, cast

from fastapi import APIRouter

_RUNS = (
    "athanor.lineage.routes",
    "athanor.tracking.routes.debug",
    "athanor.tracking.routes.logged_models",
    "athanor.tracking.routes.runs",
)
_MODELS = (
    "athanor.registry.routes.cards",
    "athanor.registry.routes.catalog",
    "athanor.registry.routes.comparisons",
    "athanor.registry.routes.exchange",
    "athanor.registry.routes.models",
    "athanor.registry.routes.promotions",
    "athanor.registry.routes.safety",
)
_DATASETS = (
    "athanor.data.routes.checks",
    "athanor.data.routes.datasets",
    "athanor.data.routes.sources",
    "athanor.data.routes.versions",
)
_ENDPOINTS = (
    "athanor.serving.routes",
    "athanor.serving.routes.tickets",
    "athanor.serving.routes.exports",
    "athanor.serving.routes.deployments",
    "athanor.serving.routes.recording",
)
_RECIPES = ("athanor.data.routes.recipes",)
_MONITORING = ("athanor.monitoring.routes",)
_FILES = ("athanor.tracking.routes.files",)

ROUTES: Final[dict[str, tuple[str, ...]]] = {
    "alerts": _MONITORING,
    "alias-protections": ("athanor.registry.routes.promotions",),
    "approval-requests": ("athanor.registry.routes.promotions",),
    "artifacts": ("athanor.lineage.routes",),
    "batch-files": ("athanor.serving.routes.batches",),
    "batches": ("athanor.serving.routes.batches",),
    "datasets": _DATASETS,
    "diff": ("athanor.data.routes.versions",),
    "endpoints": _ENDPOINTS,
    "expectation-kinds": ("athanor.data.routes.checks",),
    "experiments": ("athanor.tracking.routes.experiments",),
    "features": ("athanor.features.routes",),
    "files": _FILES,
    "fitted-recipes": _RECIPES,
    "indicators": ("athanor.responsible.routes",),
    "inputs": ("athanor.tracking.routes.logged_models",),
    "lineage": ("athanor.lineage.routes",),
    "logged-models": ("athanor.tracking.routes.logged_models",),
    "model-archives": ("athanor.registry.routes.exchange",),
    "model-search": ("athanor.registry.routes.catalog",),
    "model-version-search": ("athanor.registry.routes.catalog",),
    "model-versions": ("athanor.registry.routes.models",),
    "models": _MODELS,
    "monitoring": _MONITORING,
    "monitors": _MONITORING,
    "overlaps": ("athanor.data.routes.versions",),
    "pickle-consents": ("athanor.registry.routes.safety",),
    "pipelines": ("athanor.pipelines.routes",),
    "predictions": ("athanor.serving.routes",),
    "recipe-functions": _RECIPES,
    "recipe-operations": _RECIPES,
    "recipe-previews": _RECIPES,
    "recipes": _RECIPES,
    "reports": ("athanor.responsible.routes",),
    "resolve": ("athanor.lineage.routes",),
    "runs": _RUNS,
    "sql": ("athanor.data.routes.datasets", "athanor.data.routes.sources"),
    "tickets": ("athanor.serving.routes.tickets",),
    "tracked-runs": ("athanor.tracking.routes.runs",),
    "transfers": ("athanor.tracking.routes.transfers", "athanor.registry.routes.transfers"),
    "uploads": _FILES,
    "watches": ("athanor.data.routes.datasets",),
    "webhooks": ("athanor.registry.routes.webhooks",),
}
"""By the first part of a path behind /api/v1, in the order in which they are tried."""


def routers_of(part: str) -> list[APIRouter]:
    """The routers of paths that begin with this part."""
    return [cast("APIRouter", import_module(module).router) for module in ROUTES[part]]


def all_routers() -> list[APIRouter]:
    """Every room's routes, each router once."""
    modules = dict.fromkeys(module for modules in ROUTES.values() for module in modules)
    return [cast("APIRouter", import_module(module).router) for module in modules]
