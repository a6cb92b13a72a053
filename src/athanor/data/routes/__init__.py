"""The data room over HTTP."""

from fastapi import APIRouter

from athanor.data.routes import datasets, sources, versions

router = APIRouter(tags=["data"])
for part in (datasets, sources, versions):
    router.include_router(part.router)

__all__ = ["router"]
