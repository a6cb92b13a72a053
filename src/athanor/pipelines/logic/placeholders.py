"""Placeholders: what stands for a value in the texts of a compiled pipeline.

`{{$.inputs.parameters['x']}}` and its like, as Kubeflow Pipelines v2 writes them. They are filled
in what the author wrote (constants, commands), never in values that came from elsewhere: a text
that a step returned is a text, whatever it looks like.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import UNSET

from athanor.pipelines.errors import BadSelector, UnknownPlaceholder
from athanor.pipelines.logic.texts import map_texts, texts_of
from athanor.pipelines.logic.values import as_text

_MARK = re.compile(r"\{\{\$(?P<body>[^{}]*)\}\}")
_PARAMETER = re.compile(r"\.inputs\.parameters\[(['\"])(?P<name>.+?)\1\]")
_NAMED = re.compile(r"\.(inputs|outputs)\.(parameters|artifacts)\[\\?['\"][^'\"\]]+['\"]\]")
_SELECTOR = re.compile(r"parseJson\(string_value\)(?P<steps>(?:\[(?:\"[^\"]*\"|'[^']*'|\d+)\])+)")
_STEP = re.compile(r"\[(?:\"([^\"]*)\"|'([^']*)'|(\d+))\]")

_OURS = (".inputs", ".outputs", ".pipeline_", ".workspace_path")
"""How the protocol's own placeholders begin; other texts between such brackets are the author's."""

_OF_THE_RUN = frozenset(
    {
        ".outputs.output_file",
        ".pipeline_job_create_time_utc",
        ".pipeline_job_name",
        ".pipeline_job_resource_name",
        ".pipeline_job_schedule_time_utc",
        ".pipeline_job_uuid",
        ".pipeline_root",
        ".pipeline_task_name",
        ".pipeline_task_uuid",
        ".workspace_path",
    }
)
"""What the protocol's placeholders may say beside names of inputs and outputs."""

Find = Callable[[str], Any]
"""From what stands between `{{$` and `}}` to its value; UNSET where it is not known."""


def fill(value: Any, find: Find) -> Any:
    """The value with every placeholder in its texts filled, inside of lists and mappings too.

    A text that is one placeholder and nothing else takes the value with its type.
    Raises: UnknownPlaceholder.
    """
    return map_texts(value, lambda text: _fill_text(text, find))


def names_of(parameters: Mapping[str, Any], known: Mapping[str, str]) -> Find:
    """What finds input parameters by name, and what the run says of itself (`.pipeline_job_name`).

    Parameters that were left out are empty texts.
    """

    def find(body: str) -> Any:
        wanted = _PARAMETER.fullmatch(body)
        if wanted is not None:
            return parameters.get(wanted["name"], "")
        return known.get(body, UNSET)

    return find


def mentioned(value: Any) -> set[str]:
    """The names of the input parameters that a value's placeholders ask for."""
    found = (_PARAMETER.fullmatch(body) for body in _bodies(value))
    return {match["name"] for match in found if match is not None}


def has_placeholder(value: Any) -> bool:
    """Whether some text in a value has a placeholder of the protocol's."""
    return any(body.startswith(_OURS) for body in _bodies(value))


def unheard_of(value: Any) -> Iterator[str]:
    """The placeholders of the protocol's that name neither an input, an output, nor a run's own."""
    for body in _bodies(value):
        if body.startswith(_OURS) and body not in _OF_THE_RUN and not _NAMED.match(body):
            yield "{{$" + body + "}}"


def select(value: Any, selector: str, where: str) -> Any:
    """What an expression such as `parseJson(string_value)["a"][0]` picks from a value.

    Raises: BadSelector.
    """
    known = _SELECTOR.fullmatch(selector.strip())
    if known is None:
        raise BadSelector(where, selector, "it is not of the form parseJson(string_value)[...]")
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise BadSelector(where, selector, "the value is no JSON") from None
    for double, single, index in _STEP.findall(known["steps"]):
        key: Any = int(index) if index else double or single
        if isinstance(value, dict):
            key = str(key)
        try:
            value = value[key]
        except (LookupError, TypeError):
            raise BadSelector(where, selector, f"the value has no {key!r}") from None
    return value


def _bodies(value: Any) -> Iterator[str]:
    """What stands between `{{$` and `}}` in a value's texts."""
    return (mark["body"] for text in texts_of(value) for mark in _MARK.finditer(text))


def _fill_text(text: str, find: Find) -> Any:
    if "{{$" not in text:
        return text
    whole = _MARK.fullmatch(text)
    if whole is not None:
        return _found(text, whole["body"], find)
    return _MARK.sub(lambda mark: as_text(_found(mark[0], mark["body"], find)), text)


def _found(mark: str, body: str, find: Find) -> Any:
    value = find(body)
    if value is not UNSET:
        return value
    if body.startswith(_OURS):
        raise UnknownPlaceholder(mark)
    return mark
