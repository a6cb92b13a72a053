"""Runs every benchmark of this folder, one after the other, and says which kept its promise.

python benchmarks/run.py [NAME ...]
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(names: list[str]) -> int:
    """Run; 1 when one of them did not keep its promise."""
    scripts = sorted(file for file in HERE.glob("*.py") if file.stem != "run")
    chosen = [file for file in scripts if not names or file.stem in names]
    kept = {}
    for script in chosen:
        print(f"== {script.stem}", flush=True)
        kept[script.stem] = subprocess.run([sys.executable, script], check=False).returncode == 0
    for name, fine in kept.items():
        print(f"{name}: {'kept' if fine else 'NOT KEPT'}")
    return int(not all(kept.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
