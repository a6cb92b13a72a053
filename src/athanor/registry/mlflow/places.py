"""Which model, version or page a request means."""

from athanor.registry.errors import ModelNotFound, ModelVersionNotFound
from athanor.registry.logic.references import check_sought_name
from athanor.registry.mlflow.forms import SearchForm
from athanor.registry.service import Models
from athanor.registry.types import Model, ModelVersion, Search
from athanor.tracking import Call, invalid, unfit

_GREATEST = 2**31 - 1


def model_of(call: Call, models: Models, name: str) -> Model:
    """The registered model of this name, in the caller's project.

    Raises: BadModelName, ModelNotFound.
    """
    check_sought_name(name)
    found = models.model(call.who, name)
    if found.project != call.project:
        raise ModelNotFound(name)
    return found


def version_of(call: Call, models: Models, name: str, version: str) -> ModelVersion:
    """The version that a request names; what is missing is told as a missing version.

    Raises: BadModelName, ModelVersionNotFound; MlflowError where it is no number.
    """
    check_sought_name(name)
    try:
        number = int(version)
    except ValueError:
        raise invalid(f"Parameter 'version' must be an integer, got '{version[:100]}'.") from None
    if not 0 < number <= _GREATEST:
        raise ModelVersionNotFound(name, str(number))
    try:
        if models.model(call.who, name).project != call.project:
            raise ModelVersionNotFound(name, str(number))
        return models.version(call.who, f"{name}@{number}")
    except ModelNotFound:
        raise ModelVersionNotFound(name, str(number)) from None


def searched(call: Call, asked: SearchForm, *, default: int, most: int) -> Search:
    """What a search wants.

    Raises: MlflowError where the page is too long, or none.
    """
    wanted = default if asked.max_results is None else asked.max_results
    if wanted > most:
        raise unfit("max_results", wanted)
    if wanted < 1:
        raise invalid(
            f"Invalid value for max_results. It must be a positive integer, but got {wanted}"
        )
    return Search(
        filter=asked.filter,
        order_by=tuple(asked.order_by),
        max_results=wanted,
        page_token=asked.page_token or None,
        project=call.project,
    )
