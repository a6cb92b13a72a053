"""A model card: what a version is, in Markdown, filled from the registry and the lineage.

Its sections follow Mitchell et al. (2019), "Model cards for model reporting", as far as the
platform knows the facts; what it can't know is said to be unknown.
"""

from collections.abc import Sequence

from athanor.lineage import Node
from athanor.registry.types import Model, ModelVersion

_SHOWN_COLUMNS = 60
_UNKNOWN = """\
## What is not known

Intended use, users and limits are not recorded: write them down before it decides about people."""


def compose(model: Model, version: ModelVersion, ancestors: Sequence[Node]) -> str:
    """The card's text; `ancestors` is all that the version came from, nearest first."""
    aliases = f" ({', '.join(version.aliases)})" if version.aliases else ""
    parts = [
        f"# {version.model}, version {version.number}{aliases}",
        _about(model, version),
        "## How good it is\n\n" + _quality(version),
        "## What it reads\n\n" + _columns(version),
        "## Where it comes from\n\n" + _origin(ancestors),
        _UNKNOWN,
    ]
    return "\n\n".join(parts) + "\n"


def _about(model: Model, version: ModelVersion) -> str:
    said = version.signature
    task = {"binary": "two classes", "multiclass": f"{len(said.classes)} classes"}
    lines = [
        f"- Predicts: {said.target or 'unknown'} ({task.get(said.task, said.task or 'unknown')})",
        f"- Classes: {', '.join(str(label) for label in said.classes) or 'none'}"
        + (f"; score: probability of {said.positive}" if said.positive is not None else ""),
        f"- Format: MLflow model folder, {version.flavor} by skops; {version.size:,} bytes",
        f"- Digest: {version.digest}",
        f"- Registered: {version.created_at:%Y-%m-%d %H:%M} UTC by {version.created_by}",
        f"- Project: {model.project}",
    ]
    return "\n".join(lines)


def _quality(version: ModelVersion) -> str:
    rows = [f"| {name} | {value:.4f} |" for name, value in sorted(version.metrics.items())]
    table = "\n".join(["| metric | value |", "|---|---|", *rows]) if rows else "No metrics."
    if version.verdict is None:
        return f"{table}\n\nNo gate was asked."
    outcome = "passed" if version.verdict.passed else "not passed"
    return f"{table}\n\nGate {version.verdict.gate!r} {outcome}: {version.verdict.reason}"


def _columns(version: ModelVersion) -> str:
    inputs = version.signature.inputs
    if not inputs:
        return "The model does not tell."
    lines = [
        f"- {column.name}: {column.type}{'' if column.required else ', may be missing'}"
        for column in inputs[:_SHOWN_COLUMNS]
    ]
    if len(inputs) > _SHOWN_COLUMNS:
        lines.append(f"- and {len(inputs) - _SHOWN_COLUMNS} more")
    return "\n".join(lines)


def _origin(ancestors: Sequence[Node]) -> str:
    lines = [
        f"- {node.type} {node.name} ({node.digest[:19] if node.digest else node.id})"
        for node in ancestors
    ]
    return "\n".join(lines) or "Nothing is recorded."
