"""What a default install weighs: packages and megabytes, in an environment made for it.

    python benchmarks/install.py

The weight is the sum of the sizes of the files that the packages bring, in megabytes of 10^6
bytes. Left out are pip, which every environment has, and compiled bytecode, which is made on the
spot; the latter's weight, and the whole in the megabytes of `du -m`, are told beside it.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

PACKAGES_LIMIT = 90
MEGABYTES_LIMIT = 900

ROOT = Path(__file__).resolve().parents[1]
_NOT_OURS = {"pip", "setuptools", "wheel"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """What one package brings."""

    bytes: int
    """The sum of its files' sizes."""
    on_disk: int
    """The bytes of the blocks that they take."""


def main() -> int:
    """Install, weigh, tell; 1 when over a limit."""
    with tempfile.TemporaryDirectory(prefix="athanor-install-") as folder:
        environment = Path(folder) / "environment"
        _install(environment)
        site = next(environment.glob("lib/python3*/site-packages"))
        found = {
            found.name: _weight(found)
            for found in distributions(path=[str(site)])
            if found.name not in _NOT_OURS
        }
        subprocess.run(
            [sys.executable, "-m", "compileall", "-q", "-j", "0", str(site)],
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        compiled = sum(file.stat().st_size for file in site.rglob("*.pyc"))
    megabytes = sum(weight.bytes for weight in found.values()) / 1e6
    heaviest = sorted(found.items(), key=lambda item: -item[1].bytes)
    over = len(found) > PACKAGES_LIMIT or megabytes > MEGABYTES_LIMIT
    print(
        json.dumps(
            {
                "packages": len(found),
                "packages_limit": PACKAGES_LIMIT,
                "megabytes": round(megabytes, 1),
                "megabytes_limit": MEGABYTES_LIMIT,
                "bytecode_megabytes": round(compiled / 1e6, 1),
                "as_du_counts": round(sum(w.on_disk for w in found.values()) / 2**20, 1),
                "heaviest": {name: round(weight.bytes / 1e6, 1) for name, weight in heaviest[:12]},
                "within_limits": not over,
            },
            indent=2,
        )
    )
    return int(over)


def _install(environment: Path) -> None:
    uv = [sys.executable, "-m", "uv"]
    install = [*uv, "pip", "install", "--quiet", "--python", str(environment / "bin" / "python")]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    locked = ROOT / "requirements" / "default.txt"
    subprocess.run([*install, "--require-hashes", "-r", locked], check=True)
    subprocess.run([*install, "--no-deps", ROOT], check=True)


def _weight(distribution: Distribution) -> Weight:
    paths = (Path(str(distribution.locate_file(file))) for file in distribution.files or [])
    files = [path.stat() for path in paths if path.is_file() and path.suffix != ".pyc"]
    return Weight(
        bytes=sum(file.st_size for file in files),
        on_disk=sum(file.st_blocks * 512 for file in files),
    )


if __name__ == "__main__":
    sys.exit(main())
