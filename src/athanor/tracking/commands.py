"""`athanor run compare`, `tag`, `delete`, `restore`, and the search that `list` does."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from athanor.kernel import DEFAULT_PROJECT, Invalid
from athanor.kernel.console import Json, RunId, RunIds, emit, say, table, transport
from athanor.tracking.client import ExperimentsClient, FilesClient, TrackingClient
from athanor.tracking.errors import ExperimentNotFound
from athanor.tracking.files import FileEntry
from athanor.tracking.hints import Hint
from athanor.tracking.types import Experiment, ExperimentQuery, RunQuery, TrackedRun, View

_COLUMNS = 4
"""Metrics and parameters that a list shows, at most, of each."""
_SHOWN = 200
"""Characters of a text that a run told, in a table of its own."""
_BESIDE = 40
"""Characters of such a text beside others."""


class NotATag(Invalid):
    """What was given is no KEY=VALUE."""

    def __init__(self, given: str) -> None:
        super().__init__(f"{given!r} is not KEY=VALUE.", hint="Example: athanor run tag ID team=a")


class OneAlone(Invalid):
    """There is nothing to compare a run with."""

    def __init__(self, run: str) -> None:
        super().__init__(
            "A run is compared with others: name two at least.",
            hint=f"Look at one: athanor run show {run}. The others: athanor run list",
        )


def find_runs(
    *,
    filter_: str,
    order_by: Sequence[str],
    experiment: str,
    deleted: bool,
    limit: int,
    project: str = DEFAULT_PROJECT,
) -> list[TrackedRun]:
    """Runs of one experiment, or of all of a project.

    Raises: BadSearch, ExperimentNotFound.
    """
    client = transport()
    view: View = "deleted" if deleted else "active"
    query = RunQuery(
        experiments=[one.id for one in _experiments(experiment, project, deleted=deleted)],
        project=project,
        filter=filter_,
        order_by=list(order_by),
        view=view,
        limit=limit,
    )
    return list(TrackingClient(client).search(query).runs)


def list_found(runs: Sequence[TrackedRun], *, json: bool) -> None:
    """Print runs that a search found, with some of what they told."""
    if json:
        emit(runs)
        return
    metrics = _shared([run.metrics for run in runs])
    # What is told as None, a setting that nobody set, says nothing.
    params = _shared(
        [{key: text for key, text in run.params.items() if text != "None"} for run in runs]
    )
    heads = [f"metrics.{key}" for key in metrics] + [f"params.{key}" for key in params]
    table(
        ("run", "name", "state", "started", *heads),
        [
            (
                run.info.id,
                _short(run.info.name, _BESIDE),
                run.info.state,
                f"{run.info.started_at:%Y-%m-%d %H:%M:%S}",
                *(_number(run, key) for key in metrics),
                *(_short(run.params.get(key, ""), _BESIDE) for key in params),
            )
            for run in runs
        ],
        empty="No run meets these conditions.",
    )


def show_data(run: TrackedRun) -> None:
    """Print what a run told of itself."""
    table(("parameter", "value"), _texts(run.params), empty="It told no parameter.")
    table(
        ("metric", "value", "step"),
        [(key, f"{point.value:g}", point.step) for key, point in sorted(run.metrics.items())],
        empty="It told no metric.",
    )
    table(("tag", "value"), _texts(run.tags), empty="It has no tag.")


def _texts(told: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(key, _short(value, _SHOWN)) for key, value in sorted(told.items())]


def _short(text: str, most: int) -> str:
    """The beginning of a long text; --json has all of it."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def files_of(run: TrackedRun, project: str) -> list[FileEntry]:
    """The files and folders that a run of a project keeps here, by path; not what lies deeper."""
    kept, _, path = run.info.artifact_uri.partition(":/")
    if kept != "mlflow-artifacts":
        return []
    return FilesClient(transport(), project=project).listing(path)


