"""Cache keys: what a task's outputs depend on, and the words for what changed.

A key is the digest of its parts: the component's code, each input artifact by content, each
parameter, the environment, and the interface of the outputs. Two tasks with equal keys do equal
work, whoever ran them, and when.
"""

import json
from collections.abc import Mapping
from typing import Any

from athanor.pipelines.ir.spec import ComponentOutputs, ComponentSpec, ContainerSpec
from athanor.pipelines.ir.text import plain
from athanor.pipelines.logic.code import code_digest, digest_of
from athanor.pipelines.logic.embedding import read_embedded
from athanor.pipelines.logic.values import shown

FORMAT = 1
"""Raised when the meaning of the parts changes: older entries are then never met."""


def key_parts(
    component: ComponentSpec,
    container: ContainerSpec,
    parameters: Mapping[str, Any],
    digests: Mapping[str, list[str]],
    environment: Mapping[str, str],
) -> dict[str, str]:
    """What a task depends on, as flat texts: `{"component": ..., "parameter x": ...}`.

    `digests` are those of the input artifacts; `environment` names the interpreter and libraries
    with their versions.
    """
    outputs = component.output_definitions or ComponentOutputs()
    parts = {
        "format": str(FORMAT),
        "component": component_digest(container),
        "outputs": digest_of(_text(plain(outputs))),
    }
    parts |= input_parts(parameters, digests)
    parts |= {f"environment {name}": value for name, value in environment.items()}
    return dict(sorted(parts.items()))


def input_parts(parameters: Mapping[str, Any], digests: Mapping[str, list[str]]) -> dict[str, str]:
    """The parts that are of one task alone: its inputs."""
    parts = {f"parameter {name}": _text(value) for name, value in parameters.items()}
    return parts | {f"artifact {name}": ",".join(items) for name, items in digests.items()}


def cache_key(parts: Mapping[str, str]) -> str:
    """The digest of all parts."""
    return digest_of(_text(dict(parts)))


def named_key(label: str, key: str) -> dict[str, str]:
    """The parts of a task whose cache key its author chose: the component's label and that key."""
    return {"format": str(FORMAT), "component": label, "cache key": key}


def component_digest(container: ContainerSpec) -> str:
    """The identity of a component's code: a step's source normalised, a command as it is."""
    embedded = read_embedded(container)
    if embedded is None:
        return digest_of(_text(plain(container)))
    modules = {name: code_digest(text) for name, text in embedded.modules.items()}
    settings = [embedded.function, embedded.seed, embedded.threads, container.image]
    env = {item.name: item.value for item in container.env}
    return digest_of(_text([code_digest(embedded.source), modules, settings, env]))


def explain(now: Mapping[str, str], before: Mapping[str, str] | None) -> list[str]:
    """Sentences that say how a key differs from an earlier one; none when they are equal."""
    if before is None:
        return ["no earlier run of this task with a key to compare with"]
    sentences = []
    for part in sorted({*now, *before}):
        new, old = now.get(part), before.get(part)
        if new == old:
            continue
        if old is None:
            sentences.append(f"{part} is new: {_short(new)}")
        elif new is None:
            sentences.append(f"{part} is gone: it was {_short(old)}")
        else:
            sentences.append(f"{part} changed: {_short(old)} -> {_short(new)}")
    return sentences


def _short(value: str | None) -> str:
    text = str(value)
    return text[:19] + "..." if text.startswith("sha256:") else text[:80]


# Made once: `dumps` makes one for each value.
_encoder = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=shown
)


def _text(value: Any) -> str:
    return _encoder.encode(value)
