"""What is wrong is named, with the place and the way on; what was acknowledged is not lost.

Here each case as a user meets it, by command and exit code. Their depths are tested where they
are at home:

=================================================  ============================================
broken, empty, binary and ragged files; wrong      tests/data/test_reading.py
types half-way down
targets, ids, missing columns, quarantine          tests/data/test_checks.py
a killed writer of a dataset                       tests/data/test_killed.py
a killed engine, at any moment                     tests/pipelines/test_recovery.py
killed planes, model workers and log movers        tests/serving/test_chaos.py
a port in use, two servers, a newer workspace,     tests/app/test_server.py
kill -9 of the server and its processes
=================================================  ============================================
"""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.customers import ID, TARGET, Row, asked, customers, write
from tests.e2e.terminal import Terminal, live, look, post, predict, until

pytestmark = pytest.mark.timeout(300)

ROLES = ("--target", TARGET, "--id", ID)


@pytest.fixture(scope="module")
def shop(open_terminal: Callable[[str], Terminal]) -> Terminal:
    """A server with the dataset `shop`."""
    terminal = open_terminal("shop")
    write(terminal.folder / "good.csv", customers(400, seed=21))
    terminal.up()
    terminal.says("data", "add", "shop", "good.csv", *ROLES)
    return terminal


def one_class(rows: list[Row]) -> None:
    for row in rows:
        row[TARGET] = "no"


def empty_column(rows: list[Row]) -> None:
    for row in rows:
        row["spend"] = ""


def duplicate_ids(rows: list[Row]) -> None:
    rows[7][ID] = rows[3][ID]


def words_half_way_down(rows: list[Row]) -> None:
    for row in rows[200:]:
        row["visits"] = "many"


