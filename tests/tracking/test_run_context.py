"""A real MLflow client beside which athanor-ml is installed says what code it runs."""

import os
import subprocess
import sys
from pathlib import Path

from athanor.testing.server import running_server

CLIENT = """
import time, mlflow
with mlflow.start_run() as run:
    mlflow.log_metric("loss", 0.5)
began = time.perf_counter()
with mlflow.start_run():
    pass
print(run.info.run_id)
"""
ENTRY_POINT = """\
[mlflow.run_context_provider]
athanor = athanor.tracking.run_context:RunContext
"""


def client(folder: Path, url: str, **environ: str) -> str:
    """Run the client; its first run's id."""
    # As an installation would, and whether or not there is one.
    about = folder / "installed" / "athanor_ml-0.1.0.dist-info"
    about.mkdir(parents=True, exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: athanor-ml\nVersion: 0.1.0\n")
    (about / "entry_points.txt").write_text(ENTRY_POINT)
    done = subprocess.run(
        [sys.executable, "train.py", "--rate", "0.1", "--token", "abcdef123456"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"MLFLOW_TRACKING_URI": url, "PYTHONPATH": str(about.parent)} | environ,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


def test_a_client_tells_its_code_and_environment(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "train.py").write_text(CLIENT)
    for arguments in (
        ("init", "-q", "-b", "trunk"),
        ("add", "."),
        ("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "-m", "first"),
    ):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    (folder / "train.py").write_text(CLIENT + "\n# changed\n")
    with running_server(tmp_path / "workspace") as server:
        run = server.client().runs.run(client(folder, server.url))
        assert run.code["told_by"] == "athanor"
        assert len(run.code["commit"]) == 40
        assert run.code["branch"] == "trunk"
        assert "+# changed" in run.code["diff"]
        assert run.code["entry_point"] == str(folder / "train.py")
        assert run.code["arguments"] == ["--rate", "0.1", "--token", "***"]
        assert any(line.startswith("mlflow-skinny==") for line in run.environment["packages"])
        assert run.environment["cores"] >= 1
        bare = server.client().runs.run(client(folder, server.url, ATHANOR_RUN_CONTEXT="0"))
        assert bare.code["told_by"] == "mlflow"
        assert bare.code["entry_point"].endswith("train.py")
        assert bare.environment == {}
        shown = subprocess.run(
            [sys.executable, "-m", "athanor.app.cli", "run", "show", bare.id],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"ATHANOR_WORKSPACE": str(server.workspace), "COLUMNS": "200"},
        )
        assert "install athanor-ml" in shown.stdout
