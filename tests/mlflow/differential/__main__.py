"""Compare two servers: `python -m tests.mlflow.differential OURS THEIRS --seed 1 --episodes 20`."""

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

from tests.mlflow.differential.asks import Side
from tests.mlflow.differential.compared import compared, record
from tests.mlflow.differential.episodes import Episode


def main() -> int:
    """Play the episodes; print each difference; 1 where there is one."""
    read = argparse.ArgumentParser(prog="tests.mlflow.differential", description=__doc__)
    read.add_argument("ours")
    read.add_argument("theirs")
    read.add_argument("--seed", default="1")
    read.add_argument("--episodes", type=int, default=20)
    read.add_argument("--length", type=int, default=60)
    read.add_argument(
        "--record", type=Path, help="write MLflow's answers here, and compare nothing"
    )
    read.add_argument("--out", type=Path, help="write every difference here, as JSON lines")
    given = read.parse_args()
    ours, theirs = Side(given.ours), Side(given.theirs)
    if given.record:
        record(ours, theirs, Episode(given.seed, given.length), given.record)
        return 0
    seen: Counter[str] = Counter()
    asked = 0
    with (given.out or Path(os.devnull)).open("w", encoding="utf-8") as out:
        for number in range(given.episodes):
            episode = Episode(f"{given.seed}.{number}", given.length)
            for difference in compared(ours, theirs, episode):
                asked += 1
                if difference is not None:
                    seen[difference.sort] += 1
                    out.write(difference.line() + "\n")
                    out.flush()
    sys.stdout.write(f"{asked:,} requests, {sum(seen.values())} answered differently\n")
    for sort, count in seen.most_common():
        sys.stdout.write(f"{count:5} {sort}\n")
    return 1 if seen else 0


if __name__ == "__main__":
    raise SystemExit(main())
