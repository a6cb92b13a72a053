"""Whole tables are predicted: each row once, whatever is killed."""

import asyncio
import gzip
import os
import random
import signal
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from athanor.app.house import House
from athanor.data import Datasets, NewVersion
from athanor.data.errors import BadDatasetName, DatasetNameTaken, DatasetNotFound
from athanor.kernel import nearby
from athanor.kernel.database import Database
from athanor.kernel.errors import AthanorError
from athanor.kernel.permissions import OWNER
from athanor.kernel.workers import Workers
from athanor.lineage import Lineage
from athanor.pipelines import RunNews
from athanor.registry import ModelNotFound
from athanor.serving.batches.work.files import as_parquet
from athanor.serving.errors.batches import (
    BadBatch,
    BatchEnded,
    BatchFileElsewhere,
    BatchFileMissing,
    BatchNotFound,
    InputColumnsMissing,
    InputColumnTaken,
    InputValueUnfit,
)
from athanor.serving.errors.repeats import IdempotencyKeyReused
from athanor.serving.routes import batches as routes
from athanor.serving.service.batches import Batches
from athanor.serving.store.batches import SqlBatchStore
from athanor.serving.types import InputColumn, Signature
from athanor.serving.types.batches import Batch, BatchFile, NewBatch
from athanor.testing.serving import eventually
from tests.serving.conftest import Trained, bank, opened_house, registered


def rows_of(count: int, seed: int = 7) -> pd.DataFrame:
    frame, _ = bank(count, seed)
    return frame.assign(row=range(count))


def ended(house: House, batch: Batch) -> Batch:
    batches: Batches = house.services[Batches]
    assert eventually(lambda: batches.get(OWNER, batch.id).ended, 120.0)
    return batches.get(OWNER, batch.id)


def result(house: House, batch: Batch) -> pd.DataFrame:
    version = house.services[Datasets].version(OWNER, f"{batch.to}@{batch.dataset_version}")
    uri = version.table_uri.rstrip("/")
    return pd.concat([pd.read_parquet(f"{uri}/{file}") for file in version.files])


def sent_file(batches: Batches, path: Path) -> BatchFile:
    with batches.add_file(OWNER, path.name) as arriving:
        arriving.write(path.read_bytes())
        return arriving.keep()


def expected(trained: Trained, frame: pd.DataFrame) -> "np.ndarray[Any, Any]":
    return trained.model.probabilities(frame)


def check(house: House, batch: Batch, trained: Trained, frame: pd.DataFrame) -> None:
    """Each row is there once, in its place, with the answer that the model gives in process."""
    assert batch.state == "done", batch.error
    made = result(house, batch)
    assert made["row"].tolist() == frame["row"].tolist()
    chances = expected(trained, frame)
    assert made["probability_left"].tolist() == chances[:, 0].tolist()
    assert (
        made["prediction"].tolist()
        == np.asarray(trained.model.classes)[chances.argmax(axis=1)].tolist()
    )


@pytest.fixture
def customers(shop: House, tmp_path: Path) -> pd.DataFrame:
    frame = rows_of(5_000)
    known = [item.name for item in shop.services[Datasets].datasets(OWNER)]
    if "customers" not in known:
        frame.to_parquet(tmp_path / "customers.parquet", row_group_size=1_500)
        shop.services[Datasets].add(
            OWNER, "customers", NewVersion(path=tmp_path / "customers.parquet")
        )
    return frame


def test_a_dataset_is_predicted_row_for_row(
    shop: House, champion: Trained, customers: pd.DataFrame
) -> None:
    batches: Batches = shop.services[Batches]
    new = NewBatch(model="churn", to="scores", dataset="customers", chunk_rows=1_000)
    batch = ended(shop, batches.submit(OWNER, new))
    check(shop, batch, champion, customers)
    assert (batch.rows, batch.rows_done, batch.errors) == (5_000, 5_000, 0)
    assert batch.chunks_done == batch.chunks
    assert batch.source == {"dataset": "customers@1"}
    made = result(shop, batch)
    assert set(customers.columns) < set(made.columns)
    assert (made["score"] == made["probability_stayed"]).all() or (
        made["score"] == made["probability_left"]
    ).all()


def test_the_result_leads_back_to_model_and_input(shop: House, customers: pd.DataFrame) -> None:
    assert len(customers)
    new = NewBatch(model="churn@1", to="traced", dataset="customers@1", keep=("row",))
    batch = ended(shop, shop.services[Batches].submit(OWNER, new))
    assert batch.output is not None
    graph = shop.services[Lineage].trace(OWNER, batch.output, "up")
    found = {node.id for node in graph.nodes}
    version = shop.services[Datasets].version(OWNER, "customers@1")
    assert {batch.id, batch.artifact, version.artifact_id} <= found
    assert shop.services[Lineage].run(OWNER, batch.id).state == "done"


