"""Labels as they come: what can be the truth of an endpoint's predictions, and what they join."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

from athanor.serving.errors import LabelElsewhere, LabelsInvalid, LabelUnfit
from athanor.serving.log import Known, ServingLog
from athanor.serving.logic.rows import LabelRow
from athanor.serving.types import Endpoint, LabelsReceived, NewLabel

_MOST_NAMED = 20


def label_rows(
    log: ServingLog, endpoint: Endpoint, labels: Sequence[NewLabel], now: datetime
) -> tuple[list[LabelRow], LabelsReceived]:
    """The rows to keep, and how many of them join a prediction that is logged.

    One that joins none is kept too: its prediction may come later.

    Raises: LabelsInvalid, LabelElsewhere, LabelUnfit.
    """
    for place, label in enumerate(labels):
        if (label.id is None) == (label.key is None):
            raise LabelsInvalid(place)
    if not labels:
        return [], LabelsReceived(endpoint=endpoint.name, count=0)
    ids = [label.id for label in labels if label.id is not None]
    keys = [str(label.key) for label in labels if label.key is not None]
    known = log.known(endpoint.name, ids, keys)
    fit = _Fit(endpoint, known)
    rows, waiting = [], []
    for place, label in enumerate(labels):
        elsewhere = known.ids.get(label.id or "", endpoint.name)
        if elsewhere != endpoint.name:
            raise LabelElsewhere(place, str(label.id), endpoint.name, elsewhere)
        rows.append(
            LabelRow(
                endpoint=endpoint.name,
                id=label.id,
                key=None if label.key is None else str(label.key),
                label=fit.text(place, label),
                happened_at=label.at or now,
                received_at=now,
            )
        )
        joined = label.id in known.ids if label.id is not None else str(label.key) in known.keys
        if not joined:
            waiting.append(label.id or str(label.key))
    return rows, LabelsReceived(
        endpoint=endpoint.name,
        count=len(rows),
        joined=len(rows) - len(waiting),
        waiting=len(waiting),
        waiting_for=list(dict.fromkeys(waiting))[:_MOST_NAMED],
    )


class _Fit:
    """What the truth about an endpoint's predictions can be."""

    def __init__(self, endpoint: Endpoint, known: Known) -> None:
        self._endpoint = endpoint.name
        told = [item.signature for item in endpoint.deployments if item.state != "failed"]
        # Where one of its versions has none, anything may be the truth about it.
        every = told if all(item.classes for item in told) else []
        self._classes = [name for item in every for name in item.classes]
        self._texts: Mapping[str, str] = {str(name): str(name) for name in self._classes}
        numbers = bool(told) and all(item.target and not item.classes for item in told)
        self._numbers = not self._classes and (numbers if known.numbers is None else known.numbers)

    def text(self, place: int, label: NewLabel) -> str:
        """The label as it is kept: a class by its own name (1.0 is 1, true is True).

        Raises: LabelUnfit.
        """
        text = str(label.label)
        if self._numbers:
            if _number(label.label) is None:
                raise LabelUnfit(place, text, self._endpoint, ())
        elif self._classes:
            found = self._texts.get(text) or self._alike(label.label)
            if found is None:
                raise LabelUnfit(place, text, self._endpoint, tuple(self._texts))
            return found
        return text

    def _alike(self, label: str | float) -> str | None:
        number = _number(label)
        for name in self._classes:
            if isinstance(name, bool):
                if str(label).lower() == str(name).lower():
                    return str(name)
            elif number is not None and isinstance(name, int | float) and number == name:
                return str(name)
        return None


def _number(label: str | float) -> float | None:
    try:
        number = float(label)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
