"""Files of one's own that can't be run are refused by name and line."""

import io
import os
import socket
import sys
import time
from contextlib import closing, redirect_stdout
from pathlib import Path

import pytest
from typer.testing import CliRunner

from athanor.app.inprocess import InProcessTransport
from athanor.app.running import output as output_of_scripts
from athanor.app.running.commands import commands, mlflow_follows
from athanor.app.running.files import (
    FileFailed,
    NothingRuns,
    NotOfAFunction,
    NotOfAScript,
    NotPython,
    check_script,
    functions_of,
    returns_figures,
    training_pipeline,
)
from athanor.app.running.output import Output, printed
from athanor.app.running.processes import LABEL, this_process
from athanor.client import Client
from athanor.client.http import HttpTransport
from athanor.kernel import console
from athanor.kernel.settings import load_settings
from athanor.lineage import NewRun, RunFilter
from athanor.pipelines.authoring.loading import load_document
from athanor.pipelines.errors import BadPipeline


@pytest.mark.parametrize(
    "content", [b"\x1ey\x8f\n\xf4\x8c", b"def f(:\n", b"a = 1\0\n", b"# coding: nonsense\n"]
)
def test_what_is_no_python_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.py"
    path.write_bytes(content)
    with pytest.raises(NotPython, match=r"mine\.py"):
        functions_of(path)


