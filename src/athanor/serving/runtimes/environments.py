"""Where a model's own library is.

In this process, in an interpreter that is there, or in an environment that uv makes of its pins.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from athanor.kernel.environments import environment_with

OFFERED = "ATHANOR_MODEL_PYTHONS"
"""Interpreters that are tried before an environment is made, parted as in PATH."""
_PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*(?:==\s*([^\s;,]+)|([^;#]*))")
_HINT = f"See its requirements.txt. Interpreters that have what it needs may be named in {OFFERED}."
_LOOSE = frozenset({"mlflow", "mlflow-skinny", "cffi", "defusedxml", "pip", "setuptools", "wheel"})
"""What any near version of serves: MLflow reads the folders of others."""
_ALIASES = {"xgboost": "xgboost-cpu", "tensorflow": "tensorflow-cpu", "mlflow": "mlflow-skinny"}
_ASK = (
    "import json,sys;from importlib.metadata import distributions as d;"
    "print(json.dumps([list(sys.version_info[:2]),"
    "{(x.metadata['Name'] or '').lower().replace('_','-'):x.version for x in d()}]))"
)


def pins_of(folder: Path) -> dict[str, str]:
    """What the model's requirements ask for: distribution to version.

    Where any version will do it is "", and where it is a range, the range: only an environment of
    its own is sure to suit that.
    """
    found = (_PIN.match(line) for line in _lines_of(folder))
    return {_canonical(match[1]): (match[2] or match[3]).strip() for match in found if match}


def here(pins: Mapping[str, str]) -> bool:
    """Whether this process has what the pins ask for."""
    return bool(pins) and all(
        _suits(name, wanted, _installed(name)) for name, wanted in pins.items()
    )


def python_for(folder: Path, cache: Path) -> Path:
    """An interpreter with what a model needs; its environment is made if there is none.

    Raises: NoEnvironment.
    """
    pins = pins_of(folder)
    for offered in filter(None, os.environ.get(OFFERED, "").split(os.pathsep)):
        if _serves(Path(offered), pins):
            return Path(offered)
    return environment_with(cache, _wanted(folder), whose="a model with these pins", hint=_HINT)


def search_path(cache: Path) -> str:
    """A folder that holds our package alone (and msgspec), for another interpreter's PYTHONPATH."""
    place = cache / "worker"
    place.mkdir(parents=True, exist_ok=True)
    for name, source in (
        ("athanor", Path(__file__).parents[2]),
        ("msgspec", Path(msgspec.__file__).parent),
    ):
        link = place / name
        if not link.is_symlink() or link.resolve() != source.resolve():
            passing = place / f".{name}-{os.getpid()}"
            passing.unlink(missing_ok=True)
            passing.symlink_to(source)
            passing.replace(link)
    return str(place)


def _lines_of(folder: Path) -> list[str]:
    try:
        text = (folder / "requirements.txt").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    lines = [line.strip() for line in text.splitlines()]
    # An option (an index, another file) in a stranger's requirements is not ours to follow.
    return [line for line in lines if line and not line.startswith(("#", "-"))]


def _wanted(folder: Path) -> list[str]:
    """The model's requirements; MLflow's small distribution in place of the whole."""
    kept = [
        re.sub(r"^mlflow(?=\s*(==|>=|<=|~=|!=|<|>|;|$))", "mlflow-skinny", line)
        for line in _lines_of(folder)
    ]
    alone = (folder / "code.json").is_file() and not (folder / "model").is_dir()
    if not alone and not any(line.startswith("mlflow") for line in kept):
        kept.append(f"mlflow-skinny=={_installed('mlflow-skinny')}")
    return [*kept, "numpy", "pandas", "msgspec"]


def _serves(python: Path, pins: Mapping[str, str]) -> bool:
    try:
        told = subprocess.run(
            [str(python), "-c", _ASK], check=True, capture_output=True, text=True, timeout=60
        )
        version_info, installed = json.loads(told.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return False
    if tuple(version_info) != sys.version_info[:2]:
        return False
    return all(
        _suits(name, wanted, installed.get(name, installed.get(_ALIASES.get(name, ""), "")))
        for name, wanted in pins.items()
    )


def _installed(name: str) -> str:
    for known in (name, _ALIASES.get(name)):
        try:
            if known:
                return version(known)
        except PackageNotFoundError:
            continue
    return ""


def _suits(name: str, wanted: str, found: str) -> bool:
    """Whether a version is near enough: the same up to its second number."""
    if not found:
        return name in {"cffi", "defusedxml", "pip", "setuptools", "wheel"}
    if name in _LOOSE or not wanted:
        return True
    return _near(found) == _near(wanted)


def _near(number: str) -> list[str]:
    return number.partition("+")[0].split(".")[:2]


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
