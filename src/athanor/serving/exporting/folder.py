"""Writing the folder that serves one deployment without the platform."""

import re
import shutil
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import msgspec

from athanor.registry import read_description
from athanor.serving.exporting.closure import Closure, closure_of, pinned, root
from athanor.serving.standalone.settings import DESCRIPTION, Bundle

_SERVER = "athanor.serving.standalone.server"
_WORKER = "athanor.serving.standalone.worker"
_ENSEMBLE = "athanor.serving.runtimes.ensemble"
_NATIVE = (
    "athanor.serving.runtimes.native",
    "athanor.serving.runtimes.encoding",
    "athanor.serving.runtimes.foreign",
)
"""What a model's worker loads by name; a user's own Python alone does without."""
_CODE, _AROUND = "code.json", "model"
"""In a model folder: what a user's own Python is, and the model that it stands around."""
_MLFLOW = ("mlflow", "mlflow-skinny")
_PYTHON, _LEAST_MINOR = "3.11", 11
"""What a container has where its model asks for no other; older ones can't run us."""
_ASKED = re.compile(r"^python: *['\"]?3\.(\d+)", re.MULTILINE)
_UNNEEDED = ("pip", "setuptools", "wheel")

_SERVE = '''\
"""Serves this folder's model: python serve.py [--host HOST] [--port PORT] [--help]"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "lib"))

if sys.version_info < (3, 11):
    sys.exit("This folder needs Python 3.11 or newer.")

if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        from athanor.serving.standalone import worker

        worker.main(HERE, sys.argv[2], pickles="--pickles" in sys.argv)
    else:
        try:
            from athanor.serving.standalone import server
        except ModuleNotFoundError as error:
            sys.exit(f"{error.name} is not installed: pip install -r requirements.txt")
        server.main(HERE, sys.argv[1:], os.environ)
'''

_DOCKERFILE = """\
FROM python:{python}-slim

LABEL org.opencontainers.image.title="{title}" \\
      com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 HOST=0.0.0.0

WORKDIR /app
{system}COPY requirements.txt .
RUN pip install -r requirements.txt
COPY . .
RUN useradd --system --uid 1000 --no-create-home athanor
USER 1000

EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \\
  CMD ["python", "-c", "import os, urllib.request as u; \\
p = os.environ.get('AIP_HTTP_PORT') or os.environ.get('SAGEMAKER_BIND_TO_PORT') or \\
os.environ.get('PORT') or '8080'; u.urlopen('http://127.0.0.1:' + p + '/ping')"]
ENTRYPOINT ["python", "serve.py"]
CMD ["serve"]
"""
_OPENMP = """\
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 \\
    && rm -rf /var/lib/apt/lists/*
"""
_IGNORED = "__pycache__\n*.pyc\n.venv\npredictions\n.git\nDockerfile\n"


def write(
    target: Path, bundle: Bundle, *, model: Path, runtime: Path | None, container: bool = False
) -> list[str]:
    """Write the folder; returns what it needs to be installed.

    Args:
        target: is made.
        bundle: what it serves.
        model: the model's folder; copied where workers load it, its example alone otherwise.
        runtime: the folder of the compiled model, or None where workers answer.
        container: whether a Dockerfile is written, too.
    """
    target.mkdir(parents=True, exist_ok=True)
    roots = [_SERVER]
    if runtime is None:
        roots += [_WORKER] if _is_code_alone(model) else [_WORKER, *_NATIVE]
    if bundle.runtime not in {"native", "folded"}:
        roots.append(_ENSEMBLE)
    closure = closure_of(roots)
    _copy_modules(closure, target / "lib")
    shutil.copytree(model, target / "model")
    if runtime is not None:
        shutil.copytree(runtime, target / "runtime")
    needed = _requirements(closure, model if runtime is None else None)
    (target / "requirements.txt").write_text("\n".join(needed) + "\n", "utf-8")
    (target / DESCRIPTION).write_bytes(msgspec.json.format(msgspec.json.encode(bundle), indent=2))
    (target / "serve.py").write_text(_SERVE, "utf-8")
    (target / "README.md").write_text(_readme(bundle, container=container), "utf-8")
    _copy_licence(target)
    if container:
        title = f"{bundle.model}@{bundle.version}"
        system = _OPENMP if _wants_openmp(needed) else ""
        python = _python_of(model) if runtime is None else _PYTHON
        text = _DOCKERFILE.format(python=python, title=title, system=system)
        (target / "Dockerfile").write_text(text, "utf-8")
        (target / ".dockerignore").write_text(_IGNORED, "utf-8")
    return needed


