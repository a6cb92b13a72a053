"""Tracking over HTTP."""

from fastapi import APIRouter

from athanor.tracking.routes import runs, transfers

router = APIRouter(tags=["tracking"])
router.include_router(runs.router)
router.include_router(transfers.router)

__all__ = ["router"]
