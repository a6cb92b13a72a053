"""Somebody's rows through the whole house: versions, models of them, predictions."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from typer.testing import CliRunner

from athanor.app.house import House
from athanor.app.inprocess import InProcessTransport
from athanor.app.persons import log
from athanor.app.persons.columns import ColumnUnknown
from athanor.app.persons.commands import commands
from athanor.app.persons.holders import rows_of
from athanor.app.persons.searching import rows_in, search
from athanor.app.persons.service import NobodyNamed
from athanor.client import Client
from athanor.data import Datasets, NewVersion, Roles
from athanor.data.types.recipes import Step
from athanor.data.work.persons import counts
from athanor.features import Entity, FeatureView, Field, SpineSource, TrainingRequest, ViewSource
from athanor.features.errors import TrainingSetErased
from athanor.kernel import AthanorError
from athanor.kernel.console import connect_by
from athanor.kernel.holder import Holding, Person
from athanor.kernel.ids import new_id
from athanor.kernel.permissions import OWNER, Principal
from athanor.kernel.settings import Settings
from athanor.kernel.storage import BlobNotFound
from athanor.lineage import NewArtifact, NewRun
from athanor.registry import NewModelVersion
from athanor.serving.store.tickets import KeptTicket, SqlTicketStore
from athanor.serving.tickets.asking import packed
from athanor.serving.types.tickets import Ticket
from athanor.serving.warehouse import LABELS, PREDICTIONS


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    opened = InProcessTransport(Settings(workspace=tmp_path / "workspace", reserve_mb=0))
    connect_by(lambda: opened)
    yield Client(opened)
    opened.close()


class Locked:
    """A holder whose place can't be written now."""

    def holdings(self, person: Person, who: Principal) -> list[Holding]:
        return []

    def erase(self, person: Person, who: Principal) -> list[Holding]:
        raise OSError(f"The place of {person.value} is locked.")