def _python_of(model: Path) -> str:
    """The Python that a model's folder asks for, as 3.12: what one wrote another may not read."""
    path = model / "python_env.yaml"
    told = _ASKED.search(path.read_text("utf-8")) if path.is_file() else None
    return f"3.{told[1]}" if told and int(told[1]) >= _LEAST_MINOR else _PYTHON


def _is_code_alone(model: Path) -> bool:
    """Whether a model folder holds a user's own Python, around no model."""
    return (model / _CODE).is_file() and not (model / _AROUND).is_dir()


def _copy_modules(closure: Closure, lib: Path) -> None:
    for file in closure.files:
        place = lib / file
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root() / file, place)


def _requirements(closure: Closure, model: Path | None) -> list[str]:
    """The server's libraries as they are here; for a native model its own pins, which win."""
    ours = {_name(line): line for line in pinned(closure.foreign)}
    if model is not None and (model / "requirements.txt").is_file():
        # What we don't load ourselves, MLflow's own loader does.
        ours_to_load = read_description(model).flavor == "sklearn"
        for line in (model / "requirements.txt").read_text("utf-8").splitlines():
            pin = _pin(line)
            if pin and not (ours_to_load and _name(pin) in _MLFLOW):
                ours[_name(pin)] = pin
    return sorted(ours.values())


def _pin(line: str) -> str:
    """A requirement of a model that is to be installed, or ""."""
    told = line.partition("#")[0].strip()
    return "" if told.startswith("-") or _name(told) in _UNNEEDED else told


def _name(requirement: str) -> str:
    bare = requirement
    for mark in ("==", ">=", "<=", "~=", "!=", "<", ">", "[", ";", " ", "@"):
        bare = bare.partition(mark)[0]
    return bare.strip().lower().replace("_", "-")


def _wants_openmp(needed: Iterable[str]) -> bool:
    return bool({_name(line) for line in needed} & {"lightgbm", "xgboost", "xgboost-cpu"})


def _copy_licence(target: Path) -> None:
    """Our licence goes with our code."""
    try:
        files = metadata.files("athanor-ml") or []
    except metadata.PackageNotFoundError:
        files = []
    found = [Path(str(item.locate())) for item in files if item.name == "LICENSE"]
    found.append(root().parent / "LICENSE")
    for path in found:
        if path.is_file():
            shutil.copyfile(path, target / "LICENSE")
            return


def _readme(bundle: Bundle, *, container: bool) -> str:
    name = bundle.endpoint
    built = f"""
## As a container

    docker build -t {name}:{bundle.number} .
    docker run -p 8080:8080 {name}:{bundle.number}

The same image runs on Vertex AI (it heeds `AIP_HTTP_PORT`, `AIP_HEALTH_ROUTE`,
`AIP_PREDICT_ROUTE`) and on SageMaker (`serve`, port 8080 or `SAGEMAKER_BIND_TO_PORT`, `/ping`,
`/invocations`).
"""
    return f"""\
# {bundle.model}@{bundle.version}

    python -m venv .venv && .venv/bin/pip install -r requirements.txt
    .venv/bin/python serve.py --port 8080

| address | protocol |
|---|---|
| POST /endpoints/{name}/predict | {{"records": [{{...}}]}}, Vertex' {{"instances": [...]}} |
| POST /invocations | MLflow's scoring server, SageMaker |
| /v2/... | Open Inference Protocol |
| GET /ping, /healthz, /metrics | health, Prometheus |

`ATHANOR_TOKEN` demands a bearer token, `ATHANOR_PREDICTIONS=FOLDER` keeps a prediction log,
`--workers N` runs a native model in N processes.
{built if container else ""}"""
