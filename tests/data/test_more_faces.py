"""Sources, diffs, splits, marks and deletion over HTTP, by the client and by command."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from athanor.app.inprocess import InProcessTransport
from athanor.client import Client
from athanor.data import Expectation, NewVersion, SqlExport, VersionNotFound
from athanor.data.client import Data
from athanor.data.commands import commands, run_sql
from athanor.data.commands.recipes import commands as recipe_commands
from athanor.data.errors import BadSource, VersionDeleted
from athanor.features import Entity, FeatureView, Field, ViewSource
from athanor.features.errors import NotATable, NotNames
from athanor.kernel.console import connect_by, transport
from athanor.kernel.sending import CannotSend, NoUnicode
from athanor.kernel.settings import Settings
from tests.data.conftest import CHURN, customers
from tests.data.test_malformed import zipped
from tests.data.test_sources import PNG


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("more")


@pytest.fixture(scope="module")
def data(folder: Path) -> Iterator[Data]:
    opened = InProcessTransport(Settings(workspace=folder / "workspace", reserve_mb=0))
    connect_by(lambda: opened)
    client = Data(opened)
    for first in (0, 100):
        path = folder / "a.csv"
        path.write_text(customers(first, 100))
        mode = "append" if first else "replace"
        client.add("churn", NewVersion(path=path, roles=CHURN, mode=mode))  # type: ignore[arg-type]
    yield client
    opened.close()


def printed(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(commands, arguments, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout


def test_frames_go_in_and_out(data: Data, folder: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": pd.Categorical(["x", "y"])})
    version = data.add("frame", frame)
    assert (version.source.kind, version.rows) == ("frame", 2)
    assert data.read("frame").equals(frame)
    assert version.notes == ()
    big = 1152921504606846977
    words = pa.array(["x", None], pa.large_string())
    table = pa.table({"whole": [1, big], "n": [big, None], "yes": [True, None], "k": words})
    assert data.add("gaps", table).notes == ()
    found = data.read("gaps")
    assert found["n"].tolist() == [big, pd.NA]
    assert {name: str(kind) for name, kind in found.dtypes.items() if name != "k"} == {
        "whole": "int64", "n": "Int64", "yes": "boolean",
    }  # fmt: skip
    assert data.read("frame", as_="arrow").num_rows == 2
    with pytest.raises(BadSource):
        data.read("frame", as_="stone")
    with pytest.raises(BadSource):
        data.add("frame", "nowhere.csv")
    assert data.add_query("ages", "select age, count(*) as n from churn group by age").rows == 50
    out = data.export(SqlExport(sql="select * from churn", format="csv"), folder / "all.csv")
    assert len(out.read_text().splitlines()) == 201
    run_sql("select * from churn", out=folder / "all.parquet")
    assert len(pd.read_parquet(folder / "all.parquet")) == 200


def test_archives_are_unpacked_where_they_arrive(data: Data, folder: Path) -> None:
    path = folder / "pets.zip"
    path.write_bytes(zipped({f"{kind}/{n}.png": PNG + bytes([n]) for kind in "ab" for n in (1, 2)}))
    version = data.add("pets", path)
    assert (version.rows, version.source.file, version.source.uri) == (4, "pets.zip", "")
    assert data.file("pets", "a/1.png") == PNG + b"\x01"
    assert (data.checkout("pets", folder / "out") / "b/2.png").read_bytes() == PNG + b"\x02"


def test_commands_about_versions(data: Data, folder: Path) -> None:
    found = json.loads(printed("diff", "churn@1", "churn@2", "--json"))
    assert (found["rows"]["added"], found["rows"]["unchanged"]) == (100, 100)
    assert "100 added" in printed("diff", "churn@1", "churn@2")
    split = json.loads(
        printed("split", "churn@2", "--share", "train=0.8", "--share", "test=0.2", "--json")
    )
    assert split["parts"] == {"train": 160, "test": 40}
    assert "train: 160" in printed("splits", "churn@2")
    target = folder / "train.csv"
    printed("get", "churn@2#train", str(target))
    assert len(target.read_text().splitlines()) == 161
    assert CliRunner().invoke(commands, ["get", "churn", "x.xls"]).exit_code == 2
    printed("mark", "churn@1", "--tag", "gold", "--note", "the first", "--owner", "ann")
    assert json.loads(printed("mark", "churn", "--json"))[0]["tags"] == ["gold"]
    assert json.loads(printed("show", "churn@gold", "--json"))["version"]["number"] == 1
    assert "100 rows equal to one" in printed("overlaps", "churn@1", "churn@2")
    project = folder / "project"
    assert json.loads(printed("dvc", "churn", str(project), "--json"))["files"] == 2
    assert json.loads(printed("add", "back", str(project / "churn.dvc"), "--json"))["rows"] == 2
    printed("split", "churn@2", "--remove")
    assert data.splits("churn@2") == []


def test_deletion_by_command(data: Data, folder: Path) -> None:
    path = folder / "b.csv"
    path.write_text(customers(0, 70))
    for _ in range(2):
        printed("add", "gone", str(path), "--id", "customer")
        path.write_text(customers(70, 70))
    printed("delete", "gone@1")
    with pytest.raises(VersionDeleted):
        data.version("gone@1")
    assert "deleted" in printed("versions", "gone", "--deleted")
    assert json.loads(printed("vacuum", "gone", "--json"))["versions"] == [1]
    printed("restore", "gone@1")
    printed("delete", "gone@1")
    assert json.loads(printed("vacuum", "gone", "--yes", "--json"))["files"] == 1
    printed("delete", "gone")
    assert "gone" not in {item.name for item in data.datasets()}
    printed("restore", "gone")
    assert data.version("gone").number == 2
    with pytest.raises(VersionNotFound):
        data.version("gone@2020-01-01")


def test_python_takes_frames_and_values_of_numpy_and_plain_sql(data: Data) -> None:
    client = Client(transport())
    assert client.sql("select count(*) from churn").rows == data.query("select 200").rows
    view = FeatureView(name="clicks", entities=("person",), event_time="at",
                       source=ViewSource(kind="push"),
                       features=(Field(name="n", type="integer"),))  # fmt: skip
    client.features.apply(Entity(name="person"), view)
    at = pd.Timestamp("2026-01-01", tz="UTC")
    frame = pd.DataFrame({"person": [1, 2], "at": [at, at], "n": [3, None]})
    assert client.features.push("clicks", frame).online == 2
    row = {"person": np.int64(3), "at": np.datetime64("2026-01-01"), "n": np.int16(5)}
    assert client.features.push("clicks", [row]).online == 1
    found = [item.values for item in client.features.read("clicks", frame[["person"]])]  # noqa: PD011
    assert found == [{"n": 3}, {"n": None}]
    with pytest.raises(CannotSend, match=r"builtins|complex"):
        client.features.push("clicks", [row | {"n": 1j}])


def test_what_an_operation_takes_has_its_choices(data: Data) -> None:
    assert data.datasets()
    found = CliRunner().invoke(recipe_commands, ["operations", "fill_learned"])
    assert "mean or median" in found.stdout


def test_what_is_told_of_a_quarantined_append_appends(data: Data, folder: Path) -> None:
    path = folder / "bought.csv"
    path.write_text("customer,amount\n1,10\n2,20\n3,30\n")
    printed("add", "bought", str(path), "--id", "customer")
    path.write_text("customer,amount\n4,40\n,50\n")
    told = printed("add", "bought", str(path), "--append", code=1)
    line = next(line for line in told.splitlines() if "Take its good rows" in line)
    words = shlex.split(line.partition(": ")[2])
    assert words[:2] == ["athanor", "data"]
    printed(*words[2:])
    assert data.version("bought").rows == 4
    path.write_text("customer,amount\n5,50\nsix,60\n,70\n")
    told = printed("add", "bought", str(path), "--append", code=1)
    line = next(line for line in told.splitlines() if "Take its good rows" in line)
    printed(*shlex.split(line.partition(": ")[2])[2:])
    assert data.version("bought").rows == 5
    path.write_text("customer,amount\n4,40\n6,60\n")
    told = printed("add", "bought", str(path), "--append", code=1)
    assert "CONDITION leaves out what breaks unique customer: athanor data add" in told
    assert "where CONDITION" in told


def test_a_diff_and_a_check_tell_one_index(data: Data, folder: Path) -> None:
    rows = [("id", "age", "town")]
    rows += [(str(n), str(18 + n % 60), f"t{n * n % 40}") for n in range(1200)]
    path = folder / "ages.csv"
    path.write_text("\n".join(map(",".join, rows)))
    data.add("folk", path)
    path.write_text("\n".join(",".join(row) for row in rows if row[1] not in {"18", "19", "20"}))
    data.add("folk", path)
    found = {item.name: item.stability for item in data.diff("folk@1", "folk@2").distributions}
    assert 0.03 < found["age"] < 0.05
    judged = [
        Expectation(kind="distribution", column=name, parameters={"reference": "folk@1"})
        for name in ("age", "town")
    ]
    data.expect("folk", judged)
    messages = [item.message for item in data.check("folk@2") if item.kind == "distribution"]
    for name, message in zip(("age", "town"), messages, strict=True):
        assert f"by psi {found[name]:.3f};" in message
    assert "Stability index: below 0.1" in printed("diff", "folk@1", "folk@2")


def test_what_python_hands_in_wrongly_is_named(data: Data, folder: Path) -> None:
    client = Client(transport())
    view = FeatureView(name="seen", entities=("guest",), event_time="at",
                       source=ViewSource(kind="push"),
                       features=(Field(name="said", type="text"),))  # fmt: skip
    client.features.apply(Entity(name="guest"), view)
    row = {"guest": "a", "at": "2026-01-01T00:00:00Z", "said": "x"}
    with pytest.raises(NoUnicode, match="row 2, column 'said'"):
        client.features.push("seen", [row, row | {"said": "x\ud800"}])
    with pytest.raises(NoUnicode, match="row 1, column 'guest'"):
        client.features.read("seen", [{"guest": "\udc00"}])
    with pytest.raises(NoUnicode, match=r"column '\\ud800'"):
        client.features.push("seen", [row | {"\ud800": 1}])
    frame = pd.DataFrame({"guest": pd.Series(["a", "\ud800"], dtype=object)})
    for broken in (frame, frame.to_dict("records")):
        with pytest.raises(NoUnicode, match="row 2, column 'guest'"):
            data.add("broken", broken)
        with pytest.raises(NoUnicode, match="row 2, column 'guest'"):
            client.features.historical("seen", broken)
    for named in (frame, [row]):
        with pytest.raises(NotNames, match="named by texts"):
            client.features.historical(named, ["seen:said"])  # type: ignore[arg-type]
    for rows in ("seen:said", ["seen:said"]):
        with pytest.raises(NotATable, match="seen:said"):
            client.features.historical(["seen:said"], rows)
    path = folder / "plain.csv"
    path.write_text("a,b\n1,2\n")
    assert data.add("plain", NewVersion(path=str(path))).rows == 1  # type: ignore[arg-type]
    for missing in (folder, folder / "none.csv"):
        with pytest.raises(BadSource, match="no file"):
            data.add("plain", NewVersion(path=missing))