def test_a_trace_and_an_erasure(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = "".join(f"{n},{n % 7}\n" for n in range(100))
    path.write_text(f"customer,visits\n{rows}555000111,9\n")
    version = client.data.add("shop", NewVersion(path=path, roles=Roles(id="customer")))
    run = client.runs.start_run(NewRun(kind="script", name="training"))
    client.runs.consumed(run.id, version.artifact_id, "data")
    held = client.persons.trace("customer", "555000111")
    assert [(item.kind, item.name, item.rows) for item in held] == [
        ("version", "shop@1", 1), ("run", "training", 0),
    ]  # fmt: skip
    told = client.persons.erase("customer", "555000111")
    assert told == held
    assert client.data.version("shop").number == 1
    house: House = client.transport._house  # type: ignore[attr-defined]
    house.holders.insert(0, Locked())
    done = CliRunner().invoke(
        commands, ["erase", "customer", "555000111", "--yes", "--json"], catch_exceptions=False
    )
    assert done.exit_code == 1
    assert {item["kind"]: item["erased"] for item in json.loads(done.stdout)} == {
        "run": False, "version": True, "failure": False,
    }  # fmt: skip
    assert "place of 555000111 is locked" in done.stdout
    audited = house.events.latest(1)[0]
    assert audited.detail["failed"] == ["locked: OSError"]
    assert audited.detail["erased"] == ["version shop@1"]
    assert "555000111" not in str(audited)
    assert client.data.version("shop").number == 2
    assert client.data.version("shop").rows == 100
    assert client.persons.trace("customer", "555000111") == []
    storage = tmp_path / "workspace" / "storage"
    kept = b"".join(item.read_bytes() for item in storage.rglob("*") if item.is_file())
    assert b"555000111" not in kept
    with pytest.raises(NobodyNamed):
        client.persons.trace("customer", "")
    with pytest.raises(ColumnUnknown, match="'custmer'") as unknown:
        client.persons.trace("custmer", "555000111")
    assert "'customer'" in unknown.value.hint


def test_pushed_rows_leave_the_database_and_its_log(client: Client, tmp_path: Path) -> None:
    view = FeatureView(
        name="clicks", entities=("person",), event_time="at", source=ViewSource(kind="push"),
        features=(Field(name="n", type="integer"),),
    )  # fmt: skip
    client.features.apply(Entity(name="person"), view)
    rows = [{"person": f"zebra{n:04}", "at": "2026-01-01T00:00:00Z", "n": n} for n in range(50)]
    client.features.push("clicks", rows)
    done = client.persons.erase("person", "zebra0007", dry_run=False)
    assert {item.name for item in done if item.erased} == {
        "default/clicks online", "default/clicks pushed",
    }  # fmt: skip
    files = (tmp_path / "workspace").glob("athanor.db*")
    kept = b"".join(path.read_bytes() for path in files)
    assert (b"zebra0007" in kept, b"zebra0008" in kept) == (False, True)


def test_the_rows_beside_a_model_are_erased_and_the_model_stays(
    client: Client, tmp_path: Path
) -> None:
    house: House = client.transport._house  # type: ignore[attr-defined]
    path = tmp_path / "a.csv"
    path.write_text("customer,visits\n" + "".join(f"{n},{n % 7}\n" for n in range(100)))
    new = NewVersion(path=path, roles=Roles(id="customer"))
    version = house.services[Datasets].add(OWNER, "shop", new, project="north")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors: {python_function: {loader_module: x}}\n")
    (folder / "input_example.json").write_text('{"columns": ["visits"], "data": [[3], [4]]}')
    blob = house.storage.put_folder(folder)
    told = {"blob": blob.digest, "flavor": "python_function"}
    run = client.runs.start_run(NewRun(kind="script", name="training"))
    client.runs.consumed(run.id, version.artifact_id, "data")
    model = client.runs.record(
        NewArtifact(type="model", name="m", uri=blob.uri, digest=blob.digest, metadata=told)
    )
    client.runs.produced(run.id, model.id, "model")
    client.models.register(NewModelVersion(model="m", artifact_id=model.id, run_id=run.id))
    cached = house.settings.workspace / "cache" / "models" / "x"
    house.storage.fetch_folder(blob.digest, cached)
    held = {item.kind: item.rows for item in client.persons.trace("customer", "7")}
    assert held == {"version": 1, "run": 0, "model": 0, "example": 2}
    done = client.persons.erase("customer", "7", dry_run=False)
    assert {item.kind: item.erased for item in done} == {
        "version": True, "run": False, "model": False, "example": True,
    }  # fmt: skip
    left = house.storage.fetch_folder(blob.digest, tmp_path / "back")
    assert [item.name for item in left.iterdir()] == ["MLmodel"]
    assert [item.name for item in cached.iterdir()] == ["MLmodel"]
    assert client.models.version("m@1").digest == blob.digest
    assert {item.kind for item in client.persons.trace("customer", "7")} <= {"run", "model"}
    [other] = [item for item in client.persons.trace("customer", "8") if item.kind == "model"]
    assert (other.name, "trained on shop@1, erased since" in other.note) == ("m@1", True)


def test_what_lost_the_key_is_told_until_it_is_gone(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "bank.csv"
    rows = "".join(f"{n},{n * 3}\n" for n in range(100))
    path.write_text(f"customer,limit\n{rows}555000111,987654321\n")
    client.data.add("bank", NewVersion(path=path, roles=Roles(id="customer")))
    client.data.split("bank", name="half")
    drop = Step(operation="drop", parameters={"columns": ["customer"]})
    client.recipes.save("clean", [drop])
    client.recipes.apply("clean", "bank", into="bankclean")
    traced = {item.name: item for item in client.persons.trace("customer", "555000111")}
    assert (traced["bankclean@1"].kind, traced["bankclean@1"].rows) == ("derived", 0)
    assert "made of bank@1" in traced["bankclean@1"].note
    done = {i.name: i for i in client.persons.erase("customer", "555000111", dry_run=False)}
    assert "half" in done["bank@1"].note
    told = done["bankclean@1"]
    assert not told.erased
    assert told.note.startswith("NOT cleaned: made of bank@1")
    assert "athanor recipe apply clean@1 bank --into bankclean" in told.note
    assert "made of bank@1" in client.data.version("bankclean@1").notes[-1]
    with pytest.raises(AthanorError, match="derived"):
        client.persons.erase("customer", "1", dry_run=False, derived="burn")
    client.recipes.apply("clean@1", "bank", into="bankclean")
    [left] = client.persons.trace("customer", "555000111")
    assert left.name == "bankclean@1"
    client.data.delete("bankclean@1")
    [gone] = client.persons.erase("customer", "555000111", dry_run=False)
    assert (gone.name, gone.erased) == ("bankclean@1", True)
    assert client.persons.trace("customer", "555000111") == []
    assert client.data.version("bankclean").rows == 100


def test_what_lost_the_key_is_made_anew_or_removed(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "bank.csv"
    rows = "".join(f"{n},{n * 3}\n" for n in range(100))
    path.write_text(f"customer,limit\n{rows}555000111,987654321\n")
    client.data.add("bank", NewVersion(path=path, roles=Roles(id="customer")))
    drop = Step(operation="drop", parameters={"columns": ["customer"]})
    client.recipes.save("clean", [drop])
    client.recipes.apply("clean", "bank", into="bankclean")
    client.recipes.save("more", [Step(operation="sort", parameters={"by": ["limit"]})])
    client.recipes.apply("more", "bankclean", into="sorted")
    erased = client.persons.erase("customer", "555000111", dry_run=False, derived="rebuild")
    done = {item.name: item for item in erased}
    assert "made anew as bankclean@2 by clean@1" in done["bankclean@1"].note
    assert "made anew as sorted@2 by more@1" in done["sorted@1"].note
    for name in ("bankclean", "sorted"):
        assert (client.data.version(name).number, client.data.version(name).rows) == (2, 100)
    storage = tmp_path / "workspace" / "storage"
    kept = b"".join(item.read_bytes() for item in storage.rglob("*") if item.is_file())
    assert b"987654321" not in kept
    client.persons.erase("customer", "7", dry_run=False, derived="purge")
    assert client.data.version("bank").rows == 99
    with pytest.raises(AthanorError, match="deleted"):
        client.data.version("sorted")


@pytest.mark.parametrize(
    ("example", "rows"),
    [
        ('{"columns": ["customer", "x"], "data": [["7", 1], [7, 2], [8, 3]]}', 2),
        ('{"columns": ["customer"], "data": [[8], []]}', 1),
        ('{"columns": ["x"], "data": [[1], [2]]}', 2),
        ('{"dataframe_split": {"columns": ["customer"], "data": [[8]]}}', 0),
        ('[{"customer": 8}, {"customer": 7}, {"x": 1}]', 2),
        ('{"inputs": [[1.0]]}', 1),
        ("no JSON", 1),
    ],
)
def test_rows_of_an_input_example(example: str, rows: int) -> None:
    assert rows_of(example.encode(), Person(column="customer", value="7")) == rows


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('[{"customer": 7}, {"customer": "7"}, {"customer": 7.0}, {"customer": 8}]', 3),
        ('{"customer": 7}', None),  # a figure of the column, perhaps
        ('{"row": {"customer": 7}}', 1),
        ('{"customer": [7, 8, 7]}', 2),
        ('{"columns": ["x", "customer"], "rows": [[7, 1], [1, 7]]}', 1),
        ('{"columns": [{"name": "customer", "missing": 7, "top": [{"value": "7"}]}]}', 1),
        ('{"customer": 8}\n{"other": 7}\n', None),
        ("text/csv\n\ncustomer,x\n7,1\n17,7\n", 1),
        ("x|customer\n7|8\n", 0),
        ("customer 7", None),
        ("\ufeffcustomer,x\n7,1\n", 1),
        ("P6 customer\r\r7\x01", None),  # an image
    ],
)
def test_rows_in_files_of_any_kind(content: str, rows: int | None) -> None:
    assert rows_in(content.encode(), "customer", "7") == rows


def test_numbers_are_compared_as_numbers(tmp_path: Path) -> None:
    """A column with missing keys is one of floats; of types that are not read it is only told."""
    rows = {
        "float": pa.array([7.0, 70.0, None, 7.5]),
        "decimal": pa.array([7, 70], pa.decimal128(10, 2)),
        "text": pa.array(["7", "7.0"]),
        "nested": pa.array([[7], None]),
    }
    for name, column in rows.items():
        table, file = pa.table({"customer": column}), tmp_path / f"{name}.parquet"
        pq.write_table(table, file)
        with pa.ipc.new_file(tmp_path / f"{name}.arrow", table.schema) as writer:
            writer.write_table(table)
    (tmp_path / "wide.csv").write_text("customer;x\n1234567;1\n", "utf-16")
    found = search(str(tmp_path / "none"), [str(tmp_path)], "customer", "7")
    assert {Path(name).stem: count for name, count in found["rows"].items()} == {
        "float": 1, "decimal": 1, "text": 1, "nested": 1,
    }  # fmt: skip
    assert len(found["rows"]) == 8
    assert counts([str(tmp_path / "float.parquet")], "customer", "7") == {
        str(tmp_path / "float.parquet"): 1
    }
    told = search(str(tmp_path / "none"), [str(tmp_path)], "customer", "1234567")
    assert told == {"rows": {}, "mentions": [str(tmp_path / "wide.csv")]}


@pytest.mark.parametrize("column", ["customer", '~of/ "x" \\'])
def test_rows_of_the_prediction_log(tmp_path: Path, column: str) -> None:
    """By an input of this name, and by the key where the endpoint's key was this column then."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    changed = now - timedelta(hours=1)
    predicted: list[dict[str, object]] = [
        {"id": f"p{n}", "request": "r", "predicted_at": at, "endpoint": endpoint,
         "deployment": "d", "model": "m", "version": 1, "latency": 0.1, "key": key,
         "label": "yes", "score": 0.5,
         "features": json.dumps({column: held}),
         "probabilities": None}
        for n, (endpoint, at, key, held) in enumerate(
            [
                ("mine", now, "k0", 90), ("mine", now, "7", 90), ("aged", now, "k2", 7.0),
                ("aged", now, "7", 90), ("mine", now, "k4", 90), ("gone", now, "7", 90),
                ("moved", now, "7", 90), ("moved", now - timedelta(hours=2), "7", 90),
            ]
        )
    ]  # fmt: skip
    labels = [
        {"endpoint": endpoint, "id": id_, "key": key, "label": "no", "happened_at": now,
         "received_at": now}
        for endpoint, id_, key in (
            ("aged", "p2", None), ("mine", None, "7.0"), ("aged", "p3", None), ("aged", None, "7"),
        )
    ]  # fmt: skip
    keys = [
        {"endpoint": endpoint, "column": name, "since": since, "until": until}
        for endpoint, name, since, until in (
            ("mine", column, None, None), ("aged", "age", None, None),
            ("moved", "age", None, changed), ("moved", column, changed, None),
        )
    ]  # fmt: skip
    tables = {name: str(tmp_path / name) for name in ("predictions", "labels")}
    write_deltalake(tables["predictions"], pa.Table.from_pylist(predicted, PREDICTIONS))
    write_deltalake(tables["labels"], pa.Table.from_pylist(labels, LABELS))
    sources = {
        name: {"parquet": DeltaTable(uri).file_uris(), "jsonl": []} for name, uri in tables.items()
    }
    told = log.counted(sources, tables, keys, column, "7")
    mine = [(item["name"], item["rows"]) for item in told if not item["note"]]
    assert mine == [
        (f"{kind} of {endpoint}", 1)
        for kind, endpoint in (
            ("predictions", "aged"), ("predictions", "mine"), ("predictions", "moved"),
            ("labels", "aged"), ("labels", "mine"),
        )
    ]  # fmt: skip
    unclear = [item["name"] for item in told if item["note"].startswith("NOT erased")]
    assert unclear == ["predictions of gone", "predictions of moved"]
    done = log.erased(sources, tables, keys, column, "7")
    assert [(item["name"], item["rows"]) for item in done if item["erased"]] == mine
    left = DeltaTable(tables["predictions"]).to_pyarrow_table()["id"].to_pylist()
    assert sorted(left) == ["p0", "p3", "p4", "p5", "p7"]
    left = DeltaTable(tables["labels"]).to_pyarrow_table()["endpoint"].to_pylist()
    assert left == ["aged", "aged"]
    assert len(list((tmp_path / "predictions").glob("*.parquet"))) == 1


def test_rows_that_no_room_looked_at_are_found_by_what_they_are(
    client: Client, tmp_path: Path
) -> None:
    house: House = client.transport._house  # type: ignore[attr-defined]
    storage, who = house.storage, "555000111"
    client.features.apply(
        Entity(name="customer"),
        FeatureView(
            name="clicks", entities=("customer",), source=ViewSource(kind="push"),
            event_time="at", features=(Field(name="clicks"),),
        ),
    )  # fmt: skip
    row = {"customer": int(who), "at": "2026-05-01T00:00:00Z", "clicks": 4}
    client.features.push("clicks", [row, {**row, "customer": 7}])
    asked = pa.table({"customer": [int(who), 7], "event_timestamp": ["2026-05-02"] * 2})
    wanted = TrainingRequest(spine=SpineSource(), features=("clicks",))
    client.features.create("train", wanted, rows=asked)
    ticket = Ticket(
        id=new_id(), project="default", endpoint="churn", route="predict", state="done",
        request_bytes=1, answer=storage.put_bytes(b'{"predictions": []}').digest,
        created_by="owner", created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    body = packed("application/json", json.dumps({"records": [{"customer": who}]}).encode())
    kept = KeptTicket(ticket=ticket, request=storage.put_bytes(body).digest, expires_seconds=60)
    SqlTicketStore(house.database).add(kept)
    for name, content in {
        "step.parquet": None,
        "rows.csv": f"id;customer\n1;{who}\n2;{who}\n".encode(),
        "report.html": f"<td>{who}</td>".encode(),
        "split.json": json.dumps({"customer": {"0": int(who), "1": 8}}).encode(),
        "others.csv": b"customer\n5550001112\n",
    }.items():
        path = tmp_path / name
        if content is None:
            pq.write_table(asked.select(["customer"]), path)
        else:
            path.write_bytes(content)
        blob = storage.put_file(path)
        client.runs.record(
            NewArtifact(type="file", name=name, uri=blob.uri, digest=blob.digest, size=1)
        )
    left = house.settings.workspace / "work" / "run" / "part.jsonl"
    left.parent.mkdir(parents=True)
    left.write_text(f'{{"customer": {who}}}\n{{"customer": 8}}\n')
    told = {(i.kind, i.name): i.rows for i in client.persons.trace("customer", who)}
    stored = {
        ("training set", "rows pinned by train@1"): 1,
        ("ticket", f"ticket {ticket.id} of churn"): 1,
        ("artifact", "step.parquet"): 1,
        ("artifact", "rows.csv"): 2,
        ("artifact", "report.html"): 0,
        ("artifact", "split.json"): 1,
        ("file", "work/run/part.jsonl"): 1,
    }
    assert stored.items() <= told.items()
    assert not any("others" in name for _, name in told)
    done = client.persons.erase("customer", who, dry_run=False)
    assert [item.name for item in done if "as text" in item.note] == ["report.html"]
    again = [i for i in client.persons.trace("customer", who) if i.kind != "run"]
    assert [item.name for item in again] == ["report.html"]
    assert not left.exists()
    assert SqlTicketStore(house.database).find(ticket.id) is None
    with pytest.raises(TrainingSetErased, match="the rows to look up"):
        client.features.rebuild("train@1")
    with pytest.raises(BlobNotFound, match="erased with the rows of a person"):
        storage.read(kept.request)


@pytest.mark.parametrize(
    ("value", "cells", "others"),
    [
        ("1.1", [Decimal("1.10"), 1.1, "1.1"], ["1.10", 11, True, None, Decimal("NaN")]),
        ("12.0", [12, 12.0, Decimal(12), "12.0"], ["12", 12.5, "1_2"]),
        ("1_2", ["1_2"], [12]),
        ("nan", ["nan"], [float("nan")]),
        ("True", [True, "True"], [1, False]),
        (
            "2026-05-01T02:00:00+02:00",
            [datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 1), date(2026, 5, 1),
             "2026-05-01T00:00:00.000000+00:00"],
            ["2026-05-01T02:00:00", datetime(2026, 5, 2, tzinfo=UTC), 20260501],
        ),
    ],
)  # fmt: skip
def test_cells_that_hold_a_persons_value(
    value: str, cells: list[object], others: list[object]
) -> None:
    person = Person(column="x", value=value)
    assert [cell for cell in cells if not person.is_in(cell)] == []
    assert [cell for cell in others if person.is_in(cell)] == []
