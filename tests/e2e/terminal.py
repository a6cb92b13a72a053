"""A terminal of a test's own: public commands in a folder, and HTTP requests; nothing else."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

PATIENCE_SECONDS = 170.0
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Terminal:
    """Commands run in `folder`, on the workspace that is there (`.athanor`)."""

    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def workspace(self) -> Path:
        return self.folder / ".athanor"

    def run(
        self, *args: object, env: Mapping[str, str] | None = None, seconds: float = PATIENCE_SECONDS
    ) -> "subprocess.CompletedProcess[str]":
        """Run `athanor ARGS`, whatever comes of it; it never shows a traceback."""
        ended = subprocess.run(
            [sys.executable, "-m", "athanor.app.cli", *(str(arg) for arg in args)],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            cwd=self.folder,
            env=os.environ | {"COLUMNS": "200"} | dict(self.env) | dict(env or {}),
            timeout=seconds,
        )
        assert "Traceback" not in ended.stdout + ended.stderr, ended.stdout + ended.stderr
        return ended

    def says(self, *args: object) -> str:
        """What a command that must end well printed."""
        ended = self.run(*args)
        assert ended.returncode == 0, f"{args}: {ended.stdout}{ended.stderr}"
        return ended.stdout

    def json(self, *args: object) -> Any:
        """The same, of `athanor ARGS --json`, read."""
        return json.loads(self.says(*args, "--json"))

    def get(self, path: str) -> Any:
        """What the API says: for looks again and again, each of which would be a process."""
        url = f"{self.about()['url']}/api/v1{path}"
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - loopback
            return json.load(answer)

    def refused(self, *args: object, env: Mapping[str, str] | None = None) -> str:
        """What a command that must fail printed: what happened, and what to do next."""
        ended = self.run(*args, env=env)
        told = ended.stdout + ended.stderr
        assert ended.returncode not in {0, 70}, f"{args}: {ended.returncode} {told}"
        return told

    def up(self, *flags: object) -> dict[str, Any]:
        """Start the server behind; what it says about itself."""
        self.says("up", "--detach", "--port", 0, *flags)
        return self.about()

    def about(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.workspace / "server.json").read_text("utf-8"))
        return found

    def down(self) -> None:
        """End the server, if there is one."""
        if (self.workspace / "server.json").exists():
            self.run("down")

    def kill(self) -> None:
        """End the server as a power cut would."""
        pid = int(self.about()["pid"])
        os.kill(pid, signal.SIGKILL)
        until("the end of the server", lambda: not _alive(pid), 20)


def until(what: str, look: Callable[[], _T | None], seconds: float = PATIENCE_SECONDS) -> _T:
    """Look again and again until `look()` gives something true."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:.0f} s"
        time.sleep(0.2)
    return found


def post(url: str, body: Any) -> tuple[int, Any]:
    """Status and answer of a POST of JSON."""
    request = urllib.request.Request(  # noqa: S310 - loopback
        url, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    return _answered(request)


def look(url: str) -> tuple[int, Any]:
    """Status and answer of a GET of JSON."""
    return _answered(urllib.request.Request(url))  # noqa: S310 - loopback


def _answered(request: urllib.request.Request) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def predict(url: str, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The predictions of an endpoint, in the records' order."""
    status, answer = post(url, {"records": records})
    assert status == 200, answer
    found: list[dict[str, Any]] = answer["predictions"]
    return found


def live(endpoint: dict[str, Any]) -> dict[str, Any]:
    """The deployment that has an endpoint's traffic."""
    found: dict[str, Any] = next(d for d in endpoint["deployments"] if d["state"] == "live")
    return found


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
