"""Which features a deployment looks up: asked for, or those of the version before it."""

from athanor.kernel.permissions import Principal
from athanor.serving.errors.features import FeaturesElsewhere
from athanor.serving.logic.enriching import asked_columns
from athanor.serving.ports import FeatureSource, ModelSource
from athanor.serving.service.signatures import signature_of
from athanor.serving.types import Deploy, Endpoint
from athanor.serving.types.features import FeatureUse


def feature_use(
    who: Principal,
    name: str,
    deploy: Deploy,
    endpoint: Endpoint | None,
    around: tuple[FeatureSource | None, ModelSource],
) -> FeatureUse | None:
    """The plan that is pinned for a deployment; None where callers send everything.

    What the endpoint would look up is compared with what training had, byte by byte.

    Raises: ParityBroken, FeaturesUnused, FeaturesElsewhere; what the registry raises.
    """
    features, models = around
    service, project = deploy.features, deploy.project
    if service is None and endpoint is not None and endpoint.live is not None:
        before = endpoint.live.features
        service, project = (before.service, before.project) if before else (None, project)
    if not service:
        return None
    if features is None:
        raise FeaturesElsewhere(name)
    plan = features.plan_for([service], project=project)
    request = features.request_of(service, project=project)
    version = models.version(who, deploy.model)
    asks = asked_columns(signature_of(version), plan, request, name)
    report = features.check_parity(service, project=project)
    return FeatureUse(service=service, project=project, plan=plan, asks=asks, compared=report.rows)
