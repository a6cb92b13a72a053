"""Names, descriptions, tags and stages over HTTP."""

from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Path, Query

from athanor.kernel.http import Caller, provide, room_router
from athanor.registry.service import Catalog
from athanor.registry.types import (
    Model,
    ModelPage,
    ModelVersion,
    NewModel,
    NewSource,
    Search,
    StageMove,
    VersionPage,
)

router = room_router("registry")
TheCatalog = Annotated[Catalog, provide(Catalog)]

Number = Annotated[int, Path(ge=1, lt=2**31)]
Filter = Annotated[
    str, Query(alias="filter", description="Such as name LIKE 'churn%' AND tags.team = 'growth'.")
]
Orders = Annotated[list[str] | None, Query(max_length=20)]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewModelNamed:
    """A model to be made; its name stands in the address."""

    description: str | None = None
    tags: dict[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What is written on a model or a version."""

    description: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewName:
    """What a model is to be called."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTag:
    """A tag of a model or a version."""

    key: str
    value: str = ""


@router.get("/model-search")
def search_models(
    who: Caller,
    catalog: TheCatalog,
    matching: Filter = "",
    order_by: Orders = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    page: str | None = None,
) -> ModelPage:
    """Models by a filter in MLflow's grammar."""
    return catalog.search_models(
        who,
        Search(filter=matching, order_by=tuple(order_by or ()), max_results=limit, page_token=page),
    )


@router.get("/model-version-search")
def search_versions(
    who: Caller,
    catalog: TheCatalog,
    matching: Filter = "",
    order_by: Orders = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    page: str | None = None,
) -> VersionPage:
    """Versions by a filter in MLflow's grammar."""
    return catalog.search_versions(
        who,
        Search(filter=matching, order_by=tuple(order_by or ()), max_results=limit, page_token=page),
    )


@router.put("/models/{name}", status_code=201)
def create_model(name: str, new: NewModelNamed, who: Caller, catalog: TheCatalog) -> Model:
    """Take a name for versions that will come."""
    made = NewModel(name=name, description=new.description, tags=new.tags or {})
    return catalog.create_model(who, made)


@router.patch("/models/{name}")
def change_model(name: str, body: Description, who: Caller, catalog: TheCatalog) -> Model:
    """Write a model's description anew."""
    return catalog.change_model(who, name, description=body.description)


@router.post("/models/{name}/rename")
def rename_model(name: str, body: NewName, who: Caller, catalog: TheCatalog) -> Model:
    """Give a model another name."""
    return catalog.rename_model(who, name, body.name)


@router.delete("/models/{name}", status_code=204)
def delete_model(name: str, who: Caller, catalog: TheCatalog) -> None:
    """Delete a model with its versions and aliases."""
    catalog.delete_model(who, name)


@router.put("/models/{name}/tags", status_code=204)
def tag_model(name: str, tag: ModelTag, who: Caller, catalog: TheCatalog) -> None:
    """Set a model's tag."""
    catalog.tag_model(who, name, tag.key, tag.value)


@router.delete("/models/{name}/tags", status_code=204)
def untag_model(name: str, key: str, who: Caller, catalog: TheCatalog) -> None:
    """Remove a model's tag."""
    catalog.untag_model(who, name, key)


@router.get("/models/{name}/latest")
def latest_versions(
    name: str,
    who: Caller,
    catalog: TheCatalog,
    stage: Annotated[list[str] | None, Query(max_length=4)] = None,
) -> list[ModelVersion]:
    """The newest version in each stage, or in the stages asked for."""
    return catalog.latest_versions(who, (name,), tuple(stage or ()))


@router.post("/models/{name}/versions", status_code=201)
def add_version(name: str, new: NewSource, who: Caller, catalog: TheCatalog) -> ModelVersion:
    """Give a model its next version, from where its files lie."""
    return catalog.add_version(who, replace(new, model=name))


@router.patch("/models/{name}/versions/{number}")
def change_version(
    name: str, number: Number, body: Description, who: Caller, catalog: TheCatalog
) -> ModelVersion:
    """Write a version's description anew."""
    return catalog.change_version(who, name, number, description=body.description)


@router.delete("/models/{name}/versions/{number}", status_code=204)
def delete_version(name: str, number: Number, who: Caller, catalog: TheCatalog) -> None:
    """Delete a version, and the aliases that point at it."""
    catalog.delete_version(who, name, number)


@router.put("/models/{name}/versions/{number}/tags")
def tag_version(
    name: str, number: Number, tag: ModelTag, who: Caller, catalog: TheCatalog
) -> ModelVersion:
    """Set a version's tag."""
    return catalog.tag_version(who, name, number, tag.key, tag.value)


@router.delete("/models/{name}/versions/{number}/tags")
def untag_version(
    name: str, number: Number, key: str, who: Caller, catalog: TheCatalog
) -> ModelVersion:
    """Remove a version's tag."""
    return catalog.untag_version(who, name, number, key)


@router.put("/models/{name}/versions/{number}/stage")
def move_stage(
    name: str, number: Number, move: StageMove, who: Caller, catalog: TheCatalog
) -> ModelVersion:
    """Put a version in one of MLflow's stages."""
    return catalog.move_stage(who, name, number, move)
