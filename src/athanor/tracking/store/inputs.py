"""Where it is kept what runs used and made."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    and_,
    select,
)

from athanor.kernel import Database, Json, metadata, new_id
from athanor.kernel.plain import Plain, Row, marks
from athanor.kernel.upserts import dialect_of
from athanor.tracking.inputs import (
    CONTEXT,
    DatasetInfo,
    DatasetInput,
    DatasetSummary,
    ModelOutput,
    RunInputs,
)

_MANY = 500
_SUMMARIES = 1_000


class InputStore(Protocol):
    """Datasets and logged models that runs used and made."""

    def add_datasets(self, run_id: str, experiment: str, inputs: Iterable[DatasetInput]) -> None:
        """Note that a run used datasets; one that it has noted already stays as it is."""
        ...

    def add_models(self, run_id: str, models: Iterable[str]) -> None:
        """Note that a run used logged models."""
        ...

    def add_outputs(self, run_id: str, outputs: Iterable[ModelOutput]) -> None:
        """Note that a run made logged models."""
        ...

    def of_runs(self, run_ids: Sequence[str]) -> dict[str, RunInputs]:
        """What runs told of, in the order in which they told; silent runs are left out."""
        ...

    def runs_of(self, model_id: str) -> list[tuple[str, str]]:
        """The runs of a logged model, each with `model_input` or `model_output`."""
        ...

    def summaries(self, experiments: Sequence[str]) -> list[DatasetSummary]:
        """The datasets of experiments and what they were used for, at most 1,000."""
        ...


dataset_table = Table(
    "tracking_dataset",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("experiment", String(32), nullable=False),
    Column("name", String(500), nullable=False),
    Column("digest", String(36), nullable=False),
    Column("source_type", String(36), nullable=False),
    Column("source", Text, nullable=False),
    Column("schema", Text, nullable=False),
    Column("profile", Text, nullable=False),
    UniqueConstraint("experiment", "name", "digest"),
)
input_table = Table(
    "tracking_input",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("run", String(32), ForeignKey("lineage_run.id"), nullable=False),
    Column("relation", String(16), nullable=False),  # dataset, model_input, model_output
    Column("target", String(36), nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("context", String(500)),
    Column("tags", Json, nullable=False),
    UniqueConstraint("run", "relation", "target", "step"),
)
Index("ix_tracking_input_target", input_table.c.target, input_table.c.relation)

_DATASET = tuple(dataset_table.c[name] for name in DatasetInfo.__dataclass_fields__)


class SqlInputStore:
    """What runs used and made, in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._plain = Plain(database)
        self._dialect: Any = dialect_of(database)

    def add_datasets(self, run_id: str, experiment: str, inputs: Iterable[DatasetInput]) -> None:
        """Note that a run used datasets; one that it has noted already stays as it is."""
        with self._database.transaction():
            rows = [
                self._row(
                    run_id,
                    "dataset",
                    self._dataset(experiment, given.dataset),
                    context=given.tags.get(CONTEXT),
                    tags=given.tags,
                )
                for given in inputs
            ]
            self._add(rows)

    def add_models(self, run_id: str, models: Iterable[str]) -> None:
        """Note that a run used logged models."""
        self._add([self._row(run_id, "model_input", model) for model in models])

    def add_outputs(self, run_id: str, outputs: Iterable[ModelOutput]) -> None:
        """Note that a run made logged models."""
        self._add(
            [self._row(run_id, "model_output", made.model_id, step=made.step) for made in outputs]
        )

    def of_runs(self, run_ids: Sequence[str]) -> dict[str, RunInputs]:
        """What runs told of, in the order in which they told; silent runs are left out."""
        found: dict[str, RunInputs] = {}
        # Most runs are silent: this costs a tenth of asking for what none of them told.
        telling = self._telling(run_ids)
        if not telling:
            return found
        with self._database.connection() as connection:
            for start in range(0, len(telling), _MANY):
                query = (
                    select(input_table, *_DATASET)
                    .outerjoin(
                        dataset_table,
                        and_(
                            input_table.c.relation == "dataset",
                            dataset_table.c.id == input_table.c.target,
                        ),
                    )
                    .where(input_table.c.run.in_(telling[start : start + _MANY]))
                    .order_by(input_table.c.number)
                )
                for row in connection.execute(query).mappings():
                    _note(found.setdefault(row["run"], RunInputs()), row)
        return found

    def _telling(self, run_ids: Sequence[str]) -> list[str]:
        """Those of the runs that told of something."""
        rows: list[Row] = []
        for start in range(0, len(run_ids), _MANY):
            some = run_ids[start : start + _MANY]
            rows += self._plain.fetch(
                f"SELECT DISTINCT run FROM tracking_input WHERE run IN ({marks(len(some))})",  # noqa: S608 - marks alone are written in
                some,
            )
        return [row[0] for row in rows]

    def runs_of(self, model_id: str) -> list[tuple[str, str]]:
        """The runs of a logged model, each with `model_input` or `model_output`."""
        query = (
            select(input_table.c.run, input_table.c.relation)
            .distinct()
            .where(
                input_table.c.target == model_id,
                input_table.c.relation.in_(("model_input", "model_output")),
            )
            .order_by(input_table.c.run)
        )
        with self._database.connection() as connection:
            return [(run, relation) for run, relation in connection.execute(query)]

    def summaries(self, experiments: Sequence[str]) -> list[DatasetSummary]:
        """The datasets of experiments and what they were used for, at most 1,000."""
        columns = (
            dataset_table.c.experiment,
            dataset_table.c.name,
            dataset_table.c.digest,
            input_table.c.context,
        )
        query = (
            select(*columns)
            .distinct()
            .join(
                input_table,
                and_(
                    input_table.c.target == dataset_table.c.id,
                    input_table.c.relation == "dataset",
                ),
            )
            .where(dataset_table.c.experiment.in_(experiments))
            .order_by(*columns)
            .limit(_SUMMARIES)
        )
        with self._database.connection() as connection:
            return [DatasetSummary(**row) for row in connection.execute(query).mappings()]

    def _dataset(self, experiment: str, info: DatasetInfo) -> str:
        """The id of an experiment's dataset, which is added where it is new."""
        row = {name: getattr(info, name) for name in DatasetInfo.__dataclass_fields__}
        query = select(dataset_table.c.id).where(
            dataset_table.c.experiment == experiment,
            dataset_table.c.name == info.name,
            dataset_table.c.digest == info.digest,
        )
        with self._database.connection() as connection:
            connection.execute(
                self._dialect.insert(dataset_table)
                .values(row | {"id": new_id(), "experiment": experiment})
                .on_conflict_do_nothing()
            )
            return str(connection.execute(query).scalar_one())

    def _add(self, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        with self._database.connection() as connection:
            connection.execute(self._dialect.insert(input_table).on_conflict_do_nothing(), rows)

    @staticmethod
    def _row(
        run_id: str,
        relation: str,
        target: str,
        *,
        step: int = 0,
        context: str | None = None,
        tags: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        return {
            "run": run_id,
            "relation": relation,
            "target": target,
            "step": step,
            "context": context,
            "tags": tags or {},
        }


def _note(told: RunInputs, row: Any) -> None:
    if row["relation"] == "dataset":
        info = DatasetInfo(**{name: row[name] for name in DatasetInfo.__dataclass_fields__})
        told.datasets.append(DatasetInput(dataset=info, tags=row["tags"]))
    elif row["relation"] == "model_input":
        told.models.append(row["target"])
    else:
        told.outputs.append(ModelOutput(model_id=row["target"], step=row["step"]))
