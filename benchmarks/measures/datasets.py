"""What committing, opening and comparing versions costs, beside what peers take."""

import importlib
import itertools
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from deltalake import write_deltalake

from athanor.data import Datasets, NewSource, NewVersion, Roles
from athanor.data.work import arrivals, compare, content, frames, ingest, look
from athanor.kernel import OWNER, Database
from athanor.kernel.schema import create_all
from athanor.testing.data import DataRoom, open_data_room
from measures.lines import Line, least, spent

ROOT = Path(__file__).resolve().parents[2]
DVC = ROOT / ".venvs" / "dvc" / "bin" / "dvc"
LOADED = (Datasets, arrivals, compare, content, ingest, look)
_serial = itertools.count()


class InlineWorkers:
    """Calls functions in this process, whose cost is then seen."""

    warm = True

    def start(self) -> None:
        """Nothing to make ready."""

    def warm_up(self) -> None:
        """Nothing to load."""

    def call(self, target: str, payload: Mapping[str, Any], **options: Any) -> Any:
        """Call `module:function` with plain data, as a worker would."""
        del options
        module, _, name = target.partition(":")
        plain = msgspec.json.decode(msgspec.json.encode(payload))
        found = getattr(importlib.import_module(module), name)(**plain)
        return msgspec.json.decode(msgspec.json.encode(found))

    def spawn(self, target: str, payload: Mapping[str, Any], **options: Any) -> Any:
        """Not needed here."""
        raise NotImplementedError

    def close(self, grace: float = 2.0) -> None:
        """Nothing to end."""


def place_in(folder: Path) -> Path:
    """A folder with an empty workspace's database."""
    place = folder / f"room-{next(_serial)}"
    place.mkdir(parents=True)
    database = Database.open(f"sqlite:///{place}/athanor.db")
    create_all(database)
    database.close()
    return place


def room_at(place: Path) -> DataRoom:
    """The data room of a folder."""
    database = Database.open(f"sqlite:///{place}/athanor.db")
    return open_data_room(database, place / "storage", InlineWorkers())


def room_in(folder: Path) -> DataRoom:
    """A data room of its own."""
    return room_at(place_in(folder))


def table_of(rows: int, columns: int = 20, seed: int = 0) -> pa.Table:
    """Numbers, whole numbers and words, with a key."""
    rng = np.random.default_rng(seed)
    found: dict[str, Any] = {"id": np.arange(rows)}
    words = np.array([f"word {n}" for n in range(1000)])
    for place in range(1, columns):
        if place % 4 == 0:
            found[f"c{place}"] = words[rng.integers(0, 1000, rows)]
        elif place % 4 == 1:
            found[f"c{place}"] = rng.integers(0, 1_000_000, rows)
        else:
            found[f"c{place}"] = rng.normal(size=rows)
    return pa.table(found)


def add_frame(room: DataRoom, name: str, table: pa.Table, mode: str = "replace") -> None:
    """Commit a frame as the SDK does: a file is written, and taken in."""
    with room.datasets.upload() as folder:
        path = frames.written(table, folder / "frame.parquet")
        new = NewVersion(path=path, file_name="frame", keep=False, look=False,
                         mode=mode, roles=Roles(id="id"))  # type: ignore[arg-type]  # fmt: skip
        room.datasets.add(OWNER, name, new)


def add_frame_at(place: Path, table: pa.Table) -> None:
    """Commit a frame to the room of a folder."""
    add_frame(room_at(place), "big", table)


def commits(folder: Path, rows: int, runs: int) -> list[Line]:
    """A frame of 20 columns as a version, beside a bare `write_deltalake`."""
    table = table_of(rows)
    places = iter([place_in(folder) for _ in range(runs)])
    ours = min(
        (spent(partial(add_frame_at, place, table)) for place in places),
        key=lambda item: item.cpu_seconds,
    )
    bare = least(lambda: write_deltalake(str(folder / f"bare-{time.monotonic_ns()}"), table), runs)
    return [
        Line(name=f"commit {rows:,} x 20", value=ours.cpu_seconds, unit="CPU s",
             note=f"{ours.megabytes:.0f} MB at most"),
        Line(name="bare write_deltalake", value=bare.cpu_seconds, unit="CPU s",
             note=f"{bare.megabytes:.0f} MB at most"),
        Line(name="commit / write_deltalake", value=ours.cpu_seconds / bare.cpu_seconds,
             unit="times", limit=1.3),
    ]  # fmt: skip


