"""`athanor run export-tensorboard` and `athanor run import-tensorboard`."""

import os
import shlex
import socket
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Annotated

import typer

from athanor.client import Client
from athanor.kernel import Invalid, NotFound
from athanor.kernel.console import Json, RunId, emit, say, transport
from athanor.tracking import place_of
from athanor.tracking.logic.boards.events import (
    Reading,
    Scalar,
    event_file,
    is_event_file,
    read_scalars,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class NoEventFiles(NotFound):
    """Nothing of TensorBoard lies where event files were said to be."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"There is no event file of TensorBoard in {folder}.",
            hint="Give the folder that TensorBoard is started with: its --logdir.",
        )


class NoScalars(Invalid):
    """Files with the name of event files, and no scalar in any of them."""

    def __init__(self, place: Path) -> None:
        super().__init__(
            f"No event file of {place} holds a scalar that can be read.",
            hint="Look at it with TensorBoard: it is damaged, or holds pictures or graphs alone.",
        )


class KeptElsewhere(Invalid):
    """The run's files are not kept here."""

    def __init__(self, run_id: str, location: str) -> None:
        super().__init__(
            f"Run {run_id} keeps its files at {location}.",
            hint="Upload the event files there with MLflow's client.",
        )


def export_tensorboard(
    run: RunId,
    folder: Annotated[Path, typer.Argument(help="Where to write; TensorBoard's --logdir.")],
    *,
    json: Json = False,
) -> None:
    """Write a run's metrics as an event file that TensorBoard shows."""
    client = Client(transport())
    keys = sorted(client.tracking.run(run).metrics)
    target = folder / run
    target.mkdir(parents=True, exist_ok=True)
    name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.athanor"
    points = 0

    def scalars() -> Iterator[Scalar]:
        nonlocal points
        for key in keys:
            for point in client.tracking.history(run, key):
                points += 1
                at = (point.at - _EPOCH) // _MICROSECOND
                yield Scalar(tag=key, value=point.value, step=point.step, at=at)

    passing = target / f".{name}.part"
    with passing.open("wb") as stream:
        stream.writelines(event_file(scalars(), started=time.time()))
    passing.replace(target / name)
    if json:
        emit({"file": str(target / name), "metrics": len(keys), "points": points})
        return
    say(f"{target / name}: {points:,} points of {len(keys):,} metrics.")
    say(f"See them: tensorboard --logdir {shlex.quote(str(folder))}")


def _root(folder: Path, found: Sequence[Path]) -> Path:
    """What event files are named from: folders that hold all of them tell no writers apart.

    One that says which data it is about is kept: `train/loss` is no other loss without `val/`.
    """
    parts = Path(os.path.commonpath([path.parent for path in found])).relative_to(folder).parts
    for part in takewhile(lambda part: part.casefold() not in _DATA, parts):
        folder /= part
    return folder


def _has_scalar(path: Path) -> bool:
    with path.open("rb") as stream:
        return next(iter(read_scalars(stream, Reading())), None) is not None


_DATA = {"train", "training", "val", "valid", "validation", "test", "eval", "evaluation"}


def import_tensorboard(
    run: RunId,
    folder: Annotated[
        Path, typer.Argument(help="What TensorBoard would be started with, or an event file.")
    ],
    *,
    json: Json = False,
) -> None:
    """Keep event files with a run and show their scalars as its metrics.

    A file that has grown since is read again; points that are there stay as they are.
    """
    client = Client(transport())
    info = client.tracking.run(run).info
    place = place_of(info.artifact_uri)
    if place.kind != "tree":
        raise KeptElsewhere(run, info.artifact_uri)
    every = [folder] if folder.is_file() else folder.rglob("*")
    found = sorted(path for path in every if is_event_file(path.name) and path.is_file())
    if not found:
        raise NoEventFiles(folder)
    if not any(map(_has_scalar, found)):
        raise NoScalars(folder)
    folder = folder.parent if folder.is_file() else folder
    root = _root(folder, found)
    for path in found:
        below = path.relative_to(root).as_posix()
        client.files.put(f"{place.path}/tensorboard/{below}", path)
    if json:
        emit({"run": run, "files": len(found)})
        return
    files = "1 event file is" if len(found) == 1 else f"{len(found):,} event files are"
    say(f"{files} with run {run}; their scalars show in a moment.")
    say(f"See them: athanor run show {run}")
