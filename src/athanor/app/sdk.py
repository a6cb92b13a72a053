"""What a script or a notebook calls: connect, record a run, log, register."""

import importlib
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from athanor.app.connect import open_transport
from athanor.client import Client
from athanor.kernel import Conflict, Invalid, provenance
from athanor.kernel.reaching import NOWHERE, RUN
from athanor.lineage import NewRun, Run
from athanor.tracking import Batch, NewMetric
from athanor.tracking.hints import STOP_TAG

_active: list[str] = []
_looked: dict[str, float] = {}
"""The open runs that may be stopped, and when it was last looked whether they should be."""
_LOOK_SECONDS = 2.0


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


class RunShouldStop(Conflict):
    """The run asked to be stopped for a hint, and there is one."""

    def __init__(self, run: str, rule: str, message: str) -> None:
        super().__init__(
            f"The run is stopped ({rule.replace('_', ' ')}): {message}",
            hint=f"See what to do: athanor run hints {run}",
        )


@contextmanager
def start_run(
    name: str = "", *, labels: Mapping[str, str] | None = None, stop_on: Sequence[str] = ()
) -> Iterator[Run]:
    """Record what happens inside as a run; an exception ends it as failed and goes on.

    With `stop_on` (names of hints such as `not_a_number`, or `all`) logging a metric raises
    `RunShouldStop` once the training shows one of them; it is looked for every few seconds.
    """
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
    if stop_on:
        client.tracking.log(run.id, Batch(tags={STOP_TAG: ",".join(stop_on)}))
        _looked[run.id] = time.monotonic()
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
        _looked.pop(run.id, None)


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


def should_stop(run_id: str = "") -> bool:
    """Whether a run that has the tag `athanor.debug.stop` shows a hint that it names.

    For callbacks of training loops, whoever logs them; `run_id` is the open run's by default.
    Raises: NoRun.
    """
    meant = run_id or _open_run()
    if not meant:
        raise NoRun
    if meant == NOWHERE:
        return False
    return connect().debug.diagnosis(meant).stop


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

    run_id = _open_run()
    known = run_id if run_id != NOWHERE else ""
    return keep_model(connect(), model, name, example=example, target=target, run_id=known or None)


def _open_run() -> str:
    """The run that is open here, or that this process works for as a step; "" if none is."""
    return _active[-1] if _active else os.environ.get(RUN, "")


def _log(batch: Batch) -> None:
    run_id = _open_run()
    if not run_id:
        raise NoRun
    if run_id == NOWHERE:
        return
    connect().tracking.log(run_id, batch)
    looked = _looked.get(run_id)
    if looked is not None and batch.metrics and time.monotonic() - looked > _LOOK_SECONDS:
        _looked[run_id] = time.monotonic()
        found = connect().debug.diagnosis(run_id)
        if found.stop:
            raise RunShouldStop(run_id, found.hints[0].rule, found.hints[0].message)


def _script_name() -> str:
    name = Path(sys.argv[0] or "notebook").stem
    return os.environ.get("ATHANOR_RUN_NAME", name if name != "ipykernel_launcher" else "notebook")
