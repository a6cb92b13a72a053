"""Templates of triggers: `{event.dataset}` is filled from the event, and nothing else is."""

import re
from collections.abc import Mapping
from typing import Any

from athanor.kernel.errors import nearest
from athanor.pipelines.errors import BadTemplate, BadTrigger
from athanor.pipelines.logic.occasions import ACTIONS, FIELDS
from athanor.pipelines.logic.texts import map_texts, texts_of

_SLOT = re.compile(r"\{event\.([A-Za-z0-9_.-]+)\}")
_SCHEDULED = "scheduled"
_MEANT = re.compile(r"\{\s*event\b[^}]*\}?")


def check_action(action: str) -> None:
    """Refuse the name of an event that nothing tells.

    Raises: BadTrigger.
    """
    if action not in ACTIONS:
        room = action.partition(".")[0] + "."
        near = sorted(name for name in ACTIONS if name.startswith(room))
        raise BadTrigger(
            f"{action[:100]!r} is no name of an event.",
            hint=nearest(action, ACTIONS)
            or (f"There are: {', '.join(near)}." if near else "")
            or "Events are named <room>.<thing>.<what happened>: data.version.created.",
        )


def check_fields(action: str, match: Mapping[str, Any], values: Any) -> None:
    """Refuse fields that an event never has, in what it must match and in templates.

    Raises: BadTrigger.
    """
    there = FIELDS.get(action)
    if there is None:
        return
    slots = [slot for text in texts_of(values) for slot in _SLOT.findall(text)]
    for path in (*match, *slots):
        field = path.partition(".")[0]
        if field not in there:
            raise BadTrigger(
                f"The event {action} has no field {field[:100]!r}: the trigger would never fire.",
                hint=f"{nearest(field, there)} It has: {', '.join(sorted(there))}.".strip(),
            )


def check_templates(value: Any, *, by_clock: bool = False) -> None:
    """Refuse what is meant as a template and would be taken as it stands, or never be filled.

    `by_clock` says that a schedule fires the trigger, which tells its time and nothing else.
    Raises: BadTrigger.
    """
    for text in texts_of(value):
        for slot in _SLOT.findall(text) if by_clock else ():
            if slot != _SCHEDULED:
                raise BadTrigger(
                    f"The template '{{event.{slot[:100]}}}' can't be filled by a schedule.",
                    hint=f"A schedule tells {{event.{_SCHEDULED}}} alone; or wait for an event: "
                    "--on data.version.created",
                )
        for meant in _MEANT.findall(text):
            if not _SLOT.fullmatch(meant):
                raise BadTrigger(
                    f"The template {meant[:100]!r} can't be filled.",
                    hint="A template is written {event.<field>}: {event.dataset}.",
                )


def fill(value: Any, event: Mapping[str, Any]) -> Any:
    """The value with every template in it filled, inside of lists and mappings too.

    A text that is one template and nothing else takes the event's value with its type. Dots go
    into nested mappings.

    Raises: BadTemplate.
    """
    return map_texts(value, lambda text: _fill_text(text, event))


def matches(wanted: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether an event's detail has all wanted values; a list means any of its items."""
    for path, value in wanted.items():
        try:
            found = _find(path, path, event)
        except BadTemplate:
            return False
        allowed = value if isinstance(value, list) else [value]
        if found not in allowed:
            return False
    return True


def _fill_text(text: str, event: Mapping[str, Any]) -> Any:
    whole = _SLOT.fullmatch(text)
    if whole is not None:
        return _find(text, whole[1], event)
    return _SLOT.sub(lambda slot: str(_find(text, slot[1], event)), text)


def _find(template: str, path: str, event: Mapping[str, Any]) -> Any:
    found: Any = event
    for part in path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            known = list(found) if isinstance(found, Mapping) else []
            raise BadTemplate(template, path, known)
        found = found[part]
    return found
