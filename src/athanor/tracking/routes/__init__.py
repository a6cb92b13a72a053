"""Tracking over HTTP."""

from fastapi import APIRouter

from athanor.tracking.routes import runs

router = APIRouter(tags=["tracking"])
router.include_router(runs.router)

__all__ = ["router"]
