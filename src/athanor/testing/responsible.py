"""What every store of reports keeps to."""

from datetime import UTC, datetime, timedelta

from athanor.kernel import Database, new_id
from athanor.lineage import Artifact, Run, SqlLineageStore
from athanor.responsible.store import ReportStore
from athanor.responsible.types import Report

_AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def a_report(database: Database, minutes: int = 0) -> Report:
    """A report of an artifact and a run that are recorded on the way."""
    lineage, at = SqlLineageStore(database), _AT + timedelta(minutes=minutes)
    run = lineage.add_run(
        Run(
            id=new_id(),
            project="default",
            kind="task",
            name="report",
            state="done",
            created_by="owner",
            started_at=at,
        )
    )
    artifact = lineage.add_artifact(
        Artifact(
            id=new_id(),
            project="default",
            type="report",
            name="report",
            uri="x",
            digest="sha256:aa",
            size=1,
            created_at=at,
        )
    )
    return Report(
        id=artifact.id,
        title="Evaluation of churn",
        target="status",
        rows=200,
        metrics={"roc_auc": 0.75},
        digest=artifact.digest,
        run_id=run.id,
        created_at=at,
    )


class ReportStoreContract:
    """Run it with fixtures `store` and `database`, the store's own."""

    def test_a_report_comes_back_as_it_was(self, store: ReportStore, database: Database) -> None:
        report = a_report(database)
        store.add(report)
        store.add(report)
        assert store.find(report.id) == report
        assert store.find(new_id()) is None

    def test_the_newest_come_first(self, store: ReportStore, database: Database) -> None:
        reports = [a_report(database, minutes) for minutes in (1, 3, 2)]
        for report in reports:
            store.add(report)
        assert [r.created_at.minute for r in store.recent(2)] == [7, 6]
