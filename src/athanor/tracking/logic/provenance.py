"""A run's code and environment as MLflow tags, and back.

Our own tags are `athanor.code.<field>` and `athanor.env.<field>`; texts stand as they are, other
values as JSON. What is longer than a tag may be goes on in `<tag>.2`, `<tag>.3` ...
"""

import json
from collections.abc import Mapping
from typing import Any

from athanor.kernel.provenance import as_json

CODE = "athanor.code."
ENVIRONMENT = "athanor.env."
_TAG_CHARACTERS = 7_500
"""MLflow cuts a tag's value behind 8,000."""
_PIECES = 4
"""How many tags one field may take."""
_TEXTS = frozenset(
    {
        "branch",
        "commit",
        "cpu",
        "diff",
        "diff_digest",
        "digest",
        "entry_point",
        "implementation",
        "incomplete",
        "packages_digest",
        "platform",
        "python",
        "remote",
    }
)
_MLFLOW = {
    "mlflow.source.name": "entry_point",
    "mlflow.source.git.commit": "commit",
    "mlflow.source.git.branch": "branch",
    "mlflow.source.git.repoURL": "remote",
    "mlflow.source.git.diff": "diff",
}

Facts = dict[str, Any]


def tags_of(code: Mapping[str, Any], environment: Mapping[str, Any]) -> dict[str, str]:
    """Facts as tags: at most 8,000 characters each, and 40 of them."""
    tags: dict[str, str] = {}
    whole = True
    for prefix, facts in ((CODE, code), (ENVIRONMENT, environment)):
        for name, value in facts.items():
            text = value if isinstance(value, str) else as_json(value)
            for number in range(1, _PIECES + 1):
                piece, text = text[:_TAG_CHARACTERS], text[_TAG_CHARACTERS:]
                tags[f"{prefix}{name}" + (f".{number}" if number > 1 else "")] = piece
                if not text:
                    break
            whole = whole and not (text and name == "diff")
    return tags if whole else tags | {f"{CODE}diff_cut": "true"}


def facts_of(tags: Mapping[str, str]) -> tuple[Facts, Facts]:
    """A run's code and environment, from its tags.

    `told_by` says from whom the code's facts are: `athanor` (all of them), or `mlflow` (its own
    tags alone, where the provider is not installed beside the client).
    """
    code, environment = _unpacked(tags, CODE), _unpacked(tags, ENVIRONMENT)
    if code or environment:
        return code | {"told_by": "athanor"}, environment
    known = {field: tags[tag] for tag, field in _MLFLOW.items() if tags.get(tag)}
    if tags.get("mlflow.source.git.dirty"):
        known["dirty"] = tags["mlflow.source.git.dirty"].lower() == "true"  # type: ignore[assignment]
    return (known | {"told_by": "mlflow"} if known else {}), {}


def _unpacked(tags: Mapping[str, str], prefix: str) -> Facts:
    found: Facts = {}
    for tag, text in tags.items():
        name = tag.removeprefix(prefix)
        if name == tag or "." in name or not name:
            continue
        whole = text + "".join(tags.get(f"{tag}.{number}", "") for number in range(2, _PIECES + 1))
        found[name] = whole if name in _TEXTS else _value(whole)
    return found


def _value(text: str) -> Any:
    """JSON where it is some; whatever somebody else put there stays a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