def test_a_query_is_run_once_and_predicted(
    shop: House, champion: Trained, customers: pd.DataFrame
) -> None:
    sql = "SELECT * FROM customers WHERE age > 50 ORDER BY row"
    new = NewBatch(model="churn", to="elders", sql=sql, keep=("row",))
    batch = ended(shop, shop.services[Batches].submit(OWNER, new))
    check(shop, batch, champion, customers[customers.age > 50].reset_index(drop=True))


@pytest.mark.parametrize("form", ["csv.gz", "jsonl", "parquet", "arrow"])
def test_files_of_many_forms_are_predicted(
    shop: House, champion: Trained, tmp_path: Path, form: str
) -> None:
    frame = rows_of(300)
    path = tmp_path / f"rows.{form}"
    match form:
        case "csv":
            frame.to_csv(path, index=False)
        case "csv.gz":
            path.write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
        case "jsonl" | "json":
            frame.to_json(path, orient="records", lines=form == "jsonl", double_precision=15)
        case "parquet":
            frame.to_parquet(path)
        case _:
            frame.to_feather(path)
    batches: Batches = shop.services[Batches]
    sent = sent_file(batches, path)
    name = f"from-{form.replace('.', '-')}"
    new = NewBatch(model="churn", to=name, files=(sent, sent), keep=("row",))
    batch = ended(shop, batches.submit(OWNER, new))
    assert batch.state == "done", batch.error
    made = result(shop, batch)
    assert made["row"].tolist() == [*range(300), *range(300)]
    chances = expected(champion, frame)[:, 0]
    assert np.abs(made["probability_left"].to_numpy()[:300] - chances).max() < 1e-9


