"""What a profile costs, beside ydata-profiling; and what a recipe costs in its forms."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from athanor.data.types import ReadOptions, Roles
from athanor.data.types.recipes import Step
from athanor.data.work import recipes
from athanor.data.work.profile import connected, profile_of
from athanor.data.work.reading import look_through
from measures.lines import Line, least

ROOT = Path(__file__).resolve().parents[2]
YDATA = ROOT / ".venvs" / "ydata" / "bin" / "python"
YDATA_CPU_SECONDS = 22.8
"""Measured once on two shared cores (ydata-profiling's full report of bank_churners)."""
_REPORT = """
import sys, pandas, ydata_profiling
frame = pandas.read_parquet(sys.argv[1])
ydata_profiling.ProfileReport(frame, progress_bar=False).to_html()
"""


def lines(folder: Path, rows: int = 1_000_000) -> Iterator[Line]:
    """Line by line."""
    yield _wide(folder, rows)
    yield from _bank(folder)
    yield _recipe(folder, rows)


def _wide(folder: Path, rows: int) -> Line:
    chance = np.random.default_rng(1)
    columns: dict[str, object] = {f"n{place}": chance.normal(size=rows) for place in range(15)}
    columns |= {f"i{place}": chance.integers(0, 10_000, rows) for place in range(7)}
    words = np.array([f"word {place}" for place in range(40)])
    columns |= {f"w{place}": words[chance.integers(0, 40, rows)] for place in range(6)}
    columns |= {"left": chance.integers(0, 2, rows), "id": np.arange(rows)}
    path = folder / "wide.parquet"
    pq.write_table(pa.table(columns), path)
    schema = pq.read_schema(path)
    found = least(lambda: _profiled(path, schema, rows, Roles(target="left", id="id")), 1)
    note = f"{found.megabytes:.0f} MB"
    return Line(name=f"profile of {rows:,} x 30", value=found.cpu_seconds, unit="CPU s", limit=5.0,
                note=note)  # fmt: skip


def _profiled(path: Path, schema: pa.Schema, rows: int, roles: Roles) -> None:
    with connected([str(path)]) as connection:
        profile_of(connection, schema, rows, roles)


def _bank(folder: Path) -> Iterator[Line]:
    file = _data() / "bank_churners" / "BankChurners.csv"
    if not file.exists():
        return
    reading = look_through(file, file.name, folder, ReadOptions(), {})
    table = pa.Table.from_batches(reading.rows.batches(), schema=reading.rows.schema())
    path = folder / "bank.parquet"
    pq.write_table(table, path)
    roles = Roles(target="Attrition_Flag", id="CLIENTNUM")
    ours = least(lambda: _profiled(path, table.schema, table.num_rows, roles), 3)
    peer, note = YDATA_CPU_SECONDS, "as measured once"
    if YDATA.exists():
        command = [str(YDATA), "-c", _REPORT, str(path)]
        before = os.times()
        subprocess.run(command, check=True, capture_output=True)
        after = os.times()
        peer = (after.children_user - before.children_user
                + after.children_system - before.children_system)  # fmt: skip
        note = "measured now"
    yield Line(name="ydata-profiling's report of bank_churners", value=peer, unit="CPU s",
               note=note)  # fmt: skip
    yield Line(name="profile of bank_churners", value=ours.cpu_seconds, unit="CPU s",
               limit=peer / 20, note=f"{peer / ours.cpu_seconds:.0f} times less")  # fmt: skip


def _recipe(folder: Path, rows: int) -> Line:
    steps = [
        Step(operation="fill_learned", parameters={"columns": ["n0"], "statistic": "mean"}),
        Step(operation="formula", parameters={"name": "ratio", "formula": "n0 / (i0 + 1)"}),
        Step(operation="scale", parameters={"columns": ["n1", "n2", "ratio"]}),
        Step(operation="encode_onehot", parameters={"column": "w0"}),
        Step(operation="filter", parameters={"condition": "n3 > -1 and w1 <> 'word 1'"}),
    ]
    work = {
        "steps": [{"operation": step.operation, "parameters": step.parameters} for step in steps],
        "table": {"name": "wide@1", "files": [str(folder / "wide.parquet")]},
        "others": {},
        "learned": {},
    }
    found = least(lambda: recipes.apply(work, str(folder / "made.parquet")), 1)
    return Line(
        name=f"recipe of five steps on {rows:,} x 30, fitted and applied",
        value=found.cpu_seconds,
        unit="CPU s",
        note=f"{found.megabytes:.0f} MB",
    )


def _data() -> Path:
    return Path(os.environ.get("ATHANOR_TEST_DATA", ROOT.parent / "shared" / "data"))
