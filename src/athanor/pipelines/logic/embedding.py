"""How a plain function rides in a component of the specification.

As with Kubeflow's lightweight components, the source is the last word of the command and the
function's name an argument; what the engine needs beyond that is one JSON argument more.
"""

import json
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import PurePath
from typing import Any

import msgspec

from athanor.pipelines.ir.spec import ContainerSpec

OPERATION_IMAGE = "athanor/operation"
OPERATION_COMMAND = "athanor-operation"
_SETTINGS = "--athanor_step"


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """A function with all that it needs to run elsewhere."""

    function: str
    """Its name in the source."""
    source: str
    """The part of its file that it uses."""
    file: str = ""
    """Where the source came from, for messages."""
    lines: list[tuple[int, int]] = field(default_factory=list)
    """Pairs (line in the source, line in the file), one per block."""
    modules: dict[str, str] = field(default_factory=dict)
    """The author's own modules that it imports: relative path to text."""
    outputs: list[str] = field(default_factory=list)
    """Names of the parts of what it returns; empty when it returns one value."""
    seed: int = 0
    """What random number generators start from."""
    threads: int = 1
    """How many threads numeric libraries may use."""
    timeout: float = 0.0
    """Seconds until it is stopped; 0 is no limit."""
    packages: list[str] = field(default_factory=list)
    """What it wants installed, as pip names it; it then runs in an environment of its own."""


def embed(embedded: Embedded, *, bootstrap: str = "", image: str = "") -> ContainerSpec:
    """The container that stands for a function.

    `bootstrap` is the shell text that runs it where there is nothing of ours.
    """
    settings = asdict(embedded)
    source, function = settings.pop("source"), settings.pop("function")
    if not settings["packages"]:
        del settings["packages"]
    return ContainerSpec(
        image=image or f"python:{sys.version_info.major}.{sys.version_info.minor}",
        command=["sh", "-ec", bootstrap, source],
        args=[
            "--executor_input",
            "{{$}}",
            "--function_to_execute",
            function,
            _SETTINGS,
            json.dumps(settings, sort_keys=True),
        ],
    )


def read_embedded(container: ContainerSpec) -> Embedded | None:
    """The function in a container, or None when the container is something else."""
    arguments = _arguments(container.args)
    settings = arguments.get(_SETTINGS)
    if settings is None or not container.command:
        return None
    try:
        data: dict[str, Any] = json.loads(settings)
        data |= {
            "function": arguments.get("--function_to_execute", ""),
            "source": container.command[-1],
        }
        return msgspec.convert(data, Embedded)
    except (ValueError, TypeError):
        return None


def with_timeout(container: ContainerSpec, seconds: float) -> ContainerSpec:
    """The container of a function with another time limit; any other one as it is."""
    embedded = read_embedded(container)
    if embedded is None:
        return container
    changed = replace(embedded, timeout=seconds)
    return embed(changed, bootstrap=container.command[2], image=container.image)


def with_bare_file(container: ContainerSpec) -> ContainerSpec:
    """The container of a function whose file is known by its name alone; any other one as it is."""
    embedded = read_embedded(container)
    if embedded is None or not embedded.file:
        return container
    place = container.args.index(_SETTINGS) + 1
    settings = json.loads(container.args[place])
    settings["file"] = PurePath(embedded.file).name
    args = [*container.args]
    args[place] = json.dumps(settings, sort_keys=True)
    return msgspec.structs.replace(container, args=args)


def operation_container(name: str) -> ContainerSpec:
    """The container that stands for a platform operation."""
    return ContainerSpec(image=OPERATION_IMAGE, command=[OPERATION_COMMAND, name])


def read_operation(container: ContainerSpec) -> str | None:
    """The platform operation that a container stands for, or None."""
    if container.image == OPERATION_IMAGE and container.command[:1] == [OPERATION_COMMAND]:
        return container.command[1] if len(container.command) > 1 else ""
    return None


def _arguments(args: list[str]) -> dict[str, str]:
    return dict(zip(args[::2], args[1::2], strict=False))
