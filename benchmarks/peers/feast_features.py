"""Feast's part of benchmarks/features.py, run by the Python of its own environment.

feast_features.py historical STORE FOLDER OUT   |   online FOLDER KEYS
"""

# mypy: disable-error-code="import-not-found"
import json
import sys
import time
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

warnings.filterwarnings("ignore")

import pandas as pd  # noqa: E402 - warnings first
from feast import (  # noqa: E402
    Entity,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    RepoConfig,
    ValueType,
)
from feast.types import Float64  # noqa: E402

YEARS = timedelta(days=3650)


def opened(folder: Path, store: str) -> FeatureStore:
    """A store over the views' Parquet files."""
    config = RepoConfig(
        project="bench",
        provider="local",
        registry=str(folder / f"registry-{store}.db"),
        online_store={"type": "sqlite", "path": str(folder / "feast-online.db")},
        offline_store={"type": store},
        entity_key_serialization_version=3,
    )
    made = FeatureStore(config=config)
    key = Entity(name="key", join_keys=["key"], value_type=ValueType.INT64)
    views = []
    for file in sorted(folder.glob("view*.parquet")):
        number = file.stem.removeprefix("view")
        source = FileSource(
            name=f"source{number}",
            path=str(file),
            timestamp_field="event_timestamp",
            created_timestamp_column="created",
        )
        views.append(
            FeatureView(
                name=file.stem,
                entities=[key],
                ttl=YEARS,
                schema=[Field(name=f"f{number}_{place}", dtype=Float64) for place in range(4)],
                source=source,
            )
        )
    made.apply([key, *views])
    return made


def names(folder: Path) -> list[str]:
    """Every feature of every view."""
    files = sorted(folder.glob("view*.parquet"))
    return [
        f"{file.stem}:f{file.stem.removeprefix('view')}_{place}"
        for file in files
        for place in range(4)
    ]


def historical(store: str, folder: Path, out: Path) -> None:
    """Two joins; the second one's CPU, and the process's peak memory."""
    made = opened(folder, store)
    spine = pd.read_parquet(folder / "spine.parquet")
    seconds = 0.0
    for _ in range(2):
        before = time.process_time()
        found = made.get_historical_features(entity_df=spine, features=names(folder)).to_arrow()
        seconds = time.process_time() - before
    found.to_pandas().sort_values("row").to_parquet(out)
    print(json.dumps({"cpu": seconds, "mb": peak(), "rows": found.num_rows}))


def online(folder: Path, keys: int) -> None:
    """Microseconds of CPU for the features of one key."""
    made = opened(folder, "duckdb")
    before = time.process_time()
    made.materialize(datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC))
    load = time.process_time() - before
    wanted = names(folder)
    for _ in range(5):
        made.get_online_features(features=wanted, entity_rows=[{"key": 1}]).to_dict()
    before = time.process_time()
    for key in range(keys):
        made.get_online_features(features=wanted, entity_rows=[{"key": key}]).to_dict()
    each = (time.process_time() - before) / keys * 1e6
    print(json.dumps({"us": each, "load": load}))


def peak() -> float:
    """The most memory that this process held since it began, in units of 2^20 bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


if __name__ == "__main__":
    if sys.argv[1] == "historical":
        historical(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
    else:
        online(Path(sys.argv[2]), int(sys.argv[3]))
