"""Platform steps for pipelines: a view built, features brought online, a training set made."""

from athanor.features.records import Materialize
from athanor.features.service import FeatureViews, OnlineFeatures, TrainingSets
from athanor.features.types import SpineSource, TrainingRequest
from athanor.kernel import Principal
from athanor.lineage import Lineage, LongOperation, Operation, OperationCall, OperationResult


def operations(
    views: FeatureViews, training: TrainingSets, online: OnlineFeatures, lineage: Lineage
) -> dict[str, Operation]:
    """The steps by name: they take a view, or what a training set is made of.

    `feature.build` {view}; `feature.materialize` {view}; `feature.join` {name, features, dataset or
    sql, at, target} gives the artifact `dataset`.
    """

    def build(who: Principal, call: OperationCall) -> OperationResult:
        version = views.build(who, str(call.parameters["view"]), project=call.project)
        artifact = lineage.artifact(who, version.artifact_id)
        return OperationResult(
            parameters={"version": version.number, "rows": version.rows},
            artifacts={"view": artifact},
        )

    def materialize(who: Principal, call: OperationCall) -> OperationResult:
        view = str(call.parameters.get("view") or "")
        order = Materialize(views=(view,) if view else ())
        states = online.materialize(who, order, project=call.project)
        return OperationResult(parameters={"written": sum(state.written for state in states)})

    def join(who: Principal, call: OperationCall) -> OperationResult:
        given = call.parameters
        named = given["features"]
        features = tuple(named.split(",")) if isinstance(named, str) else tuple(named)
        request = TrainingRequest(
            features=tuple(item.strip() for item in features),
            spine=SpineSource(
                dataset=str(given.get("dataset") or ""), sql=str(given.get("sql") or "")
            ),
            at=str(given.get("at") or "event_timestamp"),
            target=str(given.get("target") or ""),
        )
        made = training.create(who, str(given["name"]), request, project=call.project)
        artifact = lineage.artifact(who, made.artifact_id)
        return OperationResult(
            parameters={"version": made.version, "rows": made.rows}, artifacts={"dataset": artifact}
        )

    return {
        "feature.build": LongOperation(build),
        "feature.materialize": LongOperation(materialize),
        "feature.join": LongOperation(join),
    }