def openings(folder: Path, versions: int) -> list[Line]:
    """Opening a version in the middle of many: what it is, and its first rows."""
    room = room_in(folder)
    for number in range(versions):
        small = pa.table({"id": [number], "v": [number / 2]})
        add_frame(room, "many", small, "append" if number % 10 else "replace")
    found, rows = [], []
    for number in range(versions // 2, versions // 2 + 9):
        began = time.perf_counter()
        room.datasets.version(OWNER, f"many@{number}")
        found.append(time.perf_counter() - began)
        began = time.perf_counter()
        room.datasets.rows(OWNER, f"many@{number}", limit=5)
        rows.append(time.perf_counter() - began)
    return [
        Line(name=f"open version N of {versions:,}", value=min(found) * 1e3, unit="ms", limit=50),
        Line(name="open it and read its first rows", value=min(rows) * 1e3, unit="ms"),
    ]


def differences(folder: Path, rows: int) -> list[Line]:
    """A diff by key of two versions of which 1 % of the rows differ."""
    room, table = room_in(folder), table_of(rows)
    add_frame(room, "big", table)
    values = table["c1"].to_numpy().copy()
    values[::100] += 1
    add_frame(room, "big", table.set_column(1, "c1", pa.array(values)))
    for number in (1, 2):
        room.datasets.profile(OWNER, f"big@{number}")
    found = room.versions.diff(OWNER, "big@1", "big@2")
    if (found.rows.changed, found.rows.added) != (len(values[::100]), 0):
        raise RuntimeError(f"the diff is wrong: {found.rows}")
    cost = spent(lambda: room.versions.diff(OWNER, "big@1", "big@2"))
    return [
        Line(name=f"diff of two versions of {rows:,} rows", value=cost.cpu_seconds, unit="CPU s",
             limit=3, note=f"{found.seconds:.2f} s by the clock, {cost.megabytes:.0f} MB at most"),
    ]  # fmt: skip


def folders(folder: Path, images: int) -> list[Line]:
    """A folder of images as a version, beside `dvc add`."""
    root = folder / "images"
    rng = np.random.default_rng(0)
    head = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (28).to_bytes(4) * 2
    for number in range(images):
        place = root / f"class{number % 10}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.png").write_bytes(head + rng.bytes(3_000))
    place = place_in(folder)
    source = NewSource(uri=str(root), look=False)
    cost = spent(lambda: room_at(place).sources.add_from(OWNER, "images", source))
    lines = [Line(name=f"commit a folder of {images:,} images", value=cost.cpu_seconds,
                  unit="CPU s", note=f"{cost.megabytes:.0f} MB at most")]  # fmt: skip
    if not DVC.exists():
        return [*lines, Line(name="dvc add", value=float("nan"), unit="CPU s",
                             note="no DVC in .venvs/dvc")]  # fmt: skip
    project = folder / "dvc"
    project.mkdir()
    environment = os.environ | {"DVC_NO_ANALYTICS": "1", "HOME": str(project)}
    shutil.copytree(root, project / "images")
    subprocess.run([DVC, "init", "-q", "--no-scm"], cwd=project, env=environment, check=True)
    peer = spent(lambda: subprocess.run(
        [DVC, "add", "-q", "images"], cwd=project, env=environment, check=True))  # fmt: skip
    return [
        *lines,
        Line(name="dvc add", value=peer.cpu_seconds, unit="CPU s"),
        Line(name="commit / dvc add", value=cost.cpu_seconds / peer.cpu_seconds, unit="times",
             limit=0.2, note=f"{peer.cpu_seconds / cost.cpu_seconds:.1f} times less"),
    ]  # fmt: skip
