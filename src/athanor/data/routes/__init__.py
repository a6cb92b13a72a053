"""The data room over HTTP."""

from fastapi import APIRouter

from athanor.data.routes import datasets

router = APIRouter(tags=["data"])
for part in (datasets,):
    router.include_router(part.router)

__all__ = ["router"]
