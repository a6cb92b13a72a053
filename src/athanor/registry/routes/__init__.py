"""The registry over HTTP."""

from fastapi import APIRouter

from athanor.registry.routes import (
    cards,
    catalog,
    comparisons,
    exchange,
    models,
    promotions,
    safety,
    transfers,
    webhooks,
)

router = APIRouter(tags=["registry"])
for part in (
    cards,
    catalog,
    comparisons,
    exchange,
    models,
    promotions,
    safety,
    transfers,
    webhooks,
):
    router.include_router(part.router)

__all__ = ["router"]
