"""MLflow's own client does its day's work on our server, unchanged, and gets MLflow's answers."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from athanor.testing.database import Postgres
from athanor.testing.server import running_server
from tests.mlflow.differential.asks import Side
from tests.mlflow.differential.compared import compared, replayed
from tests.mlflow.differential.episodes import Episode

ROOT = Path(__file__).parents[2]
# Each chapter of a heavy framework has an interpreter of its own.
PYTHON = {
    "": ROOT / ".venvs" / "mlflow" / "bin" / "python",
    "pytorch": ROOT / ".venvs" / "mlflow-pytorch" / "bin" / "python",
    "keras": ROOT / ".venvs" / "mlflow-keras" / "bin" / "python",
}
_NEEDS = {
    "": "MLflow and what it logs: make peers",
    "pytorch": "mlflow, torch and tensorboard",
    "keras": "mlflow, tensorflow-cpu and tensorboard",
}
PROMISED = 150  # assertions
ANSWERED = Path(__file__).parent / "differential" / "answered"
RECORDED, EPISODES = 60, 100

Answers = dict[tuple[str, str, int], dict[str, Any]]


def _python(chapters: str) -> Path:
    python = PYTHON[chapters]
    if not python.exists():
        place = python.parents[1].relative_to(ROOT)
        pytest.skip(f"no {place} here, which holds {_NEEDS[chapters]}")
    return python


def play(url: str, folder: Path, chapters: str = "") -> Answers:
    """Play the scenario against a server; its entries by chapter, question and count."""
    out = folder / "answers.json"
    ended = subprocess.run(
        [
            *(str(_python(chapters)), "-m", "tests.mlflow.scenario", url, "--out", str(out)),
            *(["--chapters", chapters] if chapters else []),
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert out.exists(), ended.stdout + ended.stderr
    answers: Answers = {}
    for entry in json.loads(out.read_text(encoding="utf-8")):
        count = sum(1 for key in answers if key[:2] == (entry["chapter"], entry["what"]))
        answers[entry["chapter"], entry["what"], count] = entry
    return answers


def wrong(answers: Answers) -> list[str]:
    return [
        f"{chapter}: {what}: {str(entry['seen'])[-500:]}, not {entry['expected']}"
        for (chapter, what, _), entry in answers.items()
        if not entry["right"]
    ]


@contextmanager
def our_server(kind: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server of our own on a database of this kind, with nothing in it."""
    env = {}
    if kind == "postgres":
        postgres: Postgres = request.getfixturevalue("postgres")
        env["ATHANOR_DATABASE_URL"] = postgres.create(f"{folder.name}_scenario"[:60])
    with running_server(folder, env=env) as running:
        yield running.url


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Of the database."""
    return str(request.param)


@pytest.fixture(scope="module")
def server(
    kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a server of our own that every test uses, on each database."""
    with our_server(kind, tmp_path_factory.mktemp(kind), request) as url:
        yield url


@contextmanager
def mlflow_server(folder: Path, store: str = "") -> Iterator[str]:
    """MLflow's own server, with its defaults on SQLite or a store of your own.

    Webhooks may reach this machine.
    """
    python = _python("")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [
                *(str(python), "-m", "mlflow", "server", "--host", "127.0.0.1"),
                *("--port", str(port), "--workers", "1"),
                *("--backend-store-uri", store or f"sqlite:///{folder / 'mlflow.db'}"),
                *("--artifacts-destination", str(folder / "artifacts")),
            ],
            env=os.environ
            | {
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
                "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
                "MLFLOW_WEBHOOK_CACHE_TTL": "0",
            },
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _wait_for(f"{url}/health", server)
            yield url
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait()


def _wait_for(url: str, server: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 240
    while server.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - http://127.0.0.1 above
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail("mlflow server did not come up")


@pytest.mark.timeout(900)
def test_every_answer_is_right(server: str, tmp_path: Path) -> None:
    answers = play(server, tmp_path)
    assert wrong(answers) == []
    assert len(answers) >= PROMISED


@pytest.mark.parametrize("framework", ["pytorch", "keras"])
@pytest.mark.timeout(600)
def test_heavy_frameworks_are_logged_too(server: str, tmp_path: Path, framework: str) -> None:
    assert wrong(play(server, tmp_path, framework)) == []


@pytest.fixture
def store(kind: str, request: pytest.FixtureRequest) -> str:
    """Where MLflow's own server keeps its records: the same kind of database as ours."""
    if kind != "postgres":
        return ""
    _needs_driver()
    postgres: Postgres = request.getfixturevalue("postgres")
    plain = postgres.create(f"mlflow_{request.node.function.__name__}"[:60])
    return "postgresql+psycopg2" + plain[plain.index(":") :]


def _needs_driver() -> None:
    asked = [str(_python("")), "-c", "import psycopg2"]
    if subprocess.run(asked, check=False, capture_output=True).returncode:
        pytest.skip("psycopg2 is not in .venvs/mlflow, and MLflow reaches Postgres through it")


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_mlflow_s_own_server_gives_the_same_answers(
    kind: str, store: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "ours").mkdir()
    with mlflow_server(tmp_path / "mlflow", store) as url:
        theirs = play(url, tmp_path / "mlflow")
    assert wrong(theirs) == []
    # A play leaves its experiments and models behind, and a second one would find them.
    with our_server(kind, tmp_path / "ours", request) as url:
        ours = play(url, tmp_path)
    assert {key: entry["seen"] for key, entry in ours.items()} == {
        key: entry["seen"] for key, entry in theirs.items()
    }


@pytest.mark.parametrize("seed", ["13", "15", "17"])
def test_random_requests_are_answered_as_mlflow_answered_them(server: str, seed: str) -> None:
    with closing(Side(server)) as ours:
        told = list(replayed(ours, Episode(seed, RECORDED), ANSWERED / f"{seed}.jsonl"))
    assert [found.line() for found in told if found is not None] == []
    assert len(told) > RECORDED


@pytest.mark.soak
@pytest.mark.timeout(3000)
def test_random_requests_are_answered_as_mlflow_answers_them(
    server: str, store: str, tmp_path: Path
) -> None:
    (tmp_path / "mlflow").mkdir()
    with (
        mlflow_server(tmp_path / "mlflow", store) as url,
        closing(Side(server)) as ours,
        closing(Side(url)) as theirs,
    ):
        told = [
            found
            for number in range(EPISODES)
            for found in compared(ours, theirs, Episode(f"full.{number}", 60))
        ]
    assert [found.line() for found in told if found is not None] == []
    assert len(told) > EPISODES * 20
