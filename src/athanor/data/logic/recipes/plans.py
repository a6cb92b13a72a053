"""A recipe and the tables that it meets become steps whose columns are all known."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from athanor.data.errors.recipes import BadFormula, BadStep, UnknownOperation
from athanor.data.logic.recipes.kinds import RESERVED, Kind, Schema
from athanor.data.logic.recipes.operations import OPERATIONS
from athanor.data.logic.recipes.syntax import parsed
from athanor.data.logic.recipes.table import (
    Cells,
    Context,
    Operation,
    Plan,
    Projection,
    Selection,
    checked,
)
from athanor.data.types.recipes import OperationInfo, OperationParameter, Step
from athanor.kernel.errors import nearest

MOST_STEPS = 200
MOST_COLUMNS = 5_000
Learner = Callable[[int, Mapping[str, str], "Sequence[Planned]"], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A step with its forms, and the columns before and after it."""

    number: int
    operation: Operation
    parameters: Mapping[str, Any]
    before: Schema
    after: Schema
    plan: Plan
    learned: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a recipe meets."""

    schema: Schema
    """Of its table."""
    tables: Mapping[str, Schema]
    """The other datasets, by the references that its steps name."""
    learned: Mapping[str, Mapping[str, Any]]
    """What each step learnt, by its number."""
    others: Mapping[str, list[Cells]]
    """The rows of the others, for the row-by-row form."""


def planned(
    steps: Sequence[Step], around: Surroundings, learn: Learner | None = None
) -> list[Planned]:
    """All steps of a recipe. `learn` is asked for what a step has not learnt yet.

    Raises: UnknownOperation, BadStep.
    """
    if len(steps) > MOST_STEPS:
        raise BadStep(MOST_STEPS + 1, "", f"a recipe has at most {MOST_STEPS} steps.")
    found: list[Planned] = []
    schema: Schema = dict(around.schema)
    if steps:
        for names in (schema, *around.tables.values()):
            _unreserved(names, 1, steps[0].operation)
    for number, step in enumerate(steps, 1):
        operation = OPERATIONS.get(step.operation)
        if operation is None:
            raise UnknownOperation(number, step.operation, OPERATIONS)
        bare = Context(
            number=number,
            operation=operation.name,
            parameters=step.parameters,
            schema=schema,
            tables=around.tables,
            others=around.others,
        )
        context = replace(bare, parameters=checked(operation, bare))
        learned: Mapping[str, Any] = around.learned.get(str(number), {})
        if operation.learn is not None and not learned and learn is not None:
            learned = learn(number, operation.learn(context), found)
        context = replace(context, learned=learned)
        plan = operation.plan(context)
        after = columns_after(plan, schema)
        _unreserved(after, number, operation.name)
        if len(after) > MOST_COLUMNS:
            raise context.wrong(
                f"there would be {len(after)} columns; {MOST_COLUMNS} are the most."
            )
        found.append(
            Planned(
                number=number,
                operation=operation,
                parameters=context.parameters,
                before=schema,
                after=after,
                plan=plan,
                learned=learned,
            )
        )
        schema = after
    return found


def _unreserved(names: Iterable[str], number: int, operation: str) -> None:
    for name in names:
        if name.casefold().startswith(RESERVED):
            what = f"{name!r} can't name a column: names with {RESERVED} are the recipe's own."
            raise BadStep(number, operation, what, "Give the column another name.")


def columns_after(plan: Plan, before: Schema) -> dict[str, Kind]:
    """The columns that a step leaves."""
    if isinstance(plan, Projection):
        return {name: item.kind for name, item in plan.columns}
    return dict(before) if isinstance(plan, Selection) else dict(plan.schema)


def unlearned(steps: Sequence[Step], learned: Mapping[str, Any]) -> list[int]:
    """The numbers of steps that have to learn and did not."""
    return [
        number
        for number, step in enumerate(steps, 1)
        if step.operation in OPERATIONS
        and OPERATIONS[step.operation].learn is not None
        and str(number) not in learned
        and not step.parameters.get("categories")
    ]


def others_of(steps: Sequence[Step]) -> list[str]:
    """The other datasets that steps name, each once."""
    named = []
    for step in steps:
        operation = OPERATIONS.get(step.operation)
        for parameter in operation.parameters if operation else ():
            value = step.parameters.get(parameter.name)
            if parameter.kind == "dataset" and isinstance(value, str) and value:
                named.append(value)
    return list(dict.fromkeys(named))


def words_of(step: Step) -> str:
    """A step in plain words."""
    operation = OPERATIONS.get(step.operation)
    if operation is None:
        return step.operation
    words = operation.words
    for parameter in operation.parameters:
        value = step.parameters.get(parameter.name, parameter.default)
        words = words.replace("{" + parameter.name + "}", _shown(value))
    return words


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(_shown(item) for item in value) or "nothing"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} to {_shown(item)}" for key, item in value.items())
    return "nothing" if value is None or value == "" else str(value)


def catalogue() -> list[OperationInfo]:
    """The table of operations, for people and pages."""
    return [
        OperationInfo(
            name=item.name,
            group=item.group,
            words=item.words,
            parameters=tuple(
                OperationParameter(
                    name=parameter.name,
                    kind=parameter.kind,
                    words=parameter.words,
                    required=parameter.required,
                    default=parameter.default,
                    choices=parameter.choices,
                    columns=parameter.columns,
                )
                for parameter in item.parameters
            ),
            schema=_schema(item),
            serving=item.serving,
            learns=item.learn is not None,
            example=dict(item.cases[0]),
        )
        for item in OPERATIONS.values()
    ]


_JSON_TYPES: Mapping[str, dict[str, Any]] = {
    "column": {"type": "string"},
    "columns": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    "columns?": {"type": "array", "items": {"type": "string"}},
    "name": {"type": "string", "minLength": 1, "maxLength": 255},
    "names": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    "text": {"type": "string"},
    "formula": {"type": "string", "minLength": 1},
    "dataset": {"type": "string", "minLength": 1},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "choice": {"type": "string"},
    "values": {"type": "array"},
    "value": {"type": ["string", "number", "boolean", "null"]},
    "mapping": {"type": "object"},
    "keys": {"type": "array"},
    "rules": {"type": "array", "items": {"type": "object", "required": ["when"]}},
    "aggregates": {"type": "array", "items": {"type": "object", "required": ["function"]}},
}


def _schema(operation: Operation) -> dict[str, Any]:
    properties = {}
    for parameter in operation.parameters:
        about = dict(_JSON_TYPES[parameter.kind]) | {"description": parameter.words}
        if parameter.choices:
            about["enum"] = list(parameter.choices)
        if parameter.least is not None:
            about["minimum"] = parameter.least
        if parameter.most is not None:
            about["maximum"] = parameter.most
        if parameter.default is not None:
            about["default"] = parameter.default
        properties[parameter.name] = about
    return {
        "type": "object",
        "properties": properties,
        "required": [item.name for item in operation.parameters if item.required],
        "additionalProperties": False,
    }


def _formulas(kind: str, value: Any) -> list[str]:
    """The formulas in a parameter."""
    if kind == "rules" and isinstance(value, (list, tuple)):
        asked = [rule.get("when") for rule in value if isinstance(rule, Mapping)]
        return [formula for formula in asked if isinstance(formula, str)]
    return [value] if kind == "formula" and isinstance(value, str) else []


def checked_names(steps: Sequence[Step]) -> None:
    """See that operations and parameters are known, which needs no table.

    Raises: UnknownOperation, BadStep.
    """
    if len(steps) > MOST_STEPS:
        raise BadStep(MOST_STEPS + 1, "", f"a recipe has at most {MOST_STEPS} steps.")
    for number, step in enumerate(steps, 1):
        operation = OPERATIONS.get(step.operation)
        if operation is None:
            raise UnknownOperation(number, step.operation, OPERATIONS)
        known = {parameter.name: parameter for parameter in operation.parameters}
        for name in step.parameters:
            if name not in known:
                hint = nearest(name, known) or f"It takes: {', '.join(known) or 'nothing'}."
                raise BadStep(number, step.operation, f"there is no parameter {name!r}.", hint)
        for name, parameter in known.items():
            value = step.parameters.get(name)
            if parameter.required and (value is None or value in ([], {})):
                what = f"{name!r} is needed: {parameter.words}."
                raise BadStep(number, step.operation, what)
            for formula in _formulas(parameter.kind, value):
                try:
                    parsed(formula)
                except BadFormula as error:
                    raise BadStep(number, step.operation, error.message, error.hint) from error
            if parameter.choices and value is not None and value not in parameter.choices:
                listed = ", ".join(parameter.choices)
                raise BadStep(number, step.operation, f"{name!r} is one of {listed}.")
