"""A planned recipe as a pandas script that stands by itself."""

import ast
import importlib.util
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path

from athanor.data.logic.recipes.forms import frame_of
from athanor.data.logic.recipes.kinds import FRAME_TYPES, Schema
from athanor.data.logic.recipes.plans import Planned, words_of
from athanor.data.logic.recipes.table import Plan, Projection, Selection
from athanor.data.types.recipes import Step

_MODULES = ("scalars", "lists", "frames_prelude")
_HEAD = '''"""{title}

It gives the very rows, bit by bit, that the recipe's SQL gives.
Usage: python {file} IN.parquet OUT.parquet{more}
"""

import functools
import hashlib
import math
import operator
import re
import sys
import unicodedata
import zoneinfo
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

SOURCE = {source!r}
RESULT = {result!r}
OTHERS = {others!r}
'''
_FOOT = """
if __name__ == "__main__":
    others = dict(zip(OTHERS, sys.argv[3:], strict=True))
    tables = {name: load(pq.read_table(path), OTHERS[name]) for name, path in others.items()}
    done = recipe(load(pq.read_table(sys.argv[1]), SOURCE), tables)
    pq.write_table(arrow(done), sys.argv[2])
"""
_LOADING = '''

def load(table: pa.Table, kinds: dict[str, str]) -> pd.DataFrame:
    """A table as the recipe's: numbers are finite or NA, years go from 1 to 9999."""
    columns = {}
    for name, kind in kinds.items():
        column = table[name]
        if kind == "number":
            plain = column.cast(pa.float64(), safe=False).to_numpy()
            lost = ~np.isfinite(plain)
            columns[name] = pd.Series(
                pd.arrays.FloatingArray(np.where(lost, 1.0, plain) + 0.0, lost)
            )
        elif kind in {"date", "timestamp", "instant"}:
            micros = column.cast(pa.timestamp("us", column.type.tz if kind == "instant" else None),
                                 safe=False).cast(pa.int64())
            whole = micros.fill_null(-(1 << 63)).to_numpy()
            inside = (whole >= -62135596800000000) & (whole <= 253402300799999999)
            times = np.where(inside, whole, -(1 << 63)).astype("datetime64[us]")
            columns[name] = pd.Series(times)
        elif kind == "other":
            columns[name] = pd.Series(pd.arrays.ArrowExtensionArray(column))
        else:
            columns[name] = pd.Series(pd.array(column.to_pylist(), dtype=DTYPES[kind]))
    return pd.DataFrame(columns)


def arrow(df: pd.DataFrame) -> pa.Table:
    """The recipe's table as Arrow."""
    columns = []
    for name, kind in RESULT.items():
        if kind == "other":
            columns.append(df[name].array.__arrow_array__())
            continue
        cells = cells_of(df[name], len(df))
        if kind == "instant":
            naive = pa.array(cells, pa.timestamp("us"))
            columns.append(naive.cast(pa.int64()).cast(pa.timestamp("us", "UTC")))
        elif kind == "date":
            columns.append(pa.array(cells, pa.timestamp("us")).cast(pa.date32()))
        else:
            columns.append(pa.array(cells, ARROW[kind]))
    return pa.table(columns, names=list(RESULT))


DTYPES = {"integer": "Int64", "boolean": "boolean", "text": "string"}
ARROW = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "text": pa.string(),
    "timestamp": pa.timestamp("us"),
}
'''


def script_of(
    title: str,
    steps: Sequence[Planned],
    raw: Sequence[Step],
    schema: Schema,
    others: Mapping[str, Schema],
) -> str:
    """The recipe as a Python file."""
    head = "def recipe(df: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:"
    lines = ["", "", head, '    """The recipe, step by step."""']
    for step, asked in zip(steps, raw, strict=True):
        words = " ".join(words_of(asked).split())[:90]
        lines.append(f"    # {step.number}. {words}")
        lines.append(f"    df = {frame_step(step.plan, step.before)}")
    lines += ["    return df", ""]
    body = "\n".join(lines)
    after = steps[-1].after if steps else schema
    used = _sources(body + _LOADING)
    head = _HEAD.format(
        title=title.replace('"', "'").replace("\\", "/"),
        file="recipe.py",
        more="".join(f" {name}.parquet" for name in others).replace('"', "'").replace("\\", "/"),
        source=dict(schema),
        result=dict(after),
        others={name: dict(columns) for name, columns in others.items()},
    )
    return head + used + _LOADING + body + "\n" + _FOOT


def frame_step(plan: Plan, before: Schema) -> str:
    """One step as a pandas expression of `df`."""
    if isinstance(plan, Selection):
        return f"kept(df, {frame_of(plan.condition)})"
    if not isinstance(plan, Projection):
        return plan.frame
    names = [name for name, _ in plan.columns]
    same = {name for name, item in plan.columns if item.what == "column" and item.value == name}
    if len(same) == len(names):
        return f"df[{names!r}]"
    columns = {name: item.value for name, item in plan.columns if item.what == "column"}
    if len(columns) == len(names) and list(columns.values()) == list(before):
        renamed = {old: new for new, old in columns.items() if old != new}
        return f"df.rename(columns={renamed!r})"
    cells = ", ".join(
        f"{name!r}: spread({FRAME_TYPES[item.kind]!r}, {frame_of(item)}, df.index)"
        for name, item in plan.columns
        if name not in same
    )
    made = f"df.assign(**{{{cells}}})"
    placed = [*before, *(name for name in names if name not in before)]
    return made if placed == names else f"{made}[{names!r}]"


@cache
def _definitions() -> dict[str, str]:
    """The source of each function and constant that pandas code may use."""
    found = {}
    for module in _MODULES:
        spec = importlib.util.find_spec(f"athanor.data.logic.recipes.{module}")
        text = Path(spec.origin).read_text("utf-8") if spec and spec.origin else ""
        for node in ast.parse(text).body:
            source = ast.get_source_segment(text, node) or ""
            if isinstance(node, ast.FunctionDef):
                found[node.name] = source
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                found[node.targets[0].id] = source
    return found


def _sources(code: str) -> str:
    """The definitions that some code needs, in the order of their modules."""
    known = _definitions()
    wanted: set[str] = {"cells_of", "column_of", "spread", "kept"}
    waiting = [code, *(known[name] for name in wanted)]
    while waiting:
        text = waiting.pop()
        for name in _names(text):
            if name in known and name not in wanted:
                wanted.add(name)
                waiting.append(known[name])
    constants = [known[name] for name in known if name in wanted and not _is_function(known[name])]
    functions = [known[name] for name in known if name in wanted and _is_function(known[name])]
    return "\n".join(constants) + "".join(f"\n\n\n{source}" for source in functions) + "\n"


@lru_cache(maxsize=256)
def _names(code: str) -> frozenset[str]:
    return frozenset(node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name))


def _is_function(source: str) -> bool:
    return source.startswith("def ")
