"""A step as the build context of an image: its code, its locked libraries, and a Dockerfile.

Equal steps with equal libraries give equal contexts, byte by byte; the context's digest names them.
"""

import hashlib
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Container
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from athanor.kernel.errors import nearest
from athanor.pipelines.authoring.carrying import needs_of
from athanor.pipelines.errors import BadPipeline, ImageFailed, NoImageEngine, NotSupportedYet
from athanor.pipelines.exports.package import models_package
from athanor.pipelines.exports.sources import source_of
from athanor.pipelines.ir.spec import ContainerSpec, Document
from athanor.pipelines.logic.embedding import Embedded, read_embedded

ENGINES = ("docker", "podman", "buildah")
_DOCKERFILE = """\
FROM {base}
WORKDIR /step
COPY requirements.txt ./
RUN python3 -m pip install --no-cache-dir --disable-pip-version-check -r requirements.txt
COPY . ./
ENTRYPOINT ["python3", "/step/portable.py", "--component_module_path", "/step/step.py", \
"--function_to_execute", "{function}", "--athanor_step", "@/step/settings.json"]
"""
_KINDS = {"system.Dataset": "table", "system.Model": "model"}
_MODELS = ("scikit-learn", "skops", "pandas", "pyarrow", "msgspec", "orjson", "pyyaml")
"""What reads and writes models, with what these need in turn."""
_PLAIN_NAME = re.compile(r"[a-z0-9]+(?:[._/:-]+[A-Za-z0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A build context: its files by name, and what they come to."""

    step: str
    files: dict[str, str]

    @property
    def digest(self) -> str:
        """The digest of all files, by name and content."""
        total = hashlib.sha256()
        for name, text in sorted(self.files.items()):
            for piece in (name.encode(), text.encode()):
                total.update(len(piece).to_bytes(8))
                total.update(piece)
        return f"sha256:{total.hexdigest()}"

    @property
    def tag(self) -> str:
        """What its image is called where nothing else is said."""
        return f"athanor-{self.step}:{self.digest[7:19]}"

    def write(self, folder: Path) -> None:
        """Put the files into a folder."""
        for name, text in self.files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")


def context_of(document: Document, step: str, *, base: str = "") -> Context:
    """The build context of a pipeline's step, by the name of its task or component.

    Raises: BadPipeline where there is no such step; NotSupportedYet where it is a command.
    """
    label = _label_of(document, step)
    executor = document.spec.deployment_spec.executors[label]
    kinds = {
        _KINDS.get(item.artifact_type.schema_title, "")
        for component in document.spec.components.values()
        if component.executor_label == label
        for side in (component.input_definitions, component.output_definitions)
        for item in (side.artifacts.values() if side else ())
        if item.artifact_type is not None
    }
    container = executor.container or ContainerSpec()
    return context_of_container(container, step, kinds, base=base)


def context_of_container(
    container: ContainerSpec, step: str, kinds: Container[str], *, base: str = ""
) -> Context:
    """The build context of a step's container, which takes and gives such artifacts.

    A step with models finds the part of this package in it that reads and writes them.
    Raises: NotSupportedYet where it is a command.
    """
    embedded = read_embedded(container)
    if embedded is None:
        raise NotSupportedYet(
            f"Step {step!r}", "a command of another image", "Its image is named by its component."
        )
    settings: dict[str, Any] = asdict(embedded)
    for name in ("source", "function", "file", "lines"):
        del settings[name]
    models = "model" in kinds
    packages = embedded.packages or _locked(
        [*needs_of(embedded, tables="table" in kinds), *(_MODELS if models else ())]
    )
    files = models_package() if models else {}
    files |= {
        "Dockerfile": _DOCKERFILE.format(base=base or container.image, function=embedded.function),
        "requirements.txt": "".join(f"{item}\n" for item in packages),
        "step.py": embedded.source,
        "settings.json": json.dumps(settings, sort_keys=True, indent=1) + "\n",
        "portable.py": source_of("portable"),
    }
    return Context(step=_slug(embedded), files=files)


def find_engine() -> str:
    """The program that builds images here; a client without its server is none.

    Raises: NoImageEngine.
    """
    for name in ENGINES:
        path = shutil.which(name)
        if path is None:
            continue
        asked = subprocess.run([path, "info"], check=False, capture_output=True)
        if asked.returncode == 0:
            return name
    raise NoImageEngine(ENGINES)


def build(context: Context, folder: Path, tag: str, *, push: bool) -> str:
    """Build the image, and push it if that is wanted; returns its digest.

    Raises: NoImageEngine, ImageFailed.
    """
    engine = find_engine()
    if not _PLAIN_NAME.fullmatch(tag):
        raise BadPipeline(f"{tag!r} can't name an image.", hint="Write registry/name:tag.")
    mode = ["bud"] if engine == "buildah" else ["build"]
    _run([engine, *mode, "--tag", tag, str(folder)])
    if push:
        _run([engine, "push", tag])
    words = {
        "buildah": ["inspect", "--type", "image", "--format", "{{.FromImageDigest}}", tag],
    }.get(engine, ["image", "inspect", "--format", "{{.Id}}", tag])
    return _run([engine, *words]).strip() or context.digest


def with_image(document: Document, step: str, image: str) -> Document:
    """The pipeline with this image named by its step."""
    label = _label_of(document, step)
    spec = document.spec
    executor = spec.deployment_spec.executors[label]
    container = msgspec.structs.replace(executor.container or ContainerSpec(), image=image)
    executors = dict(spec.deployment_spec.executors)
    executors[label] = msgspec.structs.replace(executor, container=container)
    deployment = msgspec.structs.replace(spec.deployment_spec, executors=executors)
    changed = msgspec.structs.replace(spec, deployment_spec=deployment)
    return msgspec.structs.replace(document, spec=changed)


def _label_of(document: Document, step: str) -> str:
    wanted = re.sub(r"[^a-z0-9]+", "-", step.lower()).strip("-")
    known: dict[str, str] = {}
    for label, component in document.spec.components.items():
        known[label.removeprefix("comp-")] = component.executor_label
        for name, task in (component.dag.tasks if component.dag else {}).items():
            known.setdefault(name, _executor_of(document, task.component_ref))
    for name, task in (document.spec.root.dag.tasks if document.spec.root.dag else {}).items():
        known[name] = _executor_of(document, task.component_ref)
    steps = {name: label for name, label in known.items() if label}
    if wanted not in steps:
        raise BadPipeline(
            f"The pipeline has no step {step!r}.",
            hint=nearest(wanted, steps) or f"It has: {', '.join(sorted(steps))}.",
        )
    return steps[wanted]


def _executor_of(document: Document, reference: Any) -> str:
    component = document.spec.components.get(reference.name if reference else "")
    return component.executor_label if component else ""


def _slug(embedded: Embedded) -> str:
    return re.sub(r"[^a-z0-9]+", "-", embedded.function.lower()).strip("-") or "step"


def _locked(packages: list[str]) -> list[str]:
    """The packages and all that they need in turn, each with its version."""
    found: dict[str, str] = {}
    waiting = [re.split(r"[\[=<>!~; ]", item, maxsplit=1)[0] for item in packages]
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found[name] = distribution.version
        for need in distribution.requires or ():
            if "extra ==" not in need and _applies(need):
                waiting += [re.split(r"[\[=<>!~;( ]", need, maxsplit=1)[0]]
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def _applies(need: str) -> bool:
    """Whether a requirement is meant for this system, as far as its platform's marks tell."""
    _, _, mark = need.partition(";")
    for word in ("win32", "Windows", "darwin", "Emscripten", "emscripten"):
        if word in mark and "!=" not in mark:
            return False
    old = re.search(r"python_version\s*<=?\s*['\"](\d+)\.(\d+)['\"]", mark)
    return old is None or sys.version_info[:2] < (int(old[1]), int(old[2]))


def _run(words: list[str]) -> str:
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ImageFailed(" ".join(words[:2]), done.stderr or done.stdout)
    return done.stdout