def test_a_file_says_its_own_encoding(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_bytes("# coding: latin-1\ndef train(): return 'é'\n".encode("latin-1"))
    assert functions_of(path) == ["train"]


def test_a_file_that_only_defines_functions_names_the_way_to_run_one(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text('"""Mine."""\nimport os\ndef leave(table): return table\n')
    with pytest.raises(NothingRuns, match="nothing in it runs by itself") as told:
        check_script(path)
    assert "--function leave" in told.value.hint
    path.write_text("def leave(table): return table\nleave(1)\n")
    check_script(path)


@pytest.mark.parametrize("line", ["1 / 0", "raise SystemExit(3)", "import nowhere_at_all"])
def test_a_file_that_raises_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "raising.py"
    path.write_text(f"def train(): ...\n\n{line}\n")
    with pytest.raises(FileFailed, match=r"raising\.py, line 3"):
        training_pipeline(path, "train", model="m")
    with pytest.raises(BadPipeline, match=r"raising\.py"):
        load_document(str(path))


def test_mlflow_in_a_script_records_where_the_run_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    way = HttpTransport("http://127.0.0.1:9/", token="secret")
    with mlflow_follows(way):
        assert os.environ["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:9"
        assert os.environ["MLFLOW_TRACKING_TOKEN"] == "secret"
    assert "MLFLOW_TRACKING_URI" not in os.environ
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere")
    with mlflow_follows(way):
        assert os.environ["MLFLOW_TRACKING_URI"] == "http://elsewhere"
    way.close()


def test_a_script_that_raises_is_told_by_its_own_lines_and_the_run_by_its_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings, _ = load_settings({"workspace": tmp_path / "workspace"})
    with closing(InProcessTransport(settings)) as way:
        monkeypatch.setattr(console, "_connect", [lambda: way])
        script = tmp_path / "raising.py"
        script.write_text("print('begun')\nraise ValueError('no such column: age')\n")
        ran = CliRunner().invoke(commands, ["file", str(script)])
        (run,) = Client(way).runs.runs(RunFilter(kind="script"))
        hints = CliRunner().invoke(commands, ["hints", run.id])
        logs = CliRunner().invoke(commands, ["logs", run.id])
        other = Client(way).runs.start_run(NewRun(kind="script", name="elsewhere"))
        nothing = CliRunner().invoke(commands, ["logs", other.id])
    assert ran.exit_code == 1
    assert "raising.py" in ran.stderr
    assert "runpy" not in ran.stderr
    assert run.error == {"message": "ValueError: no such column: age"}
    assert run.error["message"] in hints.stdout
    assert logs.stdout.startswith("begun\nTraceback")
    assert "no such column: age" in logs.stdout
    assert "terminal alone had it" in nothing.stdout


def test_the_last_of_a_long_output_is_kept_from_a_lines_beginning() -> None:
    output = Output(most=10)
    for text in ("first ", "second\n", "01\n2345678", "9\nend"):
        output.add(text)
    assert output.text() == "… the first 25 characters are not kept\nend"
    assert Output().text() == ""
    output.add("a" * 30)
    assert output.text() == "… the first 48 characters are not kept\n" + "a" * 10


def test_what_is_printed_by_any_way_is_kept_and_no_stream_is_closed() -> None:
    output, shown = Output(), io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with redirect_stdout(shown), printed(output):
        print("plain", "é")
        sys.stdout.buffer.write(b"bytes \xe2\x82")
        sys.stdout.buffer.write(b"\xac\n")
        with sys.stdout as inside:
            inside.writelines(["in a with\n"])
        sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8")
        print("wrapped anew, password=hunter2")
    with redirect_stdout(shown), printed(output):
        print("detached", file=io.TextIOWrapper(sys.stdout.detach(), encoding="utf-8"))
    lines = "plain é\nbytes €\nin a with\nwrapped anew, password=hunter2\ndetached\n"
    shown.flush()
    assert shown.buffer.getvalue().decode() == lines
    assert output.text() == lines.replace("hunter2", "***")
    alone = io.StringIO()
    with redirect_stdout(alone), printed(output):
        print("no bytes below")
    assert alone.getvalue() == "no bytes below\n"


def test_a_script_that_is_ended_keeps_what_it_printed_and_one_that_is_gone_has_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings, _ = load_settings({"workspace": tmp_path / "workspace"})
    monkeypatch.setattr(output_of_scripts, "_PAUSES", (0.05, 0.05))
    with closing(InProcessTransport(settings)) as way:
        client = Client(way)
        monkeypatch.setattr(console, "_connect", [lambda: way])
        killed = client.runs.start_run(
            NewRun(
                kind="script", name="killed", labels={LABEL: f"{socket.gethostname()} {1 << 30} 1"}
            )
        )
        alive = client.runs.start_run(NewRun(kind="script", name="alive", labels=this_process()))
        logs = CliRunner().invoke(commands, ["logs", killed.id])
        script = tmp_path / "ended.py"
        script.write_text(
            "import os, time\nprint('begun')\n"
            "from tests.app.test_running_files import wait_for_output\nwait_for_output()\n"
            "print('went on')\nos.kill(os.getpid(), 15)\ntime.sleep(60)\n"
        )
        monkeypatch.setitem(sys.modules, "tests.app.test_running_files", sys.modules[__name__])
        ran = CliRunner().invoke(commands, ["file", str(script)])
        (ended,) = client.runs.runs(RunFilter(kind="script", name="ended"))
        told = CliRunner().invoke(commands, ["logs", ended.id])
        assert client.runs.run(killed.id).state == "failed"
        assert client.runs.run(alive.id).state == "running"
    assert "process is gone" in logs.stderr
    assert (ran.exit_code, ended.state) == (143, "failed")
    assert told.stdout == "begun\nwent on\n"
    assert "SIGTERM" in told.stderr


def wait_for_output() -> None:
    """Return once what the script has printed so far is with its run, while it goes."""
    client = Client(console.transport())
    (run,) = client.runs.runs(RunFilter(kind="script", name="ended"))
    deadline = time.monotonic() + 60
    while output_of_scripts._kept(client, run.id) != "begun\n":
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("body", "pair"),
    [
        ("return 1, {'auc': 0.9}", True),
        ("figures = dict(auc=1)\n    return 1, figures", True),
        ("if a:\n        return 1, {}\n    return 2, {}", True),
        ("if a:\n        return 1, {}\n    return 2", False),
        ("return 1, 0.9", False),
        ("def f():\n        return 1, {}\n    return f", False),
        ("pass", False),
    ],
)
def test_figures_beside_a_model_are_seen_without_a_hint(
    tmp_path: Path, body: str, *, pair: bool
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"def train(a=1):\n    {body}\n")
    assert returns_figures(path, "train") is pair


def test_a_script_gets_its_own_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.py"
    path.write_text("import sys\nprint('told', sys.argv[1:])\n")
    settings, _ = load_settings({"workspace": tmp_path / "workspace"})
    with closing(InProcessTransport(settings)) as way:
        monkeypatch.setattr(console, "_connect", [lambda: way])
        done = CliRunner().invoke(commands, ["file", str(path), "--", "--lr", "3"])
        assert "told ['--lr', '3']" in done.output
        for option in ("--param", "--data"):
            done = CliRunner().invoke(commands, ["file", str(path), option, "lr=3"])
            assert isinstance(done.exception, NotOfAScript)
            assert "-- --lr 3" in done.exception.hint
        path.write_text("def train(lr=1): ...\n")
        done = CliRunner().invoke(commands, ["file", str(path), "--", "--lr", "3"])
        assert isinstance(done.exception, NotOfAFunction)
