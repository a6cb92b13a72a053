"""A real server: its doors, its health, its end, and what it survives."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from athanor.lineage import NewRun, RunFilter
from athanor.testing.server import RunningServer, ServerFailed, running_server, start_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("served") / "workspace") as running:
        yield running


def fetch(
    url: str, headers: dict[str, str] | None = None, data: bytes | None = None
) -> tuple[int, Any]:
    request = urllib.request.Request(url, headers=headers or {}, data=data)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def command(*args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "athanor.app.cli", *args],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=120,
    )


def test_it_is_healthy_and_tells_its_metrics(server: RunningServer) -> None:
    assert fetch(f"{server.url}/healthz")[0] == 200
    assert json.loads(fetch(f"{server.url}/readyz")[1])["status"] == "ready"
    assert b"athanor_http_requests_total" in fetch(f"{server.url}/metrics")[1]
    assert json.loads(fetch(f"{server.url}/openapi.json")[1])["openapi"].startswith("3.1")


def test_every_operation_declares_the_form_in_which_it_fails(server: RunningServer) -> None:
    told = json.loads(fetch(f"{server.url}/openapi.json")[1])
    operations = [each for methods in told["paths"].values() for each in methods.values()]
    declared = [each["responses"]["default"]["content"]["application/json"] for each in operations]
    form = told["components"]["schemas"]["Failure"]
    for path in ("/api/v1/runs/none", "/api/v1/runs?limit=many"):
        failure = json.loads(fetch(f"{server.url}{path}")[1])
        assert jsonschema_rs.is_valid(form, failure)
        assert set(failure) == set(form["properties"])
    assert {each["schema"]["$ref"] for each in declared} == {"#/components/schemas/Failure"}
    assert not any("422" in each["responses"] for each in operations)


def test_the_workspace_and_its_token_are_the_owners_alone(server: RunningServer) -> None:
    assert server.workspace.stat().st_mode & 0o777 == 0o700
    assert (server.workspace / "server.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
def test_foreign_names_and_pages_stay_out(server: RunningServer, headers: dict[str, str]) -> None:
    status, body = fetch(f"{server.url}/api/v1/runs", headers)
    assert status == 403
    assert json.loads(body)["hint"]


def test_nothing_there_and_nonsense_get_a_clear_answer(server: RunningServer) -> None:
    for path, data, expected in (
        ("/api/v1/nothing", None, 404),
        ("/api/v1/runs/abc", None, 404),
        ("/api/v1/runs", b"{nonsense", 400),
        ("/api/v1/runs?limit=x", None, 400),
        ("/api/v1/lineage/nothing", None, 404),
        ("/api/v1/lineage/what:ever", None, 400),
    ):
        headers = {"Content-Type": "application/json"} if data else {}
        status, body = fetch(server.url + path, headers, data)
        told = json.loads(body)
        assert (status, bool(told["message"])) == (expected, True), path
        assert told["hint"], path


def test_a_method_that_a_path_lacks_is_refused_with_those_that_it_takes(
    server: RunningServer,
) -> None:
    asked = urllib.request.Request(f"{server.url}/api/v1/experiments", method="DELETE")  # noqa: S310
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked, timeout=60)  # noqa: S310 - loopback
    assert refused.value.code == 405
    assert refused.value.headers["Allow"] == "POST"
    assert "POST" in json.loads(refused.value.read())["hint"]


def test_events_arrive_live(server: RunningServer) -> None:
    client = server.client()
    seen: list[bytes] = []
    opened = threading.Event()

    def listen() -> None:
        with urllib.request.urlopen(f"{server.url}/api/v1/events/stream", timeout=30) as stream:  # noqa: S310
            for line in stream:
                opened.set()
                seen.append(line)
                if line.startswith(b"event: lineage.run.finished"):
                    return

    listener = threading.Thread(target=listen)
    listener.start()
    assert opened.wait(20)
    run = client.runs.start_run(NewRun(kind="script", name="live"))
    client.runs.finish_run(run.id)
    listener.join(20)
    assert any(line.startswith(b"event: lineage.run.started") for line in seen)
    assert not listener.is_alive()


def test_a_second_server_and_a_taken_port_are_told(server: RunningServer, tmp_path: Path) -> None:
    second = command("up", "--workspace", str(server.workspace), "--port", "0")
    assert second.returncode == 1
    assert server.url in second.stderr
    port = server.url.rpartition(":")[2]
    taken = command("up", "--workspace", str(tmp_path / "other"), "--port", port)
    assert taken.returncode == 1
    assert "Can't listen" in taken.stderr
    assert f"athanor down --workspace {server.workspace}" in taken.stderr
    assert "Traceback" not in taken.stderr + second.stderr


def test_commands_find_the_server(server: RunningServer) -> None:
    found = json.loads(command("status", "--json", "--workspace", str(server.workspace)).stdout)
    assert found["workspace"] == str(server.workspace)
    assert (found["url"], found["ready"]) == (server.url, True)


def test_sigterm_ends_it_cleanly_and_leaves_no_process(tmp_path: Path) -> None:
    server = start_server(tmp_path / "workspace")
    family = children_of(server.process.pid)
    assert server.stop() == 0
    assert not (server.workspace / "server.json").exists()
    wait_until_gone(family)


def test_kill_9_leaves_no_process_and_the_next_start_goes_on(tmp_path: Path) -> None:
    server = start_server(tmp_path / "workspace")
    client = server.client()
    made = [client.runs.start_run(NewRun(kind="script", name=f"r{n}")) for n in range(20)]
    family = children_of(server.process.pid)
    server.kill()
    wait_until_gone(family)
    with running_server(tmp_path / "workspace") as again:
        found = again.client().runs.runs(RunFilter(kind="script"))
        assert {run.id for run in found} == {run.id for run in made}


def test_a_workspace_of_a_newer_release_is_refused_untouched(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    with running_server(workspace):
        pass
    with closing(sqlite3.connect(workspace / "athanor.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
        before = list(database.iterdump())
    with pytest.raises(ServerFailed) as refused:
        start_server(workspace)
    assert "newer Athanor" in str(refused.value)
    assert "Traceback" not in str(refused.value)
    with closing(sqlite3.connect(workspace / "athanor.db")) as database:
        assert list(database.iterdump()) == before


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "athanor.toml").write_text("prot = 1\n")
    told = command("up", "--workspace", str(workspace))
    assert told.returncode == 1
    assert "'prot'" in told.stderr
    assert "'port'" in told.stderr


def test_without_a_server_commands_work_in_process(tmp_path: Path) -> None:
    told = command("sql", "select 1 as n", "--json", cwd=tmp_path)
    assert (told.returncode, told.stderr) == (0, "")
    assert json.loads(told.stdout)["rows"] == [{"n": 1}]
    assert (tmp_path / ".athanor" / "athanor.db").exists()


def children_of(pid: int) -> set[int]:
    found = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], check=False, capture_output=True, text=True
    )
    direct = {int(line) for line in found.stdout.split()}
    return direct.union(*(children_of(child) for child in direct)) if direct else set()


def wait_until_gone(pids: set[int], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while left := {pid for pid in pids if alive(pid)}:
        assert time.monotonic() < deadline, f"still alive: {left}"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False
