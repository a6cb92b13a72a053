"""What this process runs: its code, its interpreter and packages, its machine.

Runs keep it, so that a result can be made again. It is cheap and safe to ask for in anybody's
process: the standard library alone, at most `SECONDS` altogether, never an exception, no
environment variables, secrets masked. What could not be found out is left out.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from athanor.kernel.redaction import MASK, redact

SECONDS = 2.0
"""How long git and nvidia-smi may take together; a slow checkout costs that once a minute."""
DIFF_CHARACTERS = 64_000
"""As much of the uncommitted changes is kept; their digest is that of a megabyte at most."""
_DIFF_BYTES = 1 << 20
_ARGUMENT_CHARACTERS = 2_000
_FRESH_SECONDS = 60.0
_GIT = (
    *("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"),
    *("-c", "core.quotePath=false", "-c", "diff.noprefix=false"),
)
_NAMED_SO = r"(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key|credentials?)"
_COUNTED = r"(?![\w.\-]*tokens?[\w.\-]*[\"']?\s*[:=]\s*[\d.,]+(?:[\s;/)}\]]|$))"
"""Tokens that a model reads are counted, and no secret."""
_ASSIGNED = re.compile(
    rf"(?i)(?<![\w.\-]){_COUNTED}([\w.\-]*{_NAMED_SO}[\w.\-]*[\"']?\s*[:=]\s*)([\"']?)[^\s\"',;]{{4,}}"
)
_SECRET_FLAG = re.compile(rf"(?i)^-{{1,2}}[\w\-]*{_NAMED_SO}[\w\-]*$")
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_PACKAGE = re.compile(r"^(?P<name>.+?)-(?P<version>[^-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info$")

Facts = dict[str, Any]


def code(folder: Path | None = None) -> Facts:
    """The code of this process: what was started, with which arguments, from which commit.

    Keys, each only where it is known: `entry_point`, `digest` (of its file), `arguments`,
    `commit`, `branch`, `remote`, `dirty`, `diff`, `diff_digest`, `diff_cut`, `untracked`,
    `incomplete`. `folder` is where to look for the checkout instead of beside the entry point.
    """
    return _kept(f"code {folder or ''}", lambda: _entry() | _checkout(folder))


def environment() -> Facts:
    """The interpreter, the installed packages and the machine of this process.

    Keys: `python`, `implementation`, `platform`, `packages` (sorted `name==version`),
    `packages_digest` (of these lines), `cpu`, `cores`, `memory_bytes`, `gpus`.
    """
    return _kept("environment", _environment)


def environment_in_brief() -> Facts:
    """The same without the list of packages: its digest stays."""
    return {name: value for name, value in environment().items() if name != "packages"}


def _kept(name: str, find: Callable[[], Facts]) -> Facts:
    with _lock:
        found = _cache.get(name)
        if found is None or time.monotonic() - found[0] > _FRESH_SECONDS:
            found = _cache[name] = (time.monotonic(), _safely(find))
        return dict(found[1])


_lock = threading.Lock()
_cache: dict[str, tuple[float, Facts]] = {}


def _safely(find: Callable[[], Facts]) -> Facts:
    try:
        return find()
    except Exception as error:  # noqa: BLE001 - a run goes on without these facts
        return {"incomplete": f"{type(error).__name__}: {error}"[:200]}


def _entry() -> Facts:
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    file = _main_file()
    found: Facts = {}
    if "ipykernel" in sys.modules:
        found["entry_point"] = os.environ.get("JPY_SESSION_NAME") or "notebook"
    elif spec is not None and spec.name:
        found["entry_point"] = f"python -m {spec.name.removesuffix('.__main__')}"
    elif file is not None:
        found["entry_point"] = str(file)
    if file is not None and "ipykernel" not in sys.modules:
        found["digest"] = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
        found["arguments"] = masked_arguments(sys.argv[1:])
    return {name: value for name, value in found.items() if value}


def _main_file() -> Path | None:
    """The file that the interpreter was started with."""
    file = getattr(sys.modules.get("__main__"), "__file__", None) or (sys.argv[:1] or [""])[0]
    path = Path(file).absolute() if file else None
    return path if path is not None and path.is_file() else None


def masked_arguments(arguments: Sequence[str]) -> list[str]:
    """Arguments without secrets, the first 2,000 characters of them."""
    kept, left, hide = [], _ARGUMENT_CHARACTERS, False
    for argument in arguments:
        shown = MASK if hide else masked_text(argument)
        hide = bool(_SECRET_FLAG.match(argument))
        if len(shown) > left:
            kept.append(shown[:left] + " ...")
            break
        kept.append(shown)
        left -= len(shown)
    return kept


def masked_text(text: str) -> str:
    """Text with secrets masked: by their form, and behind a name such as `api_key =`."""
    return _ASSIGNED.sub(rf"\1\2{MASK}", str(redact(text)))


def _checkout(folder: Path | None) -> Facts:
    """The Git checkout of the entry point; of the working folder where an installed one runs."""
    git = shutil.which("git")
    if git is None:
        return {}
    deadline = time.monotonic() + SECONDS
    main = _main_file()
    place = folder or (main.parent if main and not _is_library(main.parent) else Path.cwd())
    said = _asked(place, deadline, "rev-parse", "--show-toplevel", "HEAD")
    lines = said.splitlines() if said else []
    return _commit(Path(lines[0]), lines[1], deadline) if len(lines) == 2 else {}


def _is_library(place: Path) -> bool:
    """Whether programs there are installed ones, such as pytest's or Jupyter's."""
    return "site-packages" in place.parts or place.is_relative_to(sys.prefix)


def _commit(top: Path, commit: str, deadline: float) -> Facts:
    found: Facts = {"commit": commit}
    branch = _asked(top, deadline, "symbolic-ref", "--quiet", "--short", "HEAD")
    if branch:
        found["branch"] = branch.strip()
    remote = _asked(top, deadline, "config", "--get", "remote.origin.url")
    if remote:
        found["remote"] = _CREDENTIALS.sub("", remote.strip())
    options = ("--no-ext-diff", "--no-textconv", "--no-color", "--submodule=short")
    diff = _asked(top, deadline, "diff", *options, "HEAD")
    others = _asked(top, deadline, "ls-files", "--others", "--exclude-standard", "*.py", "*.ipynb")
    if diff is None or others is None:
        return found | {"incomplete": f"git took longer than {SECONDS:.0f} s"}
    untracked = others.splitlines()
    found["dirty"] = bool(diff or untracked)
    if untracked:
        found["untracked"] = untracked[:50]
    if diff:
        digest = hashlib.sha256(diff.encode("utf-8", "surrogateescape")).hexdigest()
        shown = masked_text(diff.encode("utf-8", "replace").decode("utf-8"))
        found["diff"] = shown[:DIFF_CHARACTERS]
        found["diff_digest"] = f"sha256:{digest}"
        found["diff_cut"] = len(shown) > DIFF_CHARACTERS or len(diff) >= _DIFF_BYTES
    return found


def _asked(place: Path, deadline: float, *arguments: str) -> str | None:
    """What git says, a megabyte at most; "" where it refuses, None where it took too long."""
    left = deadline - time.monotonic()
    if left <= 0:
        return None
    environ = os.environ | {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    child = subprocess.Popen(
        [*_GIT, "-C", str(place), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environ,
    )
    timer = threading.Timer(left, child.kill)
    timer.start()
    try:
        with child:
            if child.stdout is None:
                return None
            said = child.stdout.read(_DIFF_BYTES)
            cut = len(said) >= _DIFF_BYTES
            if cut:
                child.kill()
    finally:
        timer.cancel()
    if child.returncode < 0 and not cut:
        return None
    return said.decode("utf-8", "surrogateescape") if child.returncode == 0 or cut else ""


def _environment() -> Facts:
    packages = installed()
    digest = hashlib.sha256("\n".join(packages).encode()).hexdigest()
    found: Facts = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "packages": packages,
        "packages_digest": f"sha256:{digest}",
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_bytes": _memory(),
        "gpus": _gpus(),
    }
    return {name: value for name, value in found.items() if value}


def installed(paths: Iterable[str] | None = None) -> list[str]:
    """The installed packages, `name==version`, by name: from the names of their folders.

    What stands first on the import path counts, as in an import.
    """
    found: dict[str, str] = {}
    for place in sys.path if paths is None else paths:
        try:
            names = sorted(path.name for path in Path(place or ".").iterdir())
        except OSError:
            continue
        for name in names:
            match = _PACKAGE.match(name)
            if match:
                key = re.sub(r"[-_.]+", "-", match["name"]).lower()
                found.setdefault(key, match["version"])
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def _cpu() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.lower().startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0


@cache
def _gpus() -> list[Facts]:
    """The graphics processors, as nvidia-smi knows them."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    fields = "name,memory.total,driver_version"
    try:
        said = subprocess.run(
            [program, f"--query-gpu={fields}", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return []
    rows = [[cell.strip() for cell in line.split(",")] for line in said.splitlines()]
    return [
        {
            "name": row[0],
            "memory_bytes": int(row[1]) << 20 if row[1].isdigit() else 0,
            "driver": row[2],
        }
        for row in rows
        if len(row) == 3
    ]


def as_json(value: object) -> str:
    """Facts as compact JSON text."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
