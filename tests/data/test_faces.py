"""The same verbs over routes, client and commands, in the app in this process."""

import io
import json
import os
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from athanor.app.inprocess import InProcessTransport
from athanor.data import (
    DatasetNotFound,
    Expectation,
    NewVersion,
    Query,
    ReadOptions,
    Roles,
    UnknownColumn,
)
from athanor.data.client import Data
from athanor.data.commands import commands, print_tables, run_sql
from athanor.kernel import NotFound, Transport
from athanor.kernel.console import connect_by
from athanor.kernel.settings import Settings
from tests.data.conftest import CHURN, customers


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faces")


@pytest.fixture(scope="module")
def transport(folder: Path) -> Iterator[Transport]:
    opened = InProcessTransport(Settings(workspace=folder / "workspace", reserve_mb=0))
    connect_by(lambda: opened)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def data(transport: Transport, folder: Path) -> Data:
    client = Data(transport)
    path = folder / "a.csv"
    path.write_text(customers(0, 100))
    client.add("churn", NewVersion(path=path, roles=CHURN))
    broken = folder / "b.csv"
    broken.write_text(customers(100, 100).replace(",no\n", ",never\n"))
    client.add("churn", NewVersion(path=broken, mode="append"))
    return client


def test_what_was_added_is_read_back(data: Data) -> None:
    dataset = next(item for item in data.datasets() if item.name == "churn")
    assert (dataset.name, dataset.latest, dataset.versions, dataset.roles) == ("churn", 1, 2, CHURN)
    assert data.dataset("churn") == dataset
    assert [item.state for item in data.versions("churn")] == ["quarantined", "ready"]
    assert data.version("churn").source.file == "a.csv"
    assert data.version("churn@v2").number == 2
    assert data.rows("churn", limit=2)[1]["customer"] == 1001
    assert data.profile("churn@1").rows == 100


def test_checks_and_quarantine(data: Data) -> None:
    expectations = data.expectations("churn")
    assert expectations == data.suggest("churn@1")
    assert data.expect("churn", expectations) == expectations
    assert all(result.passed for result in data.check("churn@1"))
    shown = data.quarantine("churn@2")
    assert [check.kind for check in shown.failing] == ["label"]
    assert shown.rows[0].values["left"] == "never"


def test_options_of_reading_reach_the_reader(data: Data, folder: Path) -> None:
    path = folder / "odd.csv"
    path.write_bytes("näme;n;d\nä;1,5;03/04/2026\nö;none at all;\n".encode("latin-1"))
    read = ReadOptions(
        missing=("none at all",), encoding="latin-1", delimiter=";", decimal=",", dates="mdy"
    )
    version = data.add("odd", NewVersion(path=path, file_name="rénamed.csv", read=read))
    assert [column.type for column in version.columns] == ["text", "number", "date"]
    assert data.rows("odd")[0]["d"] == "2026-03-04"
    assert version.source.file == "rénamed.csv"


def test_failures_arrive_as_their_own_classes(data: Data, folder: Path) -> None:
    with pytest.raises(DatasetNotFound, match="Did you mean 'churn'"):
        data.version("chrun")
    path = folder / "a.csv"
    with pytest.raises(UnknownColumn) as caught:
        data.add("other", NewVersion(path=path, roles=Roles(target="nope")))
    assert caught.value.details["column"] == "nope"
    with pytest.raises(NotFound):
        data.watch("churn", folder / "nowhere")


