"""The other products that tests and benchmarks compare with, each in an environment of its own.

    make peers NAMES="feast dvc"        (or NAMES=all)

They go to `.venvs/NAME`; what is there already is left alone. MLflow, which most comparisons need,
has a lock of its own and comes with `make peers` alone.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / ".venvs"
_TABLES = ("pandas", "scikit-learn", "lightgbm", "xgboost-cpu")
"""What the served models of the benchmark are made of."""
PACKAGES: dict[str, tuple[str, ...]] = {
    # data and features
    "dvc": ("dvc",),
    "ydata": ("ydata-profiling", "pyarrow", "setuptools<81"),
    "feast": ("feast[duckdb]",),
    # pipelines
    "kfp": ("kfp", "pandas", "scikit-learn"),
    "airflow": ("apache-airflow", "kfp"),
    "metaflow": ("metaflow",),
    "prefect": ("prefect", "fastapi<0.140"),  # it gives FastAPI words that newer ones refuse
    "dagster": ("dagster",),
    # serving
    "bentoml": ("bentoml", *_TABLES),
    "fastapi": ("fastapi", "uvicorn[standard]", *_TABLES),
    "litserve": ("litserve", *_TABLES),
    "mlserver": ("mlserver", "setuptools<81", *_TABLES),
    "ray": ("ray[serve]", *_TABLES),
    "triton": ("tritonclient[all]", "kserve"),
    # tracking, and models of other flavours
    "tensorboard": ("tensorboard",),
    "flavours": ("mlflow-skinny", "pandas", "statsmodels"),
    "flavour-torch": ("mlflow-skinny", "pandas", "torch==2.13.0"),
    "flavour-tensorflow": ("mlflow-skinny", "pandas", "tensorflow-cpu"),
    "mlflow-pytorch": ("mlflow==3.17.2", "torch==2.13.0", "lightning", "tensorboard"),
    "mlflow-keras": ("mlflow==3.17.2", "tensorflow-cpu", "tensorboard"),
}
_BY_PIP = ("flavour-torch", "mlflow-pytorch")
"""Those whose right build pip finds, where uv would take the one for graphics cards."""


def prepare(name: str) -> bool:
    """Make one environment where there is none yet; False where that does not work."""
    python = PLACE / name / "bin" / "python"
    if python.exists():
        return True
    uv = str(Path(sys.executable).with_name("uv"))
    made = [uv, "venv", "--quiet", "--python", sys.executable, str(PLACE / name)]
    if name in _BY_PIP:
        subprocess.run([*made, "--seed"], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", *PACKAGES[name]]
    else:
        subprocess.run(made, check=True)
        install = [uv, "pip", "install", "--quiet", "--python", str(python), *PACKAGES[name]]
    if subprocess.run(install, check=False).returncode == 0:
        return True
    shutil.rmtree(PLACE / name)
    return False


if __name__ == "__main__":
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("names", nargs="+", metavar="NAME", help=f"all, {', '.join(PACKAGES)}")
    asked = words.parse_args().names
    if asked == ["all"]:
        asked = list(PACKAGES)
    if unknown := sorted({*asked} - {*PACKAGES}):
        words.error(f"no such environment: {', '.join(unknown)}; there are {', '.join(PACKAGES)}")
    lacking = []
    for one in asked:
        print(f"{one}: {', '.join(PACKAGES[one])}", flush=True)
        if not prepare(one):
            lacking.append(one)
    if lacking:
        sys.exit(f"These could not be installed: {', '.join(lacking)}.")
