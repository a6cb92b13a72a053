"""Which of a model's inputs a feature service gives, and what callers are left to send."""

from collections.abc import Sequence

from athanor.features import Plan
from athanor.serving.errors.features import FeaturesUnused
from athanor.serving.types import Signature
from athanor.serving.types.features import AskedColumn

_TYPES = {
    "integer": "long",
    "number": "double",
    "boolean": "boolean",
    "text": "string",
    "date": "datetime",
    "timestamp": "datetime",
}


def asked_columns(
    signature: Signature, plan: Plan, request: Sequence[tuple[str, str]], endpoint: str
) -> tuple[AskedColumn, ...]:
    """The columns of a request: keys and the request's values first, then the model's own.

    Raises: FeaturesUnused, where the model reads none of the service's features.
    """
    names = {column.name for column in signature.columns}
    if not names & set(plan.columns):
        raise FeaturesUnused(endpoint, plan.service, sorted(names), plan.columns)
    own = {column.name: column.type for column in signature.columns}
    needed = [(key.name, _TYPES[key.type]) for key in plan.keys]
    needed += [(name, _TYPES.get(kind, "double")) for name, kind in request]
    found: dict[str, AskedColumn] = {}
    for name, kind in needed:
        found[name] = AskedColumn(name=name, type=own.get(name, kind))
    looked_up = set(plan.columns)
    for column in signature.columns:
        required = column.required and column.name not in looked_up
        found.setdefault(
            column.name, AskedColumn(name=column.name, type=column.type, required=required)
        )
    return tuple(found.values())
