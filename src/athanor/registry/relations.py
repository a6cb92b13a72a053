"""The tables that the registry offers to SQL."""

from athanor.kernel import Column, Principal, Relation, Scan
from athanor.registry.service import Models


def model_versions(models: Models) -> Relation:
    """`model_versions`: a row a version, with its metrics as JSON."""

    def scan(who: Principal, rest: str) -> Scan:
        names = [rest] if rest else [model.name for model in models.models(who)]
        rows = [
            {
                "model": version.model,
                "version": version.number,
                "aliases": ",".join(version.aliases),
                "roc_auc": version.metrics.get("roc_auc"),
                "metrics": version.metrics,
                "digest": version.digest,
                "artifact_id": version.artifact_id,
                "run_id": version.run_id,
                "created_by": version.created_by,
                "created_at": version.created_at,
            }
            for name in names
            for version in models.versions(who, name)
        ]
        return Scan(rows=rows)

    kinds = {
        "model": "VARCHAR",
        "version": "BIGINT",
        "aliases": "VARCHAR",
        "roc_auc": "DOUBLE",
        "metrics": "JSON",
        "digest": "VARCHAR",
        "artifact_id": "VARCHAR",
        "run_id": "VARCHAR",
        "created_by": "VARCHAR",
        "created_at": "TIMESTAMPTZ",
    }
    return Relation(
        name="model_versions",
        description="Every version of every registered model.",
        columns=tuple(Column(name=name, type=kind) for name, kind in kinds.items()),
        scan=scan,
    )
