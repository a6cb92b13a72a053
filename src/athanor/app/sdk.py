"""What a script or a notebook calls: connect, record a run, log, register."""

import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from athanor.app.connect import open_transport
from athanor.client import Client
from athanor.kernel import Invalid, provenance
from athanor.kernel.workers import in_worker, report
from athanor.lineage import NewRun, Run
from athanor.tracking import Batch, NewMetric

_active: list[str] = []


class NoRun(Invalid):
    """Something is logged, and no run is open."""

    def __init__(self) -> None:
        super().__init__(
            "No run is open to log to.",
            hint="Use `with athanor.start_run(): ...`, or start the file with: athanor run FILE",
        )


def connect(url: str | None = None, workspace: Path | str | None = None) -> Client:
    """A client of the platform: of a server's URL, of a workspace's live server, or in process.

    Raises: ServerUnreachable, WorkspaceBusy.
    """
    return Client(open_transport(url, workspace))


@contextmanager
def start_run(name: str = "", *, labels: Mapping[str, str] | None = None) -> Iterator[Run]:
    """Record what happens inside as a run; an exception ends it as failed and goes on."""
    client = connect()
    run = client.runs.start_run(
        NewRun(
            kind="script",
            name=name or _script_name(),
            labels=dict(labels or {}),
            code=provenance.code(),
            environment=provenance.environment(),
        )
    )
    _active.append(run.id)
    try:
        yield run
    except BaseException:
        client.runs.finish_run(run.id, "failed")
        raise
    else:
        client.runs.finish_run(run.id, "done")
    finally:
        _active.remove(run.id)


@contextmanager
def recording(run_id: str) -> Iterator[None]:
    """What is logged inside goes to this run, which somebody else opens and closes."""
    _active.append(run_id)
    try:
        yield
    finally:
        _active.remove(run_id)


def log_metric(key: str, value: float, step: int = 0) -> None:
    """Log one measured point of the open run; NaN and infinities are kept.

    Raises: NoRun, BadKey.
    """
    _log(Batch(metrics=[NewMetric(key=key, value=float(value), step=step)]))


def log_metrics(metrics: Mapping[str, float], step: int = 0) -> None:
    """Log several measured points of the open run.

    Raises: NoRun, BadKey.
    """
    points = [NewMetric(key=key, value=float(value), step=step) for key, value in metrics.items()]
    _log(Batch(metrics=points))


def log_param(key: str, value: object) -> None:
    """Log a setting of the open run; it is set once.

    Raises: NoRun, BadKey, ParamChanged.
    """
    _log(Batch(params={key: str(value)}))


def log_params(params: Mapping[str, object]) -> None:
    """Log several settings of the open run.

    Raises: NoRun, BadKey, ParamChanged.
    """
    _log(Batch(params={key: str(value) for key, value in params.items()}))


def sql(query: str) -> Any:
    """The result of a query over datasets, runs, models and predictions, as a `pyarrow.Table`.

    Raises: whatever is wrong with the query.
    """
    return importlib.import_module("athanor.app.tables_of_answers").asked(connect(), query)


def register_model(model: object, name: str, *, example: Any, target: str = "") -> Any:
    """Save a fitted estimator and make it the next version of a registered model.

    `example` is a DataFrame of some rows that it was fitted on: its columns become the signature.
    The open run, if there is one, is noted as its maker. Returns the ModelVersion.
    """
    from athanor.app.notebook_models import keep_model  # noqa: PLC0415 - loads the ML libraries

    run_id = _active[-1] if _active else None
    return keep_model(connect(), model, name, example=example, target=target, run_id=run_id)


def _log(batch: Batch) -> None:
    if in_worker():
        # A step of a pipeline: its engine writes it down, with or without a server.
        points = [{"key": p.key, "value": p.value, "step": p.step} for p in batch.metrics]
        report({"log": {"metrics": points, "params": batch.params}})
        return
    if not _active:
        raise NoRun
    connect().tracking.log(_active[-1], batch)


def _script_name() -> str:
    name = Path(sys.argv[0] or "notebook").stem
    return os.environ.get("ATHANOR_RUN_NAME", name if name != "ipykernel_launcher" else "notebook")