BAD_ROWS: dict[str, tuple[Callable[[list[Row]], None], list[str]]] = {
    "a label with one class": (one_class, [TARGET, "'no'"]),
    "duplicate ids": (duplicate_ids, [ID, "c000004"]),
    "wrong types half-way down": (words_half_way_down, ["visits", "row 201", "'many'"]),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_bad_rows_are_refused_by_name(name: str, shop: Terminal) -> None:
    spoil, words = BAD_ROWS[name]
    rows = customers(400, seed=22)
    spoil(rows)
    write(shop.folder / "bad.csv", rows)
    told = shop.refused("data", "add", "bad", "bad.csv", *ROLES)
    assert all(word in told for word in words), told
    hinted(told)
    assert "bad" not in {item["name"] for item in shop.json("data", "list")}


BAD_FILES: dict[str, tuple[bytes, str]] = {
    "an empty file": (b"", "empty"),
    "a header alone": (b"customer,age,churned\n", "no row"),
    "a binary file named .csv": (random.Random(1).randbytes(5000), "binary"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_refused_by_name(name: str, shop: Terminal) -> None:
    content, word = BAD_FILES[name]
    (shop.folder / "bad.csv").write_bytes(content)
    told = shop.refused("data", "add", "bad", "bad.csv", *ROLES)
    assert word in told
    assert "bad.csv" in told
    hinted(told)
    assert "bad" not in {item["name"] for item in shop.json("data", "list")}


def test_unknown_columns_name_the_nearest(shop: Terminal) -> None:
    told = shop.refused("data", "add", "bad", "good.csv", "--target", "churnd")
    assert "'churnd'" in told
    assert "'churned'" in told
    told = shop.refused("train", "shop", "--target", "churnd")
    assert "'churnd'" in told
    told = shop.refused("demo", "--data", "good.csv", "--target", "churnd")
    assert "'churnd'" in told
    told = shop.refused("sql", "select chrned from shop")
    assert "chrned" in told
    assert "shop" not in {item["name"] for item in shop.json("model", "list")}


def test_what_is_not_there_is_named_with_the_way_on(shop: Terminal) -> None:
    for words in (
        ("data", "add", "bad", "missing.csv"),
        ("data", "show", "shpo"),
        ("train", "shpo", "--target", TARGET),
        ("deploy", "shop@champion", "--endpoint", "shop"),
        ("endpoint", "rollback", "shop"),
        ("pipeline", "run", "classifikation"),
        ("model", "show", "shop@7"),
        ("lineage", "trace", "prediction:nothing"),
        ("demo", "--data", "missing.csv", "--target", TARGET),
        ("demo", "--data", "good.csv"),
        ("dta", "list"),
    ):
        hinted(shop.refused(*words))


@pytest.fixture(scope="module")
def gappy(shop: Terminal) -> dict[str, Any]:
    """The dataset version, the training and the deployment of rows with a column of nothing."""
    rows = customers(400, seed=23)
    empty_column(rows)
    write(shop.folder / "gappy.csv", rows)
    return {
        "version": shop.json("data", "add", "gappy", "gappy.csv", *ROLES),
        "trained": shop.json("train", "gappy", *ROLES),
        "deployed": shop.json("deploy", "gappy@champion", "--endpoint", "gappy"),
    }


def test_a_column_without_any_value_is_left_out_aloud(gappy: dict[str, Any]) -> None:
    assert gappy["version"]["left_out"] == {"spend": "It is missing in every row."}
    assert gappy["trained"]["result"]["registered"]
    columns = gappy["deployed"]["deployment"]["signature"]["columns"]
    assert {column["name"] for column in columns} == {"age", "visits", "plan", "city"}


@pytest.mark.usefixtures("gappy")
def test_a_training_whose_model_the_gate_refuses_has_an_exit_code_of_its_own(
    shop: Terminal,
) -> None:
    again = shop.run("train", "gappy", *ROLES)
    assert again.returncode == 4, again.stderr
    assert "Nothing was registered." in again.stdout


def test_wrong_requests_get_a_clear_answer(shop: Terminal, gappy: dict[str, Any]) -> None:
    url = shop.json("endpoint", "show", "gappy")["url"]
    row = asked(customers(1, seed=25))[0]
    until("the endpoint", lambda: post(url, {"records": [row]})[0] == 200)
    bodies: list[Any] = [
        {"records": [{"age": 3}]},
        {"records": [row | {"age": "old"}]},
        {"records": row},
        {"rows": [row]},
        [],
    ]
    for body in bodies:
        status, told = post(url, body)
        assert 400 <= status < 500, body
        assert told["message"], body
    assert post(url.replace("gappy", "gapy"), {"records": [row]})[0] == 404
    assert predict(url, [row])


def hinted(told: str) -> None:
    """What happened stands on the first line, what to do on the next."""
    lines = [line for line in told.splitlines() if line.strip()]
    assert len(lines) >= 2, told


def test_a_port_in_use_and_a_second_server_are_told(shop: Terminal, terminal: Terminal) -> None:
    port = shop.about()["url"].rpartition(":")[2]
    told = terminal.refused("up", "--detach", "--port", port)
    assert port in told
    assert "another" in told or "in use" in told, told
    told = shop.refused("up", "--port", 0)
    assert shop.about()["url"] in told
    assert "athanor down" in told


def test_a_dead_servers_number_that_is_anothers_by_now_misleads_nobody(terminal: Terminal) -> None:
    terminal.up()
    about = terminal.about()
    terminal.kill()
    (terminal.workspace / "server.json").write_text(json.dumps(about | {"pid": os.getpid()}))
    assert terminal.json("data", "list") == []
    assert terminal.up()["pid"] != os.getpid()


def test_a_newer_workspace_is_refused_untouched(terminal: Terminal) -> None:
    write(terminal.folder / "few.csv", customers(40, seed=2))
    terminal.says("data", "add", "few", "few.csv")
    with closing(sqlite3.connect(terminal.workspace / "athanor.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
        before = list(database.iterdump())
    for words in (("up", "--port", 0), ("up", "--detach", "--port", 0), ("data", "list")):
        assert "newer Athanor" in terminal.refused(*words)
    with closing(sqlite3.connect(terminal.workspace / "athanor.db")) as database:
        assert list(database.iterdump()) == before


DYING = """
import os
import signal
from pathlib import Path

from athanor import pipeline, step


@step
def fragile(place: str, deaths: int) -> int:
    died = Path(place) / f"died{deaths}"
    with died.open("a") as stream:
        stream.write("x")
    if died.stat().st_size <= deaths:
        os.kill(os.getpid(), signal.SIGKILL)
    return 42


@pipeline
def dying(place: str, deaths: int) -> int:
    return fragile(place, deaths)
"""


def test_a_killed_worker_costs_nothing_and_one_that_always_dies_is_named(shop: Terminal) -> None:
    (shop.folder / "dying.py").write_text(DYING)
    given = ("pipeline", "run", "dying.py", "--param", f"place={shop.folder}", "--param")
    once = shop.json(*given, "deaths=1")
    assert (once["state"], once["outputs"]) == ("SUCCEEDED", {"Output": 42})
    told = shop.refused(*given, "deaths=1000")
    assert "SIGKILL" in told, told
    assert "memory" in told, told
    failed = shop.json("pipeline", "list", "--pipeline", "dying")[0]
    assert failed["state"] == "failed"


# --- kill -9 of the server in the middle of the pipeline ----------------------------------------

CLASSIFY = (
    *("pipeline", "run", "classification", "--no-cache", "--artifact", "data=dataset:shop@1"),
    *("--param", f"target={TARGET}", "--param", f"id={ID}"),
)


def digests(terminal: Terminal, run: str) -> dict[str, Any]:
    """By task, what it made: the artifacts' digests, and parameters."""
    shown = terminal.json("pipeline", "show", run)
    assert shown["state"] == "done", shown["error"]
    return {
        task["name"]: {
            name: value["digest"] if isinstance(value, dict) and "digest" in value else value
            for name, value in task["outputs"].items()
            if name not in {"version", "reference"}  # the registry counts on
        }
        for task in shown["tasks"]
    }


def finished(terminal: Terminal, run: str) -> dict[str, tuple[Any, ...]]:
    """The tasks that are done, each with its attempt and its times."""
    return {
        task["name"]: (task["attempt"], task["started_at"], task["ended_at"])
        for task in terminal.json("pipeline", "show", run)["tasks"]
        if task["state"] == "done"
    }


@pytest.fixture(scope="module")
def undisturbed(shop: Terminal) -> tuple[dict[str, Any], float]:
    """What the pipeline makes when nobody disturbs it, and how many seconds it takes."""
    began = time.monotonic()
    run = shop.json(*CLASSIFY, "--param", "name=undisturbed")
    return digests(shop, run["run"]), time.monotonic() - began


def disturbed(terminal: Terminal, name: str, moments: list[float]) -> dict[str, Any]:
    """The same, where the server is killed after each of `moments` seconds and started again."""
    run = terminal.json(*CLASSIFY, "--param", f"name={name}", "--no-wait")["run"]
    for moment in moments:
        time.sleep(moment)
        before = finished(terminal, run)
        terminal.kill()
        terminal.up()
        after = finished(terminal, run)
        assert {key: after.get(key) for key in before} == before
    until(
        "the end of the run",
        lambda: terminal.get(f"/pipelines/runs/{run}")["state"] not in {"waiting", "running"},
    )
    return digests(terminal, run)


def test_a_killed_server_goes_on_where_it_was(
    shop: Terminal, undisturbed: tuple[dict[str, Any], float]
) -> None:
    expected, seconds = undisturbed
    source = random.Random(8)
    moments = [source.uniform(0.05, 0.45) * seconds for _ in range(3)]
    made = disturbed(shop, "undisturbed", moments)
    made_by_task = {task: outputs for task, outputs in made.items() if task != "model-register"}
    assert made_by_task == {t: o for t, o in expected.items() if t != "model-register"}
    versions = shop.json("model", "show", "undisturbed")["versions"]
    assert sorted(item["number"] for item in versions) == [1, 2]
    assert len({item["digest"] for item in versions}) == 1


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_killed_server_goes_on_ten_times(
    shop: Terminal, undisturbed: tuple[dict[str, Any], float]
) -> None:
    expected, seconds = undisturbed
    for seed in range(10):
        moment = random.Random(seed).uniform(0.0, seconds)
        made = disturbed(shop, f"soak-{seed}", [moment])
        for task, outputs in expected.items():
            if task != "model-register":
                assert made[task] == outputs, (seed, task)
        assert len(shop.json("model", "show", f"soak-{seed}")["versions"]) == 1


# --- a full disk --------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 96 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(place)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def filled(place: Path, left: int) -> Path:
    """Fill a disk but for `left` bytes."""
    ballast = place / "ballast"
    with ballast.open("wb") as stream:
        while (free := free_bytes(place)) > left:
            try:
                stream.write(b"\0" * min(1 << 20, free - left))
                stream.flush()
            except OSError:
                break
    return ballast


def free_bytes(place: Path) -> int:
    found = shutil.disk_usage(place)
    return int(found.free)


@pytest.mark.parametrize("reserve", [60, 0])
def test_a_full_disk_refuses_writes_and_goes_on_with_reads(small_disk: Path, reserve: int) -> None:
    terminal = Terminal(small_disk, {"ATHANOR_RESERVE_MB": str(reserve)})
    write(small_disk / "good.csv", customers(400, seed=31))
    write(small_disk / "more.csv", customers(20_000, seed=32, first_id=1000))
    try:
        terminal.up()
        terminal.says("data", "add", "shop", "good.csv", *ROLES)
        terminal.says("train", "shop", *ROLES)
        url = terminal.json("deploy", "shop@champion", "--endpoint", "shop")["url"]
        rows = asked(customers(3, seed=33))
        before = [item["label"] for item in predict(url, rows)]
        ballast = filled(small_disk, (reserve - 10) * 1_000_000 if reserve else 0)
        time.sleep(1.1)  # free space is looked at once a second
        for words in (("data", "add", "shop", "more.csv", "--append"), ("run", "more.py")):
            (small_disk / "more.py").touch()
            told = terminal.refused(*words)
            assert "free" in told or "full" in told, told
            assert "athanor clean" in told or "space" in told, told
        status, ready = look(f"{terminal.about()['url']}/readyz")
        if reserve:
            assert (status, ready["status"]) == (503, "not ready")
            assert "free" in ready["reason"], ready
        # Reads, and, above nothing at all, predictions go on.
        assert terminal.json("data", "show", "shop")["version"]["number"] == 1
        assert terminal.json("sql", "select count(*) as n from shop")["rows"] == [{"n": 400}]
        status, answer = post(url, {"records": rows})
        if reserve:
            assert [item["label"] for item in answer["predictions"]] == before
        else:
            assert status in {200, 503, 507}, answer
        ballast.unlink()
        until("room again", lambda: terminal.run("data", "show", "shop").returncode == 0)
        time.sleep(1.1)
        assert [item["label"] for item in predict(url, rows)] == before
        added = terminal.json("data", "add", "shop", "more.csv", "--append")
        assert (added["state"], added["number"], added["rows"]) == ("ready", 2, 20_400)
        assert live(terminal.json("endpoint", "show", "shop"))["version"] == 1
    finally:
        terminal.down()
