"""Which features a deployment looks up: asked for, or those of the version before it."""

from collections.abc import Sequence
from dataclasses import replace

from athanor.kernel.permissions import Principal
from athanor.registry import InputColumn as RegisteredColumn
from athanor.serving.errors.features import FeaturesElsewhere
from athanor.serving.logic.enriching import asked_columns
from athanor.serving.ports import FeatureSource, ModelSource
from athanor.serving.service.signatures import signature_of
from athanor.serving.types import Deploy, Endpoint, InputColumn
from athanor.serving.types.features import FeatureUse


def feature_use(
    who: Principal,
    name: str,
    deploy: Deploy,
    endpoint: Endpoint | None,
    around: tuple[FeatureSource | None, ModelSource],
    inputs: Sequence[RegisteredColumn] = (),
) -> FeatureUse | None:
    """The plan that is pinned for a deployment; None where callers send everything.

    `inputs` are the columns before a recipe, where one stands before the model.
    What the endpoint would look up is compared with what training had, byte by byte.

    Raises: ParityBroken, FeaturesUnused, FeaturesElsewhere; what the registry raises.
    """
    features, models = around
    service, project = service_of(deploy, endpoint)
    if not service:
        return None
    if features is None:
        raise FeaturesElsewhere(name)
    plan = features.plan_for([service], project=project)
    request = features.request_of(service, project=project)
    signature = signature_of(models.version(who, deploy.model))
    if inputs:
        taken = (InputColumn(name=c.name, type=c.type, required=c.required) for c in inputs)
        signature = replace(signature, columns=tuple(taken))
    asks = asked_columns(signature, plan, request, name)
    report = features.check_parity(service, project=project)
    return FeatureUse(service=service, project=project, plan=plan, asks=asks, compared=report.rows)


def keyed(deploy: Deploy, endpoint: Endpoint | None, use: FeatureUse | None) -> Deploy:
    """The same, with the first key of the features as the endpoint's where nobody named one.

    Whom a prediction is about is then logged, and labels may join by it.
    """
    if use is None or deploy.key is not None or (endpoint is not None and endpoint.key):
        return deploy
    return replace(deploy, key=next((key.name for key in use.plan.keys), None))


def service_of(deploy: Deploy, endpoint: Endpoint | None) -> tuple[str, str]:
    """The feature service that is asked for, or that of the live deployment; and its project."""
    if deploy.features is None and endpoint is not None and endpoint.live is not None:
        before = endpoint.live.features
        return (before.service, before.project) if before else ("", deploy.project)
    return deploy.features or "", deploy.project
