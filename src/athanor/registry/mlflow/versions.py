"""model-versions/*: versions, their tags and stages."""

from athanor.registry.logic.references import check_sought_name
from athanor.registry.mlflow.entities import version_json
from athanor.registry.mlflow.forms import (
    CreateVersion,
    NamedVersion,
    SearchForm,
    SetVersionTag,
    TransitionStage,
    UpdateVersion,
    VersionKey,
)
from athanor.registry.mlflow.places import model_of, searched, version_of
from athanor.registry.service import Catalog, Models, canonical_stage, check_tags, files_of
from athanor.registry.types import NewSource, StageMove
from athanor.tracking import Answered, Call, MlflowRoutes

_MOST = 200_000


def add_version_routes(routes: MlflowRoutes, models: Models, catalog: Catalog) -> None:
    """Answer what is asked about versions."""
    _add_lifecycle(routes, models, catalog)
    _add_finding(routes, models, catalog)
    _add_tags(routes, models, catalog)


def location_of(call: Call, models: Models, name: str, version: str) -> str:
    """Where the files of a version lie.

    Raises: BadModelName, ModelVersionNotFound; MlflowError where the version is no number.
    """
    found = version_of(call, models, name, version)
    return found.location or found.source or files_of(found)


def _add_lifecycle(routes: MlflowRoutes, models: Models, catalog: Catalog) -> None:
    def create(call: Call) -> Answered:
        asked = call.read(CreateVersion)
        model_of(call, models, asked.name)
        made = catalog.add_version(
            call.who,
            NewSource(
                model=asked.name,
                source=asked.source,
                run_id=asked.run_id or None,
                model_id=asked.model_id or None,
                run_link=asked.run_link or None,
                description=asked.description,
                tags={tag.key: tag.value for tag in asked.tags},
            ),
        )
        return {"model_version": version_json(made)}

    def update(call: Call) -> Answered:
        asked = call.read(UpdateVersion)
        found = version_of(call, models, asked.name, asked.version)
        changed = catalog.change_version(
            call.who, found.model, found.number, description=asked.description
        )
        return {"model_version": version_json(changed)}

    def delete(call: Call) -> Answered:
        asked = call.read(NamedVersion)
        found = version_of(call, models, asked.name, asked.version)
        catalog.delete_version(call.who, found.model, found.number)
        return {}

    def transition(call: Call) -> Answered:
        asked = call.read(TransitionStage)
        canonical_stage(asked.stage)
        found = version_of(call, models, asked.name, asked.version)
        move = StageMove(stage=asked.stage, archive_existing=asked.archive_existing_versions)
        moved = catalog.move_stage(call.who, found.model, found.number, move)
        return {"model_version": version_json(moved)}

    routes.add("POST", "model-versions/create", create)
    routes.add("PATCH", "model-versions/update", update)
    routes.add("DELETE", "model-versions/delete", delete)
    routes.add("POST", "model-versions/transition-stage", transition)


def _add_finding(routes: MlflowRoutes, models: Models, catalog: Catalog) -> None:
    def get(call: Call) -> Answered:
        asked = call.read(NamedVersion)
        return {"model_version": version_json(version_of(call, models, asked.name, asked.version))}

    def search(call: Call) -> Answered:
        wanted = searched(call, call.read(SearchForm), default=_MOST, most=_MOST)
        page = catalog.search_versions(call.who, wanted)
        told: dict[str, object] = {}
        if page.versions:
            told["model_versions"] = [version_json(version) for version in page.versions]
        if page.next_page_token:
            told["next_page_token"] = page.next_page_token
        return told

    def download_uri(call: Call) -> Answered:
        asked = call.read(NamedVersion)
        return {"artifact_uri": location_of(call, models, asked.name, asked.version)}

    routes.add("GET", "model-versions/get", get)
    routes.add("GET", "model-versions/get-download-uri", download_uri)
    for method in ("GET", "POST"):
        routes.add(method, "model-versions/search", search, writes=False)


def _add_tags(routes: MlflowRoutes, models: Models, catalog: Catalog) -> None:
    def set_tag(call: Call) -> Answered:
        asked = call.read(SetVersionTag)
        check_sought_name(asked.name)
        check_tags({asked.key: asked.value})
        found = version_of(call, models, asked.name, asked.version)
        catalog.tag_version(call.who, found.model, found.number, asked.key, asked.value)
        return {}

    def delete_tag(call: Call) -> Answered:
        asked = call.read(VersionKey)
        check_sought_name(asked.name)
        check_tags({asked.key: ""})
        found = version_of(call, models, asked.name, asked.version)
        catalog.untag_version(call.who, found.model, found.number, asked.key)
        return {}

    routes.add("POST", "model-versions/set-tag", set_tag)
    routes.add("DELETE", "model-versions/delete-tag", delete_tag)
