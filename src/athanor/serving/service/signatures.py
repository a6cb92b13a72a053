"""What a registered version takes and gives, in the words of serving."""

from collections.abc import Sequence

from athanor.registry import InputColumn as RegisteredColumn
from athanor.serving.errors.deployments import ColumnsUnsent
from athanor.serving.ports import RegisteredVersion
from athanor.serving.types import Deployment, Endpoint, InputColumn, Signature
from athanor.serving.types.features import FeatureUse
from athanor.serving.types.rollouts import Rollout

_BESIDE = frozenset({"canary", "share", "shadow"})


def signature_of(version: RegisteredVersion, columns: Sequence[RegisteredColumn] = ()) -> Signature:
    """The signature that its registration told; `columns` where it told none."""
    told = version.signature
    positive = -1
    if told.positive is not None and told.positive in told.classes:
        positive = told.classes.index(told.positive)
    return Signature(
        columns=tuple(
            InputColumn(name=item.name, type=item.type, required=item.required)
            for item in told.inputs or columns
        ),
        classes=tuple(told.classes),
        target=told.target,
        positive=positive,
    )


def check_callers(
    endpoint: Endpoint, model: str, rollout: Rollout, signature: Signature, use: FeatureUse | None
) -> None:
    """See that what answers beside the live version gets what it needs from the same callers.

    Raises: ColumnsUnsent.
    """
    live = endpoint.live
    if rollout.kind not in _BESIDE or not rollout.share or live is None:
        return
    sent = asked_of_callers(live)
    if not sent:  # records as they are sent
        return
    wanted = signature.columns if use is None else use.asks
    names = {column.name for column in sent} | {endpoint.key}
    unsent = [item.name for item in wanted if item.required and item.name not in names]
    if unsent:
        raise ColumnsUnsent(endpoint.name, model, unsent, [column.name for column in sent])


def asked_of_callers(deployment: Deployment) -> Sequence[InputColumn]:
    """What callers send: the model's columns, or what its features are looked up by."""
    if deployment.features is None:
        return deployment.signature.columns
    return [
        InputColumn(name=column.name, type=column.type, required=column.required)
        for column in deployment.features.asks
    ]
