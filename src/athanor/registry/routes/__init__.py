"""The registry over HTTP."""

from fastapi import APIRouter

from athanor.registry.routes import models

router = APIRouter(tags=["registry"])
router.include_router(models.router)

__all__ = ["router"]
