"""What happens on the platform: the names of events that a trigger may wait for.

The rooms that tell them lie above this one as well as below, so the names stand here, and a test
holds them equal to what the source tells.
"""

_VERBS = {
    "app.workspace": "cleaned",
    "data.checks": "changed",
    "data.dataset": "deleted",
    "data.file": "refused",
    "data.mark": "changed",
    "data.recipe": "removed saved",
    "data.split": "created removed",
    "data.version": "created deleted purged quarantined restored",
    "data.watch": "added removed",
    "features.definition": "removed",
    "features.definitions": "applied",
    "features.key": "erased",
    "features.rows": "dropped",
    "features.training_set": "created",
    "features.view": "built materialized refused",
    "governance.person": "erased",
    "lineage.run": "finished reopened started",
    "monitoring.alert": "closed raised",
    "monitoring.monitor": "changed created",
    "monitoring.window": "judged",
    "pipelines.run": "cancelled finished resumed submitted",
    "pipelines.secret": "removed set",
    "pipelines.task": "finished started",
    "pipelines.trigger": "created failed fired removed skipped",
    "registry.alias": "forced moved protected refused unprotected",
    "registry.approval": "approved asked rejected",
    "registry.card": "written",
    "registry.challenger": "refused",
    "registry.model": "arrived changed created deleted protected renamed tagged untagged",
    "registry.pickle": "allowed found refused",
    "registry.version": "changed created deleted staged tagged untagged",
    "serving.batch": "cancelled failed finished resumed submitted",
    "serving.canary": "advanced finished refused",
    "serving.deployment": "created failed refused",
    "serving.endpoint": "created removed rolled_back",
    "serving.graph": "composed",
    "serving.labels": "received",
    "serving.log": "changed",
    "serving.ticket": "answered failed",
    "serving.traffic": "changed",
    "tracking.experiment": "arrived created deleted renamed restored",
    "tracking.files": "deleted",
    "tracking.inputs": "logged",
    "tracking.logged_model": "created deleted finalized",
    "tracking.outputs": "logged",
    "tracking.run": "deleted hinted restored",
    "tracking.runs": "arrived",
}

ACTIONS = frozenset(f"{thing}.{verb}" for thing, verbs in _VERBS.items() for verb in verbs.split())
"""Every event's name: <room>.<thing>.<what happened>."""

_TOLD = {
    "data.version.created": "artifact dataset digest file mode rows version",
    "data.version.quarantined": "artifact checks dataset digest file mode rows version",
    "lineage.run.finished": "kind name parent state",
    "lineage.run.reopened": "kind name parent state",
    "lineage.run.started": "kind name parent state",
    "pipelines.run.cancelled": "pipeline trigger",
    "pipelines.run.finished": "pipeline state trigger",
    "pipelines.run.resumed": "pipeline trigger",
    "pipelines.run.submitted": "pipeline trigger",
    "pipelines.task.finished": "made message pipeline run state task",
    "pipelines.task.started": "pipeline run task",
    "registry.alias.moved": "alias kind model number previous reason",
    "registry.version.created": (
        "artifact description digest metrics model number run source tags"
    ),
    "serving.labels.received": "count endpoint",
}

FIELDS = {
    action: frozenset({"action", "subject", *fields.split()}) for action, fields in _TOLD.items()
}
"""What the events that triggers mostly wait for tell; of the others it depends on what happened."""
