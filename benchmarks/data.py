"""What versions cost: committing, opening, comparing, profiling, folders; beside peers.

    python benchmarks/data.py [--rows 1000000] [--versions 1000] [--images 10000] [--runs 2]

CPU seconds are user and system time of a fork that has the libraries loaded; memory is its peak.
DVC is measured where `.venvs/dvc` has it.
"""

import argparse
import importlib
import importlib.util
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measures import datasets
from measures.lines import Line


def measured(arguments: argparse.Namespace, folder: Path) -> Iterator[Line]:
    """Line by line."""
    yield from datasets.commits(folder, arguments.rows, arguments.runs)
    # What forks comes first: Delta's runtime does not live through a fork.
    yield from datasets.folders(folder, arguments.images)
    if importlib.util.find_spec("measures.profiles") is not None:
        yield from importlib.import_module("measures.profiles").lines(folder)
    yield from datasets.openings(folder, arguments.versions)
    yield from datasets.differences(folder, arguments.rows)


def main() -> int:
    """Measure, tell; 1 when over a limit."""
    parser = argparse.ArgumentParser(description="Measure versions of datasets.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--versions", type=int, default=1_000)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=2, help="runs that the least is taken of")
    kept = True
    with tempfile.TemporaryDirectory(prefix="athanor-data-") as folder:
        for line in measured(parser.parse_args(), Path(folder)):
            print(line, flush=True)
            kept = kept and line.kept()
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