@pytest.mark.parametrize(
    ("new", "kind", "words"),
    [
        (NewBatch(model="churn", to="x"), BadBatch, "none is given"),
        (NewBatch(model="churn", to="x", dataset="a", sql="b"), BadBatch, "dataset and sql"),
        (NewBatch(model="churn", to="", dataset="customers"), BadBatch, "names no dataset"),
        (NewBatch(model="nope", to="x", dataset="customers"), ModelNotFound, "nope"),
        (NewBatch(model="churn", to="x", dataset="nope"), DatasetNotFound, "nope"),
        (NewBatch(model="churn", to="x", sql="SELEC 1"), AthanorError, "."),
        (NewBatch(model="churn", to="x", sql="SELECT 1 AS age"), InputColumnsMissing, "trend"),
        (
            NewBatch(model="churn", to="x", dataset="customers", chunk_rows=1),
            BadBatch,
            "chunk_rows",
        ),
        (
            NewBatch(
                model="churn",
                to="x",
                files=(BatchFile(file="a.csv", digest="sha256:" + "0" * 64),),
            ),
            BatchFileMissing,
            "a.csv",
        ),
    ],
)
def test_what_can_be_seen_to_be_wrong_is_refused_at_once(
    shop: House, customers: pd.DataFrame, new: NewBatch, kind: type[AthanorError], words: str
) -> None:
    assert len(customers)
    with pytest.raises(kind, match=words) as refused:
        shop.services[Batches].submit(OWNER, new)
    assert refused.value.status < 500


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"age,card\n1,blue\n", "short.csv", "input_columns_missing"),
        (b"x,y\n1,blue\n", "other.csv", "input_columns_missing"),
        (b"\x00\x01\x02", "rubbish.parquet", "batch_file_unreadable"),
        (b"a", "rubbish.xyz", "batch_file_unreadable"),
        (b'{"broken": ', "broken.json", "batch_file_unreadable"),
        (
            b"age,balance,trend,card,region\nold,1,1,blue,a\n",
            "typed.csv",
            "input_value_unfit",
        ),
        (b"age,balance,trend,card,region\n", "empty.csv", "bad_batch"),
    ],
)
def test_files_that_are_no_input_fail_the_batch_with_their_name(
    shop: House, tmp_path: Path, content: bytes, name: str, code: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    batches: Batches = shop.services[Batches]
    sent = sent_file(batches, path)
    batch = ended(shop, batches.submit(OWNER, NewBatch(model="churn", to="none", files=(sent,))))
    assert batch.state == "failed"
    assert batch.error is not None
    assert batch.error["error"] == code
    assert batch.error["status"] < 500


@pytest.mark.parametrize("name", ["bad.csv", "bad.jsonl"])
def test_a_row_with_a_word_for_a_number_is_named(tmp_path: Path, name: str) -> None:
    values = ["1.5", "lots", "", "2.5", "more"]
    path = tmp_path / name
    if name.endswith("csv"):
        path.write_text("balance,card\n" + "".join(f"{value},a\n" for value in values), "utf-8")
    else:
        path.write_text("".join(f'{{"balance": "{v or 3}", "card": 1}}\n' for v in values), "utf-8")
    columns = (InputColumn(name="card", type="string"), InputColumn(name="balance", type="double"))
    with pytest.raises(InputValueUnfit, match=r"row 2 has 'lots' in column 'balance'") as refused:
        as_parquet(path, name, tmp_path / "o.parquet", Signature(columns=columns), 1_000)
    assert refused.value.details["rows"] == 2


def test_a_file_that_both_see_is_not_sent(shop: House, tmp_path: Path) -> None:
    path = tmp_path / "near.csv"
    path.write_bytes(b"age\n1\n")
    batches: Batches = shop.services[Batches]
    found = batches.add_near(OWNER, "near.csv", str(path), nearby.sealed(path))
    assert found == sent_file(batches, path)
    with pytest.raises(BatchFileElsewhere):
        batches.add_near(OWNER, "near.csv", str(path), "0" * 64)
    with pytest.raises(BatchFileElsewhere):
        batches.add_near(OWNER, "near.csv", str(path), nearby.sealed(path), near=False)


def test_a_column_of_the_results_name_is_refused(shop: House, tmp_path: Path) -> None:
    path = tmp_path / "taken.parquet"
    rows_of(10).assign(score=1.0).to_parquet(path)
    batches: Batches = shop.services[Batches]
    sent = sent_file(batches, path)
    failed = ended(shop, batches.submit(OWNER, NewBatch(model="churn", to="taken", files=(sent,))))
    assert failed.error is not None
    assert "'score'" in failed.error["message"]
    new = NewBatch(model="churn", to="taken", files=(sent,), keep=("row",))
    assert ended(shop, batches.submit(OWNER, new)).state == "done"


@pytest.mark.parametrize(
    ("changes", "kind", "names"),
    [
        ({"to": "customers"}, BadBatch, "their own input"),
        ({"to": "no name!"}, BadDatasetName, "no name!"),
        ({"to": "Customers"}, DatasetNameTaken, "customers"),
        ({"keep": ("nope",)}, BadBatch, "'nope'"),
        ({"dataset": "", "sql": "SELECT *, 1 AS score FROM customers"}, InputColumnTaken, "score"),
    ],
)
def test_what_would_fail_at_the_end_is_refused_at_once(
    shop: House, customers: pd.DataFrame, changes: dict[str, Any], kind: type[Exception], names: str
) -> None:
    assert len(customers)
    new = NewBatch(**{"model": "churn", "to": "never", "dataset": "customers", **changes})
    with pytest.raises(kind, match=names):
        shop.services[Batches].submit(OWNER, new)


def test_one_key_makes_one_batch(shop: House, customers: pd.DataFrame) -> None:
    assert len(customers)
    batches: Batches = shop.services[Batches]
    new = NewBatch(model="churn", to="once", dataset="customers", keep=(), idempotency_key="k")
    first, second = batches.submit(OWNER, new), batches.submit(OWNER, new)
    assert first.id == second.id
    for other, differs in (
        (replace(new, to="elsewhere"), "to"),
        (replace(new, dataset="churners"), "input"),
        (replace(new, keep=("row",)), "keep"),
        (replace(new, max_errors=1), "max_errors"),
    ):
        with pytest.raises(IdempotencyKeyReused, match=f"another {differs}"):
            batches.submit(OWNER, other)
    ended(shop, first)
    assert len(shop.services[Datasets].versions(OWNER, "once")) == 1
    with pytest.raises(BatchEnded):
        batches.cancel(OWNER, first.id)
    with pytest.raises(BatchEnded):
        batches.resume(OWNER, first.id)
    with pytest.raises(BatchNotFound):
        batches.get(OWNER, "nope")


def workers_of(folder: Path) -> list[int]:
    """Processes that have the batch's claims open."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            names = [str(item.readlink()) for item in (path / "fd").iterdir()]
        except OSError:
            continue
        if str(folder / "claims") in names:
            found.append(int(path.name))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_killed_workers_lose_and_double_nothing(
    shop: House, champion: Trained, tmp_path: Path, seed: int
) -> None:
    frame = rows_of(8_000, seed)
    path = tmp_path / "many.parquet"
    frame.to_parquet(path, row_group_size=1_000)
    batches: Batches = shop.services[Batches]
    sent = sent_file(batches, path)
    new = NewBatch(model="churn", to="killed", files=(sent,), keep=("row",), chunk_rows=1_000)
    batch = batches.submit(OWNER, new)
    folder = shop.settings.workspace / "work" / "batches" / batch.id
    after = random.Random(seed).randrange(1, 6)
    assert eventually(
        lambda: (
            len(list(folder.glob("chunk-*.parquet"))) >= after or batches.get(OWNER, batch.id).ended
        )
    )
    for pid in workers_of(folder):
        with suppress(ProcessLookupError):  # it has just ended by itself
            os.kill(pid, signal.SIGKILL)
    check(shop, ended(shop, batch), champion, frame)


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_house_that_ends_in_the_midst_is_gone_on_with(
    tmp_path: Path,
    warm_workers: Workers,
    champion: Trained,
    monkeypatch: pytest.MonkeyPatch,
    after: int,
) -> None:
    frame = rows_of(6_000, after)
    path, workspace = tmp_path / "many.parquet", tmp_path / "workspace"
    frame.to_parquet(path, row_group_size=1_000)
    with opened_house(workspace, warm_workers, monkeypatch, serving=False) as house:
        registered(house, champion)
        batches: Batches = house.services[Batches]
        sent = sent_file(batches, path)
        new = NewBatch(
            model="churn", to="scores", files=(sent,), keep=("row",), chunk_rows=1_000, workers=1
        )
        batch = batches.submit(OWNER, new)
        folder = workspace / "work" / "batches" / batch.id
        assert eventually(
            lambda: (
                len(list(folder.glob("chunk-*.parquet"))) >= after
                or batches.get(OWNER, batch.id).ended
            )
        )
    with opened_house(workspace, warm_workers, monkeypatch, serving=True) as house:
        check(house, ended(house, batch), champion, frame)
        assert len(house.services[Datasets].versions(OWNER, "scores")) == 1
        assert not folder.exists()


def test_a_version_that_was_made_before_the_kill_is_not_made_again(
    shop: House, customers: pd.DataFrame
) -> None:
    assert len(customers)
    batches: Batches = shop.services[Batches]
    new = NewBatch(model="churn", to="adopted", dataset="customers", keep=("row",))
    batch = ended(shop, batches.submit(OWNER, new))
    store = SqlBatchStore(shop.database)
    store.change(batch.id, {"state": "running", "dataset_version": None, "output": None})
    batches._queue(OWNER, batch)
    again = ended(shop, batch)
    assert (again.state, again.output) == ("done", batch.output)
    assert len(shop.services[Datasets].versions(OWNER, "adopted")) == 1


def test_who_waits_for_a_batch_hears_of_its_end(
    shop: House, customers: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(customers)
    monkeypatch.setattr(routes, "_LOOK_SECONDS", 60.0)  # nobody looks: it must be told
    batches: Batches = shop.services[Batches]
    new = NewBatch(model="churn", to="awaited", dataset="customers", keep=())
    batch, began = batches.submit(OWNER, new), time.monotonic()
    waited = routes.get(batch.id, OWNER, batches, shop.services[RunNews], wait=60.0)
    assert asyncio.run(waited).state == "done"
    assert time.monotonic() - began < 50.0


def test_a_cancelled_batch_leaves_nothing(shop: House, tmp_path: Path) -> None:
    path = tmp_path / "many.parquet"
    rows_of(30_000).to_parquet(path, row_group_size=1_000)
    batches: Batches = shop.services[Batches]
    sent = sent_file(batches, path)
    new = NewBatch(model="churn", to="cancelled", files=(sent,), chunk_rows=1_000, workers=1)
    batch = batches.submit(OWNER, new)
    assert batches.cancel(OWNER, batch.id).state == "cancelled"
    folder = shop.settings.workspace / "work" / "batches" / batch.id
    assert eventually(lambda: not folder.exists())
    with pytest.raises(DatasetNotFound):
        shop.services[Datasets].dataset(OWNER, "cancelled")


def test_batches_are_kept_by_every_database(database: Database) -> None:
    store = SqlBatchStore(database)
    plain: dict[str, Any] = {
        "project": "default",
        "model": "churn",
        "version": 1,
        "artifact": "a" * 32,
        "digest": "sha256:" + "0" * 64,
        "source": {"dataset": "a@1"},
        "to": "b",
        "settings": {},
        "created_by": "owner",
        "created_at": pd.Timestamp("2026-03-01", tz="UTC").to_pydatetime(),
    }
    batch = Batch(id="b" * 32, state="queued", **plain)
    store.add(batch, "key")
    assert store.find(batch.id) == batch
    assert store.by_key("default", "key") == batch
    assert store.by_key("other", "key") is None
    assert not store.change(batch.id, {"state": "done"}, while_in=("running",))
    assert store.change(batch.id, {"state": "running", "rows": 1 << 40}, while_in=("queued",))
    assert [item.rows for item in store.page("default", state="running")] == [1 << 40]
    assert store.page("default", state="done") == []
    assert store.page("other") == []
