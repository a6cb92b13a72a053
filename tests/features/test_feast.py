"""Definitions of Feast repositories, read without running them."""

import pytest

from athanor.features.errors import BadFeastRepository
from athanor.features.logic.feast import read_repository

SHARED = """
from datetime import timedelta
from pathlib import Path
import os
from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource, RequestSource
from feast.types import Float32, Int64, Map, Array
from feast.on_demand_feature_view import on_demand_feature_view

HERE = os.path.abspath(os.path.dirname(__file__))
driver = Entity(name="driver", join_keys=["driver_id"])
"""
DRIVERS = (
    SHARED
    + """
stats = FileSource(
    name="stats", path=%s, timestamp_field="event_timestamp", created_timestamp_column="created"
)
hourly = FeatureView(
    name="hourly", entities=[driver], ttl=timedelta(days=1, hours=12), source=stats,
    schema=[Field(name="driver_id", dtype=Int64), Field(name="rate", dtype=Float32),
            Field(name="trips", dtype=Int64), Field(name="about", dtype=Map),
            Field(name="taste", dtype=Array(Float32))],
)
asked = RequestSource(name="asked", schema=[Field(name="more", dtype=Int64)])

@on_demand_feature_view(sources=[hourly, asked], schema=[Field(name="sum", dtype=Float32)])
def summed(inputs):
    df = pd.DataFrame()
    df["sum"] = inputs["rate"] + inputs["more"]
    return df

pushed = PushSource(name="pushed", batch_source=stats)
fresh = FeatureView(name="fresh", entities=[driver], source=pushed, schema=[Field("rate", Float32)])
service = FeatureService(name="all", features=[hourly[["rate"]], summed, fresh])
"""
)
WAREHOUSE = (
    SHARED
    + """
from feast import BigQuerySource
stats = BigQuerySource(name="stats", table="a.b.stats", timestamp_field="event_timestamp")
hourly = FeatureView(name="hourly", entities=[driver], source=stats,
                     schema=[Field(name="rate", dtype=Float32)])
fresh = FeatureView(name="fresh", entities=[driver],
                    source=PushSource(name="pushed", batch_source=stats),
                    schema=[Field(name="rate", dtype=Float32)])

@on_demand_feature_view(sources=[hourly], schema=[Field(name="double", dtype=Float32)])
def doubled(inputs):
    df = pd.DataFrame()
    df["double"] = inputs["rate"] * 2
    return df

service = FeatureService(name="all", features=[hourly, doubled])
"""
)


def test_a_repository_of_files_is_read() -> None:
    found = read_repository({"repo/defs.py": DRIVERS % '"data/stats.parquet"'}, {})
    made = found.definitions
    assert [(e.name, [k.name for k in e.keys]) for e in made.entities] == [
        ("driver", ["driver_id"])
    ]
    hourly, fresh = made.views
    assert (hourly.ttl, hourly.event_time, hourly.created_time) == (
        129_600.0, "event_timestamp", "created"
    )  # fmt: skip
    assert not hourly.known_at
    assert {item.name: item.type for item in hourly.features} == {
        "rate": "number", "trips": "integer", "taste": "vector",
    }  # fmt: skip
    assert (hourly.source.dataset, fresh.source.dataset) == ("stats", "stats")
    assert found.sources == {"stats": "data/stats.parquet"}
    [summed] = made.on_demand
    assert (summed.inputs, [item.name for item in summed.request]) == (("hourly",), ["more"])
    assert made.services[0].features == ("hourly:rate", "summed", "fresh")
    assert len(found.skipped) == 1
    assert "Map is no type of a feature here" in found.skipped[0]


def test_paths_are_put_together_as_the_file_would() -> None:
    for told, path in {
        'f"{HERE}/data/stats.parquet"': "repo/data/stats.parquet",
        'os.path.join(HERE, "data", "stats.parquet")': "repo/data/stats.parquet",
        'str(Path(__file__).resolve().parent / "stats.parquet")': "repo/stats.parquet",
        'os.getenv("WHERE", "data/stats.parquet")': "data/stats.parquet",
        'f"{unknown()}/stats.parquet"': "./stats.parquet",
    }.items():
        found = read_repository({"repo/defs.py": DRIVERS % told}, {})
        assert found.sources == {"stats": path}, told


def test_a_warehouses_rows_are_asked_for_and_what_needs_them_waits() -> None:
    found = read_repository({"defs.py": WAREHOUSE}, {})
    assert [(view.name, view.source.kind) for view in found.definitions.views] == [
        ("fresh", "push")
    ]
    view, computed, service = found.skipped
    assert "bring its rows in as dataset 'stats'" in view
    assert "'doubled': it reads 'hourly', which was skipped" in computed
    assert "'all': it reads 'doubled', which was skipped" in service
    whole = read_repository({"defs.py": WAREHOUSE}, {}, known={"stats"})
    assert [view.source.dataset for view in whole.definitions.views] == ["stats", "stats"]
    assert (whole.skipped, len(whole.definitions.services)) == ((), 1)


def test_what_a_file_changes_otherwise_is_not_guessed() -> None:
    """A list that grows is followed or forgotten, and nothing that is passed over is unsaid."""
    files = {
        "sources/tables.py": SHARED + "rows = FileSource(name='rows', path='a.parquet')\n",
        "views/tables.py": SHARED + "rows = FileSource(name='other', path='b.parquet')\n",
        "views/all.py": SHARED
        + """
from sources.tables import rows
fields = [Field(name="rate", dtype=Float32)]
fields += [Field(name="trips", dtype=Int64)]
grown = FeatureView(name="grown", entities=[driver], source=rows, schema=fields)
fields.append(Field(name="more", dtype=Int64))
appended = FeatureView(name="appended", entities=[driver], source=rows, schema=fields)
if HERE:
    inside = FeatureView(name="inside", entities=[driver], source=rows, schema=[])
driver = made()
late = FeatureView(name="late", entities=[driver], source=rows,
                   schema=[Field(name="rate", dtype=Float32)])
""",
    }
    found = read_repository(files, {})
    [view] = found.definitions.views
    assert (view.name, [field.name for field in view.features]) == ("grown", ["rate", "trips"])
    assert found.sources["rows"] == "a.parquet"
    lines = [item.split(":")[1] for item in found.skipped if item.startswith("views/all.py")]
    assert lines == ["17", "18", "21"]


def test_arguments_that_feast_would_refuse_are_named() -> None:
    calls = (
        "Entity(join_keys=['x'])", "Entity(name='b', join_keys=5)",
        "FeatureService('f', features=5)",
        "FeatureView(name='v', entities=[driver], ttl=timedelta(days=days()))",
        "FeatureView(name='v', entities=5, ttl=timedelta(years=1), source=rows, schema=[])",
        "FileSource(name=-'a')",
    )  # fmt: skip
    for call in calls:
        found = read_repository({"a.py": SHARED + f"x = {call}"}, {})
        assert [item.name for item in found.definitions.entities] == ["driver"]
        assert [item[:9] for item in found.skipped] == ["a.py:11: "], call
    with pytest.raises(BadFeastRepository, match=r"a\.py"):
        read_repository({"a.py": SHARED + "x = " + "-" * 5000 + "1"}, {})
