"""Python environments: made once by uv for equal wishes, and used again by steps and models."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from athanor.kernel.errors import Unprocessable

_READY = ".ready"
_LINES = 6


class NoEnvironment(Unprocessable):
    """The Python environment that a step or a model wants can't be made."""

    def __init__(self, whose: str, reason: str, *, hint: str = "") -> None:
        super().__init__(
            f"The environment of {whose} can't be made: {reason[:1000]}",
            hint=hint or "See that the packages exist and that the package index can be reached.",
        )


def environment_with(
    folder: Path,
    packages: Sequence[str],
    options: Sequence[str] = (),
    *,
    whose: str,
    hint: str = "",
) -> Path:
    """The Python of an environment that has these packages, made if it is not there.

    `options` are pip's for indexes; `whose` it is and the `hint` stand in the error. Two who want
    the same one wait for each other. Raises: NoEnvironment.
    """
    wish = json.dumps([sys.version_info[:3], list(packages), list(options)])
    place = folder / sha256(wish.encode()).hexdigest()[:24]
    with _made_once(place) as there:
        try:
            if not there:
                _uv("venv", "--quiet", "--python", sys.executable, str(place))
            if packages and not there:
                python = str(place / "bin" / "python")
                _uv("pip", "install", "--python", python, *options, *packages)
        except OSError as error:
            raise NoEnvironment(whose, str(error), hint=hint) from error
    return place / "bin" / "python3"


def bare_python(folder: Path) -> Path:
    """A Python with its own pip and nothing else, for commands that were written for a container.

    Raises: NoEnvironment.
    """
    place = folder / f"bare-{sys.version_info.major}.{sys.version_info.minor}"
    with _made_once(place) as there:
        if not there:
            try:
                venv.create(place, with_pip=True)
            except (OSError, subprocess.CalledProcessError) as error:
                raise NoEnvironment("a command", str(error)) from error
            if (bash := shutil.which("bash")) is not None:
                # What images call `sh` mostly knows more than a plain one does.
                (place / "bin" / "sh").symlink_to(bash)
    return place / "bin" / "python3"


@contextmanager
def _made_once(place: Path) -> Iterator[bool]:
    """Whether a folder is there whole; who is told no makes it, and the others wait for him."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_suffix(".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        there = (place / _READY).exists()
        if not there:
            shutil.rmtree(place, ignore_errors=True)
        yield there
        (place / _READY).touch()


def _uv(*words: str) -> None:
    """Have uv do something; what it says goes to the log. Raises: OSError with its last lines."""
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv) if uv.exists() else "uv", *words]
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    except OSError as error:
        raise OSError(f"uv can't be started: {error}") from error
    sys.stdout.write(done.stdout + done.stderr)
    if done.returncode:
        raise OSError(" ".join(done.stderr.strip().splitlines()[-_LINES:]))
