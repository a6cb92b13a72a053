"""TensorBoard's event files, against the `tensorboard` package where it is installed."""

import io
import json
import math
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from athanor.tracking.logic.boards.events import (
    Reading,
    Scalar,
    event_file,
    is_event_file,
    key_of,
    read_scalars,
)
from athanor.tracking.logic.boards.frames import crc32c
from tests.conftest import ROOT

BOARD = ROOT / ".venvs" / "tensorboard" / "bin" / "python"

_WRITE = """
import sys
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.plugins.histogram import metadata
from tensorboard.plugins.scalar import metadata as scalar_metadata
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util import tensor_util
import numpy as np
writer = EventFileWriter(sys.argv[1])
def add(step, wall, **value):
    summary = Summary(value=[Summary.Value(**value)])
    writer.add_event(Event(wall_time=wall, step=step, summary=summary))
scalars = scalar_metadata.create_summary_metadata("", "")
for step in range(5):
    add(step, 1.7e9 + step, tag="old/loss", simple_value=1 / (step + 1))
    tensor = tensor_util.make_tensor_proto(np.float32(step / 4))
    about = {"metadata": scalars} if step == 0 else {}
    add(step, 1.7e9 + step + 0.25, tag="new (loss)", tensor=tensor, **about)
add(0, 1.7e9, tag="odd", simple_value=float("nan"))
add(-2, 1.7e9, tag="odd", simple_value=float("inf"))
weights = tensor_util.make_tensor_proto(np.ones((3, 3)))
add(1, 1.7e9, tag="weights", tensor=weights, metadata=metadata.create_summary_metadata("", ""))
writer.close()
"""

_READ = """
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util
found = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "tensors": 0}).Reload()
told = {}
for tag in found.Tags()["scalars"]:
    told.setdefault(tag, []).extend(
        [repr(p.value), p.step, p.wall_time] for p in found.Scalars(tag)
    )
for tag in found.Tags()["tensors"]:
    told.setdefault(tag, []).extend(
        [repr(float(tensor_util.make_ndarray(p.tensor_proto).item())), p.step, p.wall_time]
        for p in found.Tensors(tag)
    )
print(json.dumps(told))
"""


def _tensorboard(program: str, *args: str) -> str:
    if not BOARD.is_file():
        pytest.skip("no tensorboard here: uv venv .venvs/tensorboard, and install it there")
    done = subprocess.run(
        [str(BOARD), "-c", program, *args], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _written(scalars: list[Scalar]) -> bytes:
    return b"".join(event_file(scalars, started=1.7e9))


def test_the_checksum_is_castagnoli() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"") == 0


def test_what_tensorboard_wrote_is_read(tmp_path: Path) -> None:
    _tensorboard(_WRITE, str(tmp_path))
    (file,) = tmp_path.iterdir()
    assert is_event_file(file.name)
    with file.open("rb") as stream:
        found = list(read_scalars(stream))
    old = [point for point in found if point.tag == "old/loss"]
    assert [point.value for point in old] == [
        struct.unpack("<f", struct.pack("<f", 1 / (step + 1)))[0] for step in range(5)
    ]
    assert [(point.step, point.at) for point in old] == [
        (step, (1_700_000_000 + step) * 1_000_000) for step in range(5)
    ]
    new = [point for point in found if point.tag.startswith("new")]
    assert [point.step for point in new] == [0, 1, 2, 3, 4]
    assert new[0].value == 0.0
    assert new[3].at == 1_700_000_003_250_000
    odd = [point for point in found if point.tag == "odd"]
    assert math.isnan(odd[0].value)
    assert (odd[1].value, odd[1].step) == (math.inf, -2)
    assert not [point for point in found if "weights" in point.tag]


def test_tensorboard_reads_what_is_written(tmp_path: Path) -> None:
    scalars = [
        Scalar(tag="loss", value=0.1 * step, step=step, at=1_700_000_000_000_000 + step)
        for step in range(20)
    ]
    scalars += [Scalar(tag="half", value=0.5, step=3, at=1_700_000_000_123_456)]
    (tmp_path / "events.out.tfevents.1700000000.here").write_bytes(_written(scalars))
    told = json.loads(_tensorboard(_READ, str(tmp_path)))
    assert sorted((float(value), step) for value, step, _ in told["loss"]) == sorted(
        (point.value, point.step) for point in scalars if point.tag == "loss"
    )
    assert told["half"] == [["0.5", 3, 1_700_000_000.123456]]


_points = st.builds(
    Scalar,
    tag=st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
    value=st.floats(),
    step=st.integers(-(1 << 63), (1 << 63) - 1),
    at=st.integers(0, 2_000_000_000_000_000),
)


@given(st.lists(_points, max_size=20))
def test_what_is_written_is_read_as_it_was(scalars: list[Scalar]) -> None:
    found = list(read_scalars(io.BytesIO(_written(scalars))))
    assert [(p.tag, p.step, p.at) for p in found] == [(p.tag, p.step, p.at) for p in scalars]
    for read, written in zip(found, scalars, strict=True):
        assert read.value == written.value or math.isnan(read.value) == math.isnan(written.value)


@given(st.lists(_points, min_size=1, max_size=10), st.data())
def test_a_file_that_is_cut_anywhere_is_read_up_to_there(
    scalars: list[Scalar], data: st.DataObject
) -> None:
    whole = _written(scalars)
    cut = data.draw(st.integers(0, len(whole)))
    reading = Reading()
    found = list(read_scalars(io.BytesIO(whole[:cut]), reading))
    assert [p.tag for p in found] == [p.tag for p in scalars][: len(found)]
    assert not reading.damaged
    assert not reading.cut


@given(st.binary(max_size=400))
def test_other_bytes_are_no_scalars_and_no_failure(data: bytes) -> None:
    assert list(read_scalars(io.BytesIO(data))) == []


def test_a_damaged_record_is_passed_over() -> None:
    scalars = [Scalar(tag=f"t{number}", value=number, step=0, at=0) for number in range(3)]
    records = list(event_file(scalars, started=0.0))
    broken = bytearray(records[2])
    broken[-6] ^= 1
    reading = Reading()
    found = list(read_scalars(io.BytesIO(b"".join([*records[:2], broken, records[3]])), reading))
    assert [point.tag for point in found] == ["t0", "t2"]
    assert reading.damaged == 1


def test_behind_a_damaged_length_nothing_is_guessed() -> None:
    scalars = [Scalar(tag=f"t{number}", value=number, step=0, at=0) for number in range(3)]
    records = list(event_file(scalars, started=0.0))
    broken = bytearray(records[2])
    broken[0] ^= 1
    reading = Reading()
    found = list(read_scalars(io.BytesIO(b"".join([*records[:2], broken, records[3]])), reading))
    assert [point.tag for point in found] == ["t0"]
    assert reading.cut


def test_a_tag_becomes_a_metric_led_by_its_writers_folder() -> None:
    assert key_of("logs/train/events.out.tfevents.1", "loss") == "train/loss"
    assert key_of("events.out.tfevents.1", "loss") == "loss"
    assert key_of("tensorboard_logs/validation/events.out.tfevents.1", "a (b)") == (
        "validation/a _b_"
    )
    assert key_of("events.out.tfevents.1", "../../x//y") == "x/y"
    assert key_of("events.out.tfevents.1", "..") == "_"