def show_files(files: Sequence[FileEntry]) -> None:
    """Print what a run keeps."""
    if files:
        table(
            ("file", "bytes"),
            [
                (f"{file.name}/", "") if file.is_folder else (file.name, f"{file.size:,}")
                for file in files
            ],
            right=("bytes",),
        )


def show_hints(hints: Sequence[Hint]) -> None:
    """Print what is wrong with a run's training, and what to do."""
    if hints:
        table(
            ("hint", "what", "what to do"),
            [(hint.rule.replace("_", " "), hint.message, hint.advice) for hint in hints],
        )


def compare_runs(
    runs: RunIds,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also what is equal in all.")] = False,
    json: Json = False,
) -> None:
    """Print what differs between RUNS: parameters, metrics and tags, side by side."""
    client = TrackingClient(transport())
    wanted = list(dict.fromkeys(runs))
    if len(wanted) < 2:
        raise OneAlone(wanted[0])
    found = [client.run(run_id) for run_id in wanted]
    if json:
        emit(found)
        return
    rows = [("name", *(run.info.name for run in found))]
    rows += [("state", *(run.info.state for run in found))]
    rows += _rows("params", [dict(run.params) for run in found])
    rows += _rows(
        "metrics",
        [{key: f"{point.value:g}" for key, point in run.metrics.items()} for run in found],
    )
    rows += _rows("tags", [dict(run.tags) for run in found])
    table(
        ("", *(run.info.id for run in found)),
        [
            (row[0], *(_short(text, _BESIDE) for text in row[1:]))
            for row in rows
            if everything or len(set(row[1:])) > 1
        ],
        empty="They are equal in all that they told.",
    )


def tag_run(
    run_id: RunId,
    tags: Annotated[list[str] | None, typer.Argument(help="KEY=VALUE ...")] = None,
    *,
    remove: Annotated[list[str] | None, typer.Option(help="A tag to take away.")] = None,
) -> None:
    """Set tags of a run, or take some away."""
    client = TrackingClient(transport())
    pairs = [item.partition("=") for item in tags or []]
    for key, equals, _ in pairs:
        if not equals or not key:
            raise NotATag(key + equals)
    for key, _, value in pairs:
        client.set_tag(run_id, key, value)
    for key in remove or []:
        client.delete_tag(run_id, key)
    say(f"{len(pairs)} set, {len(remove or [])} taken away.")


def delete_runs(runs: RunIds) -> None:
    """Delete RUNS; they can be restored until `athanor clean` removes them."""
    client = TrackingClient(transport())
    for run_id in runs:
        client.delete(run_id)
    say(f"Deleted {len(runs)}. Take it back: athanor run restore {' '.join(runs)}")


def restore_runs(runs: RunIds) -> None:
    """Restore deleted RUNS."""
    client = TrackingClient(transport())
    for run_id in runs:
        client.restore(run_id)
    say(f"Restored {len(runs)}.")


def _experiments(name: str, project: str, *, deleted: bool) -> list[Experiment]:
    client = ExperimentsClient(transport())
    view: View = "all" if deleted else "active"
    query = ExperimentQuery(project=project, view=view, limit=10_000)
    if not name:
        return client.search(query).experiments
    try:
        return [client.by_name(name, project=project)]
    except ExperimentNotFound:
        known = [one.name for one in client.search(query).experiments]
        raise ExperimentNotFound.by_name(name, known) from None


def _shared(told: Sequence[Mapping[str, object]]) -> list[str]:
    """The keys that most runs told, the most frequent first."""
    count = Counter(key for one in told for key in one)
    return sorted(count, key=lambda key: (-count[key], key))[:_COLUMNS]


def _number(run: TrackedRun, key: str) -> str:
    point = run.metrics.get(key)
    return "" if point is None else f"{point.value:g}"


def _rows(of: str, columns: Sequence[dict[str, str]]) -> list[tuple[str, ...]]:
    keys = sorted({key for column in columns for key in column})
    return [(f"{of}.{key}", *(column.get(key, "") for column in columns)) for key in keys]
