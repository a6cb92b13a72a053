"""What the README's five commands cost: from an empty folder and one's own CSV to a prediction.

    python benchmarks/first_model.py [--rows 2000]

CPU seconds, user and system, of everything: the commands, the server, and every process that it
starts. The commands run with compiled bytecode, as an installation by pip has it.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from measures.processes import cpu_of, cpu_of_children, tree

LIMIT_CPU_SECONDS = 20.0
_ATHANOR = str(Path(sys.executable).with_name("athanor"))


def main() -> int:
    """Measure, tell; 1 when over the limit."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(description="Measure the way to a first served model.")
    parser.add_argument("--rows", type=int, default=2000)
    rows = parser.parse_args().rows
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ATHANOR_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    # Once to write the bytecode, once to measure.
    _five_commands(environment, 400)
    figures = _five_commands(environment, rows)
    figures["limit_cpu_seconds"] = LIMIT_CPU_SECONDS
    print(json.dumps(figures, indent=2))
    return int(figures["cpu_seconds"] > LIMIT_CPU_SECONDS)


def _five_commands(environment: dict[str, str], rows: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="athanor-first-") as name:
        folder = Path(name)
        _write_customers(folder / "customers.csv", rows)
        began, before = time.monotonic(), cpu_of_children()
        server_seconds, parts = 0.0, {}
        try:
            for words in (
                "up --detach --port 0",
                "data add customers customers.csv --target churned",
                "train customers --target churned",
                "deploy customers --endpoint customers",
            ):
                at = cpu_of_children()
                _call(words.split(), folder, environment)
                parts[f"{words.split()[0]}_command_cpu_seconds"] = round(cpu_of_children() - at, 2)
            about = json.loads((folder / ".athanor" / "server.json").read_text())
            score = _predict(f"{about['serving_url']}/endpoints/customers/predict")
            server_seconds = sum(map(cpu_of, tree(about["pid"])))
        finally:
            _call(["down"], folder, environment)
        return parts | {
            "server_tree_cpu_seconds": round(server_seconds, 2),
            "cpu_seconds": round(cpu_of_children() - before + server_seconds, 2),
            "wall_seconds": round(time.monotonic() - began, 2),
            "score": score,
        }


def _write_customers(path: Path, rows: int) -> None:
    chance = random.Random(7)
    lines = ["age,visits,plan,spent,churned"]
    for _ in range(rows):
        age, visits = chance.randint(18, 80), chance.randint(0, 30)
        plan, spent = chance.choice(("basic", "plus", "pro")), round(chance.lognormvariate(3, 1), 2)
        leaves = chance.random() < 1 / (1 + 2.718 ** (visits / 4 - age / 40))
        lines.append(f"{age},{visits},{plan},{spent},{'yes' if leaves else 'no'}")
    path.write_text("\n".join(lines) + "\n")


def _call(words: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [_ATHANOR, *words], check=False, cwd=folder, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"athanor {' '.join(words)} failed: {done.stderr}{done.stdout}")


def _predict(url: str) -> float:
    record = {"age": 44, "visits": 3, "plan": "basic", "spent": 20.5}
    request = urllib.request.Request(  # noqa: S310 - loopback
        url, json.dumps({"records": [record]}).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
        return float(json.load(answer)["predictions"][0]["score"])


if __name__ == "__main__":
    sys.exit(main())
