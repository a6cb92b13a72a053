"""The verbs of endpoints."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from athanor.kernel.clock import Clock
from athanor.kernel.database import Database
from athanor.kernel.errors import Forbidden, NotFound, Unprocessable
from athanor.kernel.events import Event, Events
from athanor.kernel.ids import is_id, new_id
from athanor.kernel.permissions import SYSTEM, Access, Principal
from athanor.lineage import Artifact, Lineage, NewArtifact, NewRun
from athanor.registry import InputColumn, NewCode
from athanor.serving.errors import (
    EndpointNameInvalid,
    FlavorNotServed,
    LabelsMissing,
    ModelElsewhere,
    PredictionNotFound,
)
from athanor.serving.errors.deployments import (
    CodeFollowsNothing,
    EndpointInUse,
    EndpointIsGraph,
    NothingToShadow,
)
from athanor.serving.errors.repeats import IdempotencyKeyReused
from athanor.serving.log import ServingLog
from athanor.serving.logic.graphs import endpoints_of
from athanor.serving.logic.rollouts import checked, plan_of, rollout_of, takes_all
from athanor.serving.ports import (
    CodeSource,
    FeatureSource,
    Fleet,
    Loading,
    ModelSource,
    OnlySafe,
    RecipeSource,
    RegisteredVersion,
)
from athanor.serving.service.features import feature_use, keyed
from athanor.serving.service.following import check_followed, concerns
from athanor.serving.service.labels import label_rows
from athanor.serving.service.recipes import prepared
from athanor.serving.service.signatures import check_callers, signature_of
from athanor.serving.service.traffic import Traffic
from athanor.serving.store import EndpointStore
from athanor.serving.types import (
    Canary,
    CanaryPlan,
    Deploy,
    Deployment,
    Endpoint,
    LabelsReceived,
    NewLabel,
    Prediction,
    PredictionQuery,
    Signature,
    SnapshotRequest,
)
from athanor.serving.types.features import FeatureUse
from athanor.serving.types.rollouts import Rollout, Scaling

Predictions: TypeAlias = list[Prediction]

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """The rooms and the running parts that serving works with."""

    lineage: Lineage
    models: ModelSource
    log: ServingLog
    fleet: Fleet
    loading: Loading = field(default_factory=OnlySafe)
    features: FeatureSource | None = None
    code: CodeSource | None = None
    recipes: RecipeSource | None = None


class Endpoints:
    """Names that answer, the model versions behind them, and what they answered."""

    def __init__(
        self,
        store: EndpointStore,
        database: Database,
        *,
        events: Events,
        access: Access,
        clock: Clock,
        neighbours: Neighbours,
    ) -> None:
        self._store = store
        self._database = database
        self._events = events
        self._access = access
        self._clock = clock
        self._lineage = neighbours.lineage
        self._models = neighbours.models
        self._log = neighbours.log
        self._fleet = neighbours.fleet
        self._loading = neighbours.loading
        self._features = neighbours.features
        self._code = neighbours.code
        self._recipes = neighbours.recipes
        self._traffic = Traffic(
            store, database, events=events, lineage=neighbours.lineage, clock=clock
        )

    def deploy(self, who: Principal, name: str, deploy: Deploy) -> Deployment:
        """Put a model version behind an endpoint, which is made if it is not there.

        The version is pinned now. It takes traffic once its worker answers: all of it, or as its
        rollout says (a canary, a share, a shadow, staged, one of many models) where another
        version is live.

        Raises: EndpointNameInvalid, CanaryShareInvalid, RolloutUnclear, ShareInvalid,
        ScalingInvalid, NothingToShadow, EndpointIsGraph, ModelElsewhere, FlavorNotServed,
        ColumnsUnsent, FeaturesUnused, ParityBroken, CodeFollowsNothing, NumberNotFollowed,
        RecipeNotAlone, RecipesElsewhere, IdempotencyKeyReused; what the registry and the recipes
        raise.
        """
        self._access.require(who, "serving.deploy", name)
        if not _NAME.fullmatch(name):
            raise EndpointNameInvalid(name)
        plan, rollout = plan_of(deploy), rollout_of(deploy)
        checked(deploy.scaling)
        check_followed(deploy)
        now = self._store.find(name)
        neighbours = (self._recipes, self._features, self._models)
        deploy, inputs = prepared(who, name, deploy, now, neighbours)
        told = self._told_columns(who, deploy)
        use = feature_use(who, name, deploy, now, (self._features, self._models), inputs)
        deploy = keyed(deploy, now, use)
        with self._database.transaction():
            if deploy.idempotency_key is not None:
                done = self._store.by_key(name, deploy.idempotency_key)
                if done is not None:
                    _check_repeated(done, deploy, rollout)
                    return done
            version = self._version(who, deploy, inputs)
            reference = f"{version.model}@{version.number}"
            if version.artifact_id is None:
                raise ModelElsewhere(reference)
            if not self._loading.loadable(reference):
                raise FlavorNotServed(reference, version.flavor)
            self._loading.runs_code(reference)
            endpoint = self._opened(who, name, deploy)
            if endpoint.graph is not None:
                raise EndpointIsGraph(name)
            if rollout.kind == "shadow" and endpoint.live is None:
                raise NothingToShadow(name)
            signature = signature_of(version, told)
            if not deploy.other_columns:
                check_callers(endpoint, reference, rollout, signature, use)
            if takes_all(rollout):
                number = max((item.number for item in endpoint.deployments), default=0) + 1
                self._traffic.supersede(who, endpoint, number)
            made = (version, version.artifact_id, use, signature)
            deployment = self._add(who, endpoint, made, deploy, plan)
        self._database.after_commit(self._fleet.changed)
        return deployment

    def list(self, who: Principal) -> list[Endpoint]:
        """Every endpoint, by name."""
        self._access.require(who, "serving.list", "*")
        return [self._addressed(item) for item in self._store.all()]

    def get(self, who: Principal, name: str) -> Endpoint:
        """The endpoint of this name, with its deployments, newest first.

        Raises: EndpointNotFound.
        """
        self._access.require(who, "serving.get", name)
        return self._addressed(self._traffic.endpoint(name))

    def promote(self, who: Principal, name: str) -> Endpoint:
        """Have the canary take over now, unjudged.

        Raises: EndpointNotFound, NoCanary.
        """
        self._access.require(who, "serving.promote", name)
        self._traffic.promote(who, name, f"promoted by {who.name}")
        self._database.after_commit(self._fleet.changed)
        return self._addressed(self._traffic.endpoint(name))

    def rollback(self, who: Principal, name: str) -> Endpoint:
        """End the canary; without one, bring back the deployment before, whose worker is warm.

        Raises: EndpointNotFound, NoEarlierDeployment.
        """
        self._access.require(who, "serving.rollback", name)
        self._traffic.roll_back(who, name)
        self._database.after_commit(self._fleet.changed)
        return self._addressed(self._traffic.endpoint(name))

    def remove(self, who: Principal, name: str) -> None:
        """Take an endpoint away; its predictions stay in the log.

        Raises: EndpointNotFound, EndpointInUse.
        """
        self._access.require(who, "serving.remove", name)
        with self._database.transaction():
            endpoint = self._traffic.endpoint(name)
            asking = [
                item.name
                for item in self._store.all()
                if item.graph is not None and name in endpoints_of(item.graph)
            ]
            if asking:
                raise EndpointInUse(name, asking)
            self._traffic.close(who, endpoint)
            self._store.remove(name)
            self._events.tell(who, "serving.endpoint.removed", name, project=endpoint.project)
        self._database.after_commit(self._fleet.changed)

    def label(self, who: Principal, name: str, labels: Sequence[NewLabel]) -> LabelsReceived:
        """Keep the truth about predictions, by prediction id or by key; the latest one counts.

        Raises: EndpointNotFound, LabelsInvalid, LabelElsewhere, LabelUnfit, DiskNearlyFull.
        """
        self._access.require(who, "serving.label", name)
        endpoint = self._traffic.endpoint(name)
        rows, received = label_rows(self._log, endpoint, labels, self._clock.now())
        if rows:
            self._log.append_labels(rows)
            detail = {"endpoint": name, "count": len(rows)}
            self._events.tell(
                who, "serving.labels.received", name, detail, project=endpoint.project
            )
        return received

    def predictions(self, who: Principal, name: str, query: PredictionQuery) -> Predictions:
        """Logged predictions with their latest labels, newest first.

        Raises: EndpointNotFound.
        """
        self._access.require(who, "serving.predictions", name)
        self._traffic.endpoint(name)
        return self._log.query(name, query)

    def prediction(self, who: Principal, prediction_id: str) -> Prediction:
        """The logged prediction with this id.

        Raises: PredictionNotFound.
        """
        self._access.require(who, "serving.prediction", prediction_id)
        found = self._log.find(prediction_id) if is_id(prediction_id) else None
        if found is None:
            raise PredictionNotFound(prediction_id)
        return found

    def snapshot(self, who: Principal, name: str, request: SnapshotRequest) -> Artifact:
        """Make a table artifact of logged rows, with labels in the model's target column.

        Raises: EndpointNotFound, LabelsMissing, DiskNearlyFull.
        """
        self._access.require(who, "serving.snapshot", name)
        endpoint = self._traffic.endpoint(name)
        shown = endpoint.live or endpoint.candidate or endpoint.deployments[0]
        made = self._log.snapshot(name, shown.signature, endpoint.key, request)
        if request.labelled and not made.rows:
            raise LabelsMissing(name)
        target = shown.signature.target or "label"
        with self._database.transaction():
            run = self._lineage.start_run(
                who, NewRun(kind="snapshot", name=f"{name} snapshot", project=endpoint.project)
            )
            if shown.artifact:  # a graph has none
                self._lineage.consumed(who, run.id, shown.artifact, "model")
            artifact = self._lineage.record(
                who,
                NewArtifact(
                    type="table",
                    name=f"{name}-labelled" if request.labelled else f"{name}-predictions",
                    uri=made.blob.uri,
                    digest=made.digest,
                    size=made.blob.size,
                    metadata={
                        "format": "parquet",
                        "blob": made.blob.digest,
                        "layout": "file",
                        "file": "data.parquet",
                        "rows": made.rows,
                        "columns": made.columns,
                        "target": target,
                        "id": endpoint.key,
                        "endpoint": name,
                    },
                    project=endpoint.project,
                ),
            )
            self._lineage.produced(who, run.id, artifact.id, "table")
            self._lineage.finish_run(who, run.id)
        return artifact

    def follow(self, event: Event) -> None:
        """A model's alias moved: redeploy the endpoints that follow one. For `Events.subscribe`."""
        for endpoint in self._store.all():
            if not endpoint.follow or not concerns(event, endpoint.follow, self._models):
                continue
            try:
                version = self._models.version(SYSTEM, endpoint.follow)
            except NotFound:
                continue  # the alias was removed: what serves goes on serving
            current = endpoint.candidate or endpoint.live
            if current is None or (current.model, current.version) != (
                version.model,
                version.number,
            ):
                again = Deploy(
                    model=endpoint.follow,
                    follow=True,
                    canary=0.1 if endpoint.live else None,
                    replicas=current.replicas if current else 1,
                    scaling=current.scaling if current else None,
                    idempotency_key=f"follow:{event.id}",
                )
                self._deploy_again(endpoint, again)

    def renamed(self, event: Event) -> None:
        """A model was renamed: endpoints and deployments name it anew. For `Events.subscribe`."""
        old, new = str(event.detail["model"]), str(event.detail["new_name"])
        for endpoint in self._store.all():
            followed, at, alias = endpoint.follow.rpartition("@")
            if old == (followed if at else endpoint.follow):
                follow = f"{new}@{alias}" if at else new
                self._store.change_endpoint(endpoint.name, {"follow": follow})
            for deployment in endpoint.deployments:
                if deployment.model == old:
                    self._store.change_deployment(deployment.id, {"model": new})
        self._database.after_commit(self._fleet.changed)

    def _told_columns(self, who: Principal, deploy: Deploy) -> Sequence[InputColumn]:
        """The columns that the model itself tells, where its registration has none.

        Where there are none at all, it gets records as they are sent.
        """
        version = self._models.version(who, deploy.model)
        reference = f"{version.model}@{version.number}"
        if version.signature.inputs or version.artifact_id is None or deploy.code is not None:
            return ()
        return self._loading.columns(reference) if self._loading.loadable(reference) else ()

    def _version(
        self, who: Principal, deploy: Deploy, inputs: tuple[InputColumn, ...]
    ) -> RegisteredVersion:
        """The version that is deployed; where code comes with it, the one that the code makes."""
        version = self._models.version(who, deploy.model)
        if deploy.code is None or self._code is None:
            return version
        if deploy.follow:
            raise CodeFollowsNothing(deploy.model)
        around = f"{version.model}@{version.number}"
        new = NewCode(
            model=version.model,
            code=deploy.code,
            around=around,
            inputs=inputs,
            project=deploy.project,
        )
        return self._code.take_code(who, new)

    def _deploy_again(self, endpoint: Endpoint, again: Deploy) -> None:
        try:
            self.deploy(SYSTEM, endpoint.name, again)
        except (Forbidden, Unprocessable) as refused:
            # What serves goes on serving; that the new version is not loaded is told.
            detail = {"endpoint": endpoint.name, "model": again.model, "reason": refused.message}
            self._events.tell(
                SYSTEM,
                "serving.deployment.refused",
                endpoint.name,
                detail,
                project=endpoint.project,
            )

    def _opened(self, who: Principal, name: str, deploy: Deploy) -> Endpoint:
        """The endpoint, made or changed as the request says."""
        endpoint = self._store.find(name)
        follow = deploy.model if deploy.follow else ""
        if endpoint is None:
            endpoint = Endpoint(
                name=name,
                project=deploy.project,
                key=deploy.key or "",
                follow=follow,
                capacity=max(0, deploy.capacity or 0),
                created_by=who.name,
                created_at=self._clock.now(),
            )
            self._store.add_endpoint(endpoint)
            self._events.tell(who, "serving.endpoint.created", name, project=deploy.project)
            return endpoint
        changes: dict[str, str | int] = {}
        if takes_all(rollout_of(deploy)):
            changes["follow"] = follow
        if deploy.key is not None:
            changes["key"] = deploy.key
        if deploy.capacity is not None:
            changes["capacity"] = max(0, deploy.capacity)
        self._store.change_endpoint(name, changes)
        return endpoint

    def _add(
        self,
        who: Principal,
        endpoint: Endpoint,
        made: tuple[RegisteredVersion, str, FeatureUse | None, Signature],
        deploy: Deploy,
        plan: CanaryPlan | None,
    ) -> Deployment:
        version, artifact, use, signature = made
        deployment = self._store.add_deployment(
            Deployment(
                id=new_id(),
                endpoint=endpoint.name,
                number=0,
                model=version.model,
                version=version.number,
                artifact=artifact,
                digest=version.digest,
                signature=signature,
                replicas=deploy.replicas,
                canary=None if plan is None else Canary(plan=plan),
                rollout=rollout_of(deploy),
                scaling=_scaling(deploy),
                features=use,
                created_by=who.name,
                created_at=self._clock.now(),
            ),
            deploy.idempotency_key,
        )
        run = self._lineage.start_run(
            who,
            NewRun(
                id=deployment.id,
                kind="serving",
                name=f"{endpoint.name}/{deployment.number}",
                project=endpoint.project,
                labels={"endpoint": endpoint.name, "model": version.model},
            ),
        )
        self._lineage.consumed(who, run.id, artifact, "model")
        self._events.tell(
            who,
            "serving.deployment.created",
            endpoint.name,
            {
                "endpoint": endpoint.name,
                "deployment": deployment.id,
                "number": deployment.number,
                "model": deployment.model,
                "version": deployment.version,
                "artifact": deployment.artifact,
                "digest": deployment.digest,
                "key": deploy.key or endpoint.key,
                "canary": None if plan is None else plan.steps[0],
                "rollout": deployment.rollout.kind,
            },
            project=endpoint.project,
        )
        return deployment

    def _addressed(self, endpoint: Endpoint) -> Endpoint:
        url = self._fleet.url()
        return replace(endpoint, url=f"{url}/endpoints/{endpoint.name}/predict" if url else "")


def _check_repeated(done: Deployment, deploy: Deploy, rollout: Rollout) -> None:
    """Return if a call is the one that made a deployment before, as far as that is kept.

    Raises: IdempotencyKeyReused.
    """
    asked = {
        "model": (deploy.model.partition("@")[0], done.model),
        "rollout": (rollout, done.rollout),
        "replicas": (deploy.replicas, done.replicas),
    }
    for name, (now, then) in asked.items():
        if now != then:
            raise IdempotencyKeyReused(
                deploy.idempotency_key or "", f"deployment {done.number}", name
            )


def _scaling(deploy: Deploy) -> Scaling | None:
    """Members sleep until they are named, where nothing else was asked."""
    if deploy.scaling is None and deploy.member:
        return Scaling(min=0)
    return deploy.scaling
