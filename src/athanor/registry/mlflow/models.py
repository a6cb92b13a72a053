"""registered-models/*: names, tags and aliases."""

from contextlib import suppress

from athanor.registry.errors import (
    AliasProtected,
    BadAlias,
    BadModelFolder,
    BadModelName,
    BadModelSource,
    BadStage,
    BadTag,
    GateNotPassed,
    ModelExists,
    ModelInUse,
    ModelNotFound,
    ModelVersionNotFound,
)
from athanor.registry.logic.references import (
    LATEST,
    check_alias,
    check_model_name,
    check_sought_alias,
    check_sought_name,
)
from athanor.registry.mlflow.entities import model_json, models_json, version_json
from athanor.registry.mlflow.forms import (
    CreateModel,
    LatestVersions,
    ModelAlias,
    ModelKey,
    Named,
    RenameModel,
    SearchForm,
    SetAlias,
    SetModelTag,
    UpdateModel,
)
from athanor.registry.mlflow.places import model_of, searched, version_of
from athanor.registry.service import Catalog, Models, check_tags
from athanor.registry.types import Model, NewModel, is_prompt
from athanor.tracking import Answered, Call, MlflowError, MlflowRoutes, invalid

_MOST = 1000
_INVALID = "INVALID_PARAMETER_VALUE"
_MISSING = "RESOURCE_DOES_NOT_EXIST"


def add_model_routes(routes: MlflowRoutes, models: Models, catalog: Catalog) -> None:
    """Answer what is asked about registered models."""
    _translate(routes)
    _add_names(routes, models, catalog)
    _add_finding(routes, models, catalog)
    _add_tags(routes, models, catalog)
    _add_aliases(routes, models)


def _translate(routes: MlflowRoutes) -> None:
    for kind in (BadAlias, BadModelName, BadModelSource, BadStage, BadTag, BadModelFolder):
        routes.translate(kind, _INVALID, lambda error: str(error.message))
    routes.translate(
        ModelNotFound,
        _MISSING,
        lambda error: f"Registered Model with name={error.details['model']} not found",
    )
    routes.translate(
        ModelVersionNotFound,
        _MISSING,
        lambda error: (
            f"Model Version (name={error.details['model']}, version={error.details['version']}) "
            "not found"
        ),
    )
    routes.translate(
        ModelExists,
        "RESOURCE_ALREADY_EXISTS",
        lambda error: f"Registered Model (name={error.details['model']}) already exists.",
    )
    routes.translate(ModelInUse, "RESOURCE_CONFLICT", lambda error: f"{error.message} {error.hint}")
    for refusal in (GateNotPassed, AliasProtected):
        routes.translate(refusal, "PERMISSION_DENIED")


def _add_names(routes: MlflowRoutes, models: Models, catalog: Catalog) -> None:
    def create(call: Call) -> Answered:
        asked = call.read(CreateModel)
        new = NewModel(
            name=asked.name,
            description=asked.description or None,
            tags={tag.key: tag.value for tag in asked.tags},
            project=call.project,
            counts_anew=True,
        )
        try:
            made = catalog.create_model(call.who, new)
        except ModelExists as error:
            try:
                found = models.model(call.who, asked.name)
            except ModelNotFound:
                # Its maker has the name, and is about to commit: nobody sees the model yet.
                raise error from None
            raise _taken(found, new) from None
        return {"registered_model": model_json(made)}

    def rename(call: Call) -> Answered:
        asked = call.read(RenameModel)
        check_model_name(asked.new_name, "new_name")
        model_of(call, models, asked.name)
        renamed = catalog.rename_model(call.who, asked.name, asked.new_name)
        latest = catalog.latest_versions(call.who, (renamed.name,))
        return {"registered_model": model_json(renamed, latest)}

    def update(call: Call) -> Answered:
        asked = call.read(UpdateModel)
        model_of(call, models, asked.name)
        changed = catalog.change_model(call.who, asked.name, description=asked.description)
        latest = catalog.latest_versions(call.who, (changed.name,))
        return {"registered_model": model_json(changed, latest)}

    def delete(call: Call) -> Answered:
        asked = call.read(Named)
        model_of(call, models, asked.name)
        catalog.delete_model(call.who, asked.name)
        return {}

    routes.add("POST", "registered-models/create", create)
    routes.add("POST", "registered-models/rename", rename)
    routes.add("PATCH", "registered-models/update", update)
    routes.add("DELETE", "registered-models/delete", delete)


