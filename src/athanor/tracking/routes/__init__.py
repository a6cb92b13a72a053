"""Tracking over HTTP."""

from fastapi import APIRouter

from athanor.tracking.routes import debug, experiments, files, logged_models, runs, transfers

router = APIRouter(tags=["tracking"])
router.include_router(debug.router)
router.include_router(experiments.router)
router.include_router(files.router)
router.include_router(logged_models.router)
router.include_router(runs.router)
router.include_router(transfers.router)

__all__ = ["router"]