def test_sql_reads_datasets(data: Data) -> None:
    assert data.query(Query(sql="select count(*) from churn")).rows == ((100,),)
    offered = {table.name for table in data.tables()}
    assert "churn" in offered
    page = (Path(__file__).resolve().parents[2] / "docs" / "sql.md").read_text("utf-8")
    rows = page.partition("## Tables")[2]
    told = {
        name
        for line in rows.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    assert told == offered - {item.name for item in data.datasets()}


def test_a_watched_folder_is_taken_by_the_app_itself(data: Data, folder: Path) -> None:
    incoming = folder / "incoming"
    incoming.mkdir()
    watch = data.watch("watched", incoming, roles=CHURN)
    assert data.watches("watched") == [watch]
    path = incoming / "a.csv"
    path.write_text(customers(0, 100))
    os.utime(path, (time.time() - 5, time.time() - 5))
    deadline = time.monotonic() + 60
    while not data.files("watched") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [item.outcome for item in data.files("watched")] == ["taken"]
    data.unwatch("watched", incoming)
    assert data.watches() == []


def printed(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(commands, arguments, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout


def test_commands_print_json(data: Data, folder: Path) -> None:
    assert [item["name"] for item in json.loads(printed("list", "--json"))] >= ["churn"]
    assert json.loads(printed("versions", "churn", "--json"))[0]["state"] == "quarantined"
    assert json.loads(printed("show", "churn", "--rows", "1", "--json"))["rows"][0]["age"] == 20
    assert json.loads(printed("profile", "churn", "--json"))["rows"] == 100
    against = json.loads(printed("profile", "churn", "--target", "age", "--json"))
    assert against["target"] == "age"
    assert [item["correlation"] for item in against["columns"]][3] == pytest.approx(-0.05, abs=0.2)
    told = printed("profile", "churn", "--target", "spent")
    assert "with spent" in told
    with pytest.raises(UnknownColumn, match="'nowhere', which was named as the target"):
        printed("profile", "churn", "--target", "nowhere")
    shown = json.loads(printed("checks", "churn", "--json"))
    assert (shown["version"], shown["state"]) == (2, "quarantined")
    again = json.loads(printed("checks", "churn@1", "--again", "--json"))
    assert all(check["passed"] for check in again["checks"])
    assert json.loads(printed("files", "churn", "--json")) == []
    assert json.loads(printed("watch", "--json")) == []
    wanted = folder / "checks.json"
    wanted.write_text(printed("checks", "churn@1", "--suggest", "--json"))
    kept = json.loads(printed("checks", "churn", "--set", str(wanted), "--json"))
    assert kept == json.loads(printed("checks", "churn", "--expected", "--json"))


def test_commands_print_tables(data: Data) -> None:
    for arguments in (
        ("list",), ("versions", "churn"), ("show", "churn@2"), ("profile", "churn"),
        ("checks", "churn@1"), ("checks", "churn", "--expected"), ("watch",), ("files", "churn"),
    ):  # fmt: skip
        assert printed(*arguments).strip()


def test_adding_by_command(data: Data, folder: Path) -> None:
    path = folder / "c.csv"
    path.write_text(customers(300, 50))
    arguments = ("add", "more", str(path), "--target", "left", "--id", "customer")
    assert json.loads(printed(*arguments, "--json"))["number"] == 1
    assert "more version 2" in printed(*arguments)
    path.write_text(customers(400, 50, age=lambda number: -number))
    assert "'age' should lie between" in printed("add", "more", str(path), "--append", code=1)
    assert CliRunner().invoke(commands, ["add", "more"]).exit_code == 2
    assert CliRunner().invoke(commands, ["add", "more", "no.csv"]).exit_code == 2


def test_sql_by_command(
    data: Data,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_sql("select 1 as a, 'x,y' as b", as_csv=True)
    assert capsys.readouterr().out == 'a,b\n1,"x,y"\n'
    (tmp_path / "q.sql").write_text("-- a remark first\nselect 2 as a\n")
    run_sql(file=tmp_path / "q.sql", as_csv=True)
    assert capsys.readouterr().out == "a\n2\n"
    monkeypatch.setattr("sys.stdin", io.StringIO("select 3 as a"))
    run_sql("-", as_csv=True)
    assert capsys.readouterr().out == "a\n3\n"
    with pytest.raises(typer.BadParameter, match="--file"):
        run_sql()
    run_sql("select count(*) as n from churn")
    assert "100" in capsys.readouterr().out
    print_tables()
    assert "churn" in capsys.readouterr().out


def test_expectations_survive_the_wire(data: Data) -> None:
    wanted = [Expectation(kind="values", column="country", parameters={"values": ["de"]})]
    before = data.expectations("churn")
    assert data.expect("churn", wanted) == wanted
    data.expect("churn", before)


def test_uploads_may_be_called_anything(transport: Transport) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.csv", "a,b\n1,2\n")
    for name in ("..", "a\0b\n.zip", "x" * 300 + ".zip", "b\\..", "c.dvc"):
        answer = transport.send(
            "PUT", "/datasets/named/versions", query={"file": name}, content=packed.getvalue()
        )
        assert answer.json()["rows"] == 1