def _add_finding(routes: MlflowRoutes, models: Models, catalog: Catalog) -> None:
    def get(call: Call) -> Answered:
        found = model_of(call, models, call.read(Named).name)
        latest = catalog.latest_versions(call.who, (found.name,))
        return {"registered_model": model_json(found, latest)}

    def search(call: Call) -> Answered:
        asked = call.read(SearchForm)
        page = catalog.search_models(call.who, searched(call, asked, default=100, most=_MOST))
        names = tuple(model.name for model in page.models)
        latest = catalog.latest_versions(call.who, names) if names else []
        told: dict[str, object] = {}
        if page.models:
            told["registered_models"] = models_json(page.models, latest)
        if page.next_page_token:
            told["next_page_token"] = page.next_page_token
        return told

    def latest_versions(call: Call) -> Answered:
        asked = call.read(LatestVersions)
        found = model_of(call, models, asked.name)
        latest = catalog.latest_versions(call.who, (found.name,), tuple(asked.stages))
        return {"model_versions": [version_json(v) for v in latest]} if latest else {}

    routes.add("GET", "registered-models/get", get)
    for method in ("GET", "POST"):
        routes.add(method, "registered-models/search", search, writes=False)
        routes.add(method, "registered-models/get-latest-versions", latest_versions, writes=False)


def _add_tags(routes: MlflowRoutes, models: Models, catalog: Catalog) -> None:
    def set_tag(call: Call) -> Answered:
        asked = call.read(SetModelTag)
        check_sought_name(asked.name)
        check_tags({asked.key: asked.value})
        model_of(call, models, asked.name)
        catalog.tag_model(call.who, asked.name, asked.key, asked.value)
        return {}

    def delete_tag(call: Call) -> Answered:
        asked = call.read(ModelKey)
        check_sought_name(asked.name)
        check_tags({asked.key: ""})
        model_of(call, models, asked.name)
        catalog.untag_model(call.who, asked.name, asked.key)
        return {}

    routes.add("POST", "registered-models/set-tag", set_tag)
    routes.add("DELETE", "registered-models/delete-tag", delete_tag)


def _add_aliases(routes: MlflowRoutes, models: Models) -> None:
    def set_alias(call: Call) -> Answered:
        asked = call.read(SetAlias)
        check_sought_name(asked.name)
        _plain(asked.alias)
        check_alias(asked.alias)
        version = version_of(call, models, asked.name, asked.version)
        models.set_alias(call.who, version.model, asked.alias, version.number)
        return {}

    def delete_alias(call: Call) -> Answered:
        asked = call.read(ModelAlias)
        check_sought_name(asked.name)
        _plain(asked.alias)
        found = model_of(call, models, asked.name)
        if asked.alias in found.aliases:
            with suppress(ModelVersionNotFound):  # somebody else removed it
                models.remove_alias(call.who, found.name, asked.alias)
        return {}

    def get_by_alias(call: Call) -> Answered:
        asked = call.read(ModelAlias)
        check_sought_name(asked.name)
        _plain(asked.alias)
        found = model_of(call, models, asked.name)
        number = found.aliases.get(asked.alias)
        if asked.alias.lower() == LATEST:
            if not found.latest:
                raise MlflowError(_MISSING, f"Latest version not found for model {found.name}.")
            number = found.latest
        if number is None:
            raise invalid(f"Registered model alias {asked.alias} not found.")
        version = version_of(call, models, found.name, str(number))
        return {"model_version": version_json(version)}

    routes.add("POST", "registered-models/alias", set_alias)
    routes.add("DELETE", "registered-models/alias", delete_alias)
    routes.add("GET", "registered-models/alias", get_by_alias)


def _plain(alias: str) -> None:
    """Our own aliases may have dots, MLflow's may not."""
    check_sought_alias(alias.replace(".", "/"))


def _taken(found: Model, new: NewModel) -> MlflowError:
    """Why the name can't be given: by MLflow's words, which tell models from prompts."""

    def kind(tags: dict[str, str]) -> str:
        return "Prompt" if is_prompt(tags) else "Registered Model"

    old, wanted = kind(found.tags), kind(new.tags)
    if found.project != new.project:
        message = (
            f"{wanted} (name={new.name}) already exists in another workspace: the names of "
            "registered models are unique over all of them."
        )
    elif old == wanted:
        message = f"{wanted} (name={new.name}) already exists."
    else:
        message = (
            f"Tried to create a {wanted.lower()} with name {new.name!r}, but the name is already "
            f"taken by a {old.lower()}. MLflow does not allow creating a model and a prompt with "
            "the same name."
        )
    return MlflowError("RESOURCE_ALREADY_EXISTS", message)
