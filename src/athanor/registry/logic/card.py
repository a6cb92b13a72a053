"""A model card: what a version is, in Markdown, filled from the registry and the lineage.

Its sections follow Mitchell et al. (2019), "Model cards for model reporting", as far as the
platform knows the facts; people write the others. Nothing in a card is HTML: what looks like it is
shown as text.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from athanor.lineage import Node, Run
from athanor.registry.cards import Section
from athanor.registry.protection import Judgement
from athanor.registry.scans import Scan
from athanor.registry.types import Evaluation, Model, ModelVersion

ABOUT, QUALITY, READS = "What it is", "How good it is", "What it reads"
ORIGIN, TRAINING = "Where it comes from", "How it was trained"
GATES, LOADING = "What gates said", "What loading it runs"
FILLED = (ABOUT, QUALITY, READS, ORIGIN, TRAINING, GATES, LOADING)
"""The sections that the platform fills, in their order."""
SUGGESTED = ("Intended use", "Users", "Limits", "Ethical considerations")
"""What the platform can't know, and a card should say."""
UNKNOWN = "What is not known"

_SHOWN_COLUMNS = 60
_SHOWN_PARAMS = 20
_VALUE = 80
"""Characters of a parameter that a card shows."""
_SHOWN_FINDINGS = 20
_HEADING = re.compile(r"^##[ \t]+(.+?)[ \t]*#*[ \t]*$", re.MULTILINE)
_SCRIPT = re.compile(r"(?i)(\]\(\s*|\]:\s*)((?:java|vb)script|data)\s*:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a version."""

    model: Model
    version: ModelVersion
    ancestors: Sequence[Node] = ()
    """All that it came from, nearest first."""
    run: Run | None = None
    """The run that made it."""
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    evaluation: Evaluation | None = None
    judgements: Sequence[Judgement] = ()
    scan: Scan | None = None
    sections: Sequence[Section] = ()


def compose(facts: Facts) -> str:
    """The card's text."""
    version = facts.version
    aliases = f" ({plain(', '.join(version.aliases))})" if version.aliases else ""
    written = {section.title for section in facts.sections}
    filled = {
        ABOUT: _about(facts),
        QUALITY: _quality(facts),
        READS: _columns(version),
        ORIGIN: _origin(facts),
        TRAINING: _training(facts),
        GATES: _gates(facts),
        LOADING: _loading(facts.scan),
    }
    parts = [f"# {plain(version.model)}, version {version.number}{aliases}"]
    parts += [f"## {plain(item.title)}\n\n{harmless(item.text).strip()}" for item in facts.sections]
    parts += [f"## {title}\n\n{text}" for title, text in filled.items() if text]
    if missing := [title for title in SUGGESTED if title not in written]:
        parts.append(
            f"## {UNKNOWN}\n\n{', '.join(missing)}: nobody has written this down. Do so before it "
            "decides about people."
        )
    return "\n\n".join(parts) + "\n"


def sections_of(text: str) -> dict[str, str]:
    """The sections that somebody wrote in a card's text: title to text.

    What the platform fills, and what stands above the first heading, is passed over.
    """
    pieces = _HEADING.split(text.replace("\r\n", "\n"))
    titles, texts = pieces[1::2], pieces[2::2]
    ours = {*FILLED, UNKNOWN}
    return {
        title: body.strip()
        for title, body in zip(titles, texts, strict=True)
        if title not in ours and body.strip()
    }


def harmless(text: str) -> str:
    """Markdown in which no HTML is left, and no link that would run something."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace("\0", "")
    # `>` at a line's beginning is a quotation, and harmless without its partner.
    return _SCRIPT.sub(r"\1unsafe-\2-", escaped)


def plain(text: object) -> str:
    """A value that stands in a card as it is, on one line: no markup of any kind."""
    line = " ".join(str(text).split())
    return re.sub(r"([\\`*_\[\]|#~])", r"\\\1", harmless(line))


def _about(facts: Facts) -> str:
    version, said = facts.version, facts.version.signature
    task = {
        "binary": "two classes",
        "multiclass": f"{len(said.classes)} classes",
        "unknown": "",
    }
    kind = task.get(said.task, plain(said.task))
    predicts = " ".join(filter(None, [plain(said.target), kind and f"({kind})"]))
    classes = ", ".join(plain(label) for label in said.classes)
    score = f"; score: probability of {plain(said.positive)}" if said.positive is not None else ""
    # What the model does not tell has no line: most that others logged tell nothing of it.
    lines = [f"- Predicts: {predicts}"] if predicts else []
    lines += [f"- Classes: {classes}{score}"] if classes else []
    lines += [
        f"- Format: MLflow model folder, {plain(version.flavor or 'unknown')}",
        f"- Size: {version.size:,} bytes",
        f"- Digest: {plain(version.digest or 'unknown')}",
        f"- Registered: {version.created_at:%Y-%m-%d %H:%M} UTC by {plain(version.created_by)}",
        f"- Project: {plain(facts.model.project)}",
    ]
    if version.description:
        lines.append(f"- Description: {plain(version.description)}")
    if version.tags:
        told = ", ".join(f"{plain(k)} = {plain(v)}" for k, v in sorted(version.tags.items()))
        lines.append(f"- Tags: {told}")
    return "\n".join(lines)


def _quality(facts: Facts) -> str:
    metrics = facts.metrics or facts.version.metrics
    rows = [f"| {plain(name)} | {value:.4f} |" for name, value in sorted(metrics.items())]
    table = "\n".join(["| metric | value |", "|---|---|", *rows]) if rows else "No metrics."
    found = facts.evaluation
    if found is None:
        return f"{table}\n\nOn which rows they were measured is not recorded."
    count = f"{found.rows:,} rows of " if found.rows else ""
    return f"{table}\n\nMeasured on {count}{plain(found.name)} ({plain(found.digest[:19])})."


def _columns(version: ModelVersion) -> str:
    inputs = version.signature.inputs
    if not inputs:
        return "The model does not tell."
    lines = [
        f"- {plain(column.name)}: {plain(column.type)}"
        + ("" if column.required else ", may be missing")
        for column in inputs[:_SHOWN_COLUMNS]
    ]
    if len(inputs) > _SHOWN_COLUMNS:
        lines.append(f"- and {len(inputs) - _SHOWN_COLUMNS} more")
    return "\n".join(lines)


def _origin(facts: Facts) -> str:
    lines = [
        f"- {plain(node.type)} {plain(node.name)} "
        f"({plain(node.digest[:19] if node.digest else node.id)})"
        for node in facts.ancestors
    ]
    if facts.version.source:
        lines.append(f"- Source: {plain(facts.version.source)}")
    return "\n".join(lines) or "Nothing is recorded."


def _training(facts: Facts) -> str:
    run, lines = facts.run, []
    if run is not None:
        lines.append(f"- Run: {plain(run.kind)} {plain(run.name)} ({plain(run.id)})")
        lines += [f"- {plain(name)}: {_short(value)}" for name, value in sorted(run.code.items())]
    # Autologging tells every setting of an estimator: those that nobody set say nothing.
    told = sorted((name, value) for name, value in facts.params.items() if value != "None")
    shown = told[:_SHOWN_PARAMS]
    lines += [f"- Parameter {plain(name)} = {_short(value, _VALUE)}" for name, value in shown]
    if len(facts.params) > len(shown):
        where = f": athanor run show {run.id}" if run is not None else ""
        lines.append(f"- {len(facts.params) - len(shown)} parameters more{plain(where)}")
    return "\n".join(lines)


def _gates(facts: Facts) -> str:
    lines = []
    if (said := facts.version.verdict) is not None:
        lines.append(_verdict("at its registration", said))
    for judgement in facts.judgements:
        when = f"for {judgement.alias}, {judgement.judged_at:%Y-%m-%d %H:%M}"
        lines += [_verdict(when, verdict) for verdict in judgement.verdicts]
    return "\n".join(lines) or "No gate was asked."


def _verdict(when: str, said: Any) -> str:
    outcome = "passed" if said.passed else "not passed"
    return f"- {plain(said.gate)} ({plain(when)}): {outcome}. {plain(said.reason)}"


def _loading(scan: Scan | None) -> str:
    if scan is None:
        return ""
    if not scan.pickled:
        return "Nothing in its files runs when it is loaded."
    lines = [f"Its files are judged {scan.level}: loading them imports and runs what they name."]
    told = [item for item in scan.findings if item.level != "usual"][:_SHOWN_FINDINGS]
    lines += [
        f"- {plain(item.level)}: {plain(item.call or f'{item.module}.{item.name}')} "
        f"in {plain(item.file)}"
        for item in told
    ]
    lines += [f"- {plain(f.path)}: {plain(f.problem)}" for f in scan.files if f.problem]
    return "\n".join([lines[0], "", *lines[1:]]).strip()


def _short(value: object, most: int = 200) -> str:
    text = str(value)
    return plain(text if len(text) <= most else f"{text[:most]}...")
