"""The data room over HTTP."""

from fastapi import APIRouter

from athanor.data.routes import checks, datasets, recipes, sources, versions

router = APIRouter(tags=["data"])
for part in (checks, datasets, recipes, sources, versions):
    router.include_router(part.router)

__all__ = ["router"]
