"""Branches, loops and exit tasks, each a `with` block inside of a `@pipeline`."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

from athanor.pipelines.authoring.definitions import slug
from athanor.pipelines.authoring.interface import Kind, kind_of_value
from athanor.pipelines.authoring.scopes import Loop, Pending, Scope, channel
from athanor.pipelines.authoring.tracing import Trace, current_trace
from athanor.pipelines.authoring.values import Compared, Condition, Reference, Task, truth_of
from athanor.pipelines.errors import BadPipeline
from athanor.pipelines.logic.values import WORDS

_BRANCH = "condition"
_NUMBERS = {"NUMBER_INTEGER", "NUMBER_DOUBLE"}


@contextmanager
def If(  # noqa: N802 - reads as a word
    condition: bool | Condition | Reference | Task,  # noqa: FBT001 - comparisons read as bools
) -> Iterator[None]:
    """Run the steps called inside only where a condition holds.

    Written `with If(score > 0.8):`; conditions are joined by `&` and `|` and turned by `~`.

    Raises: BadPipeline outside of a pipeline.
    """
    trace = _trace("If", "In plain Python, use if.")
    found = truth_of(condition)
    inner = trace.add_block(trace.scope.numbered(_BRANCH), "branch")
    inner.conditions = [found]
    _set_condition(trace.scope, inner, [], found)
    with trace.inside(inner):
        yield


@contextmanager
def Elif(  # noqa: N802 - reads as a word
    condition: bool | Condition | Reference | Task,  # noqa: FBT001 - comparisons read as bools
) -> Iterator[None]:
    """Run the steps called inside where no condition above holds, and this one does.

    Raises: BadPipeline where no If stands right before it.
    """
    trace = _trace("Elif", "In plain Python, use elif.")
    with _further(trace, "Elif", truth_of(condition)):
        yield


@contextmanager
def Else() -> Iterator[None]:  # noqa: N802 - reads as a word
    """Run the steps called inside where no condition above holds.

    Raises: BadPipeline where no If stands right before it.
    """
    trace = _trace("Else", "In plain Python, use else.")
    with _further(trace, "Else", None):
        yield


@contextmanager
def ParallelFor(  # noqa: N802 - reads as a word
    items: Sequence[Any] | Reference | Task | Any, *, parallelism: int = 0
) -> Iterator[Any]:
    """Run the steps called inside once for each item, as many at once as `parallelism` says.

    Written `with ParallelFor(files) as file:`. The items are a list, or an output that is one; 0
    is no limit. What the rounds give is had outside by `Collected(value)`.

    Raises: BadPipeline for what is no list.
    """
    trace = _trace("ParallelFor", "In plain Python, use for.")
    if isinstance(items, Task):
        items = items.single()
    trace.loops += 1
    name = trace.scope.numbered("for-loop")
    outer = trace.scope
    inner = trace.add_block(name, "loop")
    item = f"pipelinechannel--loop-item-{trace.loops}"
    try:
        loop = _loop(outer, name, item, items)
    except BaseException:
        del outer.tasks[name]
        raise
    outer.tasks[name].loop = replace(loop, limit=max(0, parallelism))
    inner.inputs[item] = loop.kind
    if isinstance(items, Reference):
        inner.inputs[loop.source] = items.kind
        inner.brought[loop.source] = items
    with trace.inside(inner):
        yield Reference(inner, "", item, loop.kind)


def Collected(value: Any) -> Any:  # noqa: N802 - reads as a word
    """All that the rounds of a loop gave: parameters as a list, artifacts as a list of artifacts.

    Raises: BadPipeline for what is no output of a loop's step.
    """
    reference = _reference("Collected", value)
    found = Reference(
        reference.scope, reference.task, reference.key, reference.kind, selector=reference.selector
    )
    found.collected = True
    scope: Scope | None = reference.scope
    while scope is not None and scope.block != "loop":
        scope = scope.parent
    if scope is None:
        raise BadPipeline(
            f"{reference!r} is of no loop, so there is one value and nothing to collect.",
            hint="Use it as it is.",
        )
    while found.scope is not scope.parent:
        found = found.scope.let_out(found)
    return found


def OneOf(*values: Any) -> Any:  # noqa: N802 - reads as a word
    """What the branch that ran has given: one value of each branch of an If with its Else.

    Raises: BadPipeline where the values are not of the branches of one If.
    """
    references = [_reference("OneOf", value) for value in values]
    groups = {id(item.scope.parent) for item in references}
    group = references[0].scope.parent if references else None
    if group is None or len(groups) != 1 or group.block != "branches" or group.parent is None:
        raise BadPipeline(
            "OneOf takes one output of a step of each branch of an If, Elif and Else.",
            hint="Write OneOf(a, b) where a is of the If and b of its Else.",
        )
    if not group.closed:
        raise BadPipeline(
            "OneOf needs an Else: without one it may be that no branch runs.",
            hint="Add `with Else():` with a step that gives the value otherwise.",
        )
    kinds = [item.kind for item in references]
    if any((kind.parameter, kind.many) != (kinds[0].parameter, kinds[0].many) for kind in kinds):
        raise BadPipeline(
            f"OneOf takes outputs of one type, not {', '.join(kind.words for kind in kinds)}.",
            hint="Let the branches return the same type.",
        )
    origins = [(item.scope.own_task, item.scope.give(item, item.kind)) for item in references]
    number = sum("-oneof-" in name for name in group.outputs) + 1
    name = f"pipelinechannel--{group.own_task}-oneof-{number}"
    group.outputs[name] = (origins, kinds[0])
    return Reference(group.parent, group.own_task, name, kinds[0])


@contextmanager
def ExitHandler(task: Any) -> Iterator[None]:  # noqa: N802 - reads as a word
    """Run a task once the steps called inside have ended, however they did.

    Written `with ExitHandler(notify()):`. A parameter of its step that is hinted `FinalStatus` is
    told how they ended.

    Raises: BadPipeline where the task is no task of this pipeline.
    """
    trace = _trace("ExitHandler", "In plain Python, use try and finally.")
    outer = trace.scope
    if not isinstance(task, Task) or outer.tasks.get(task.task_name) is None:
        raise BadPipeline(
            "ExitHandler takes a task of this pipeline.",
            hint="Call the step in it: with ExitHandler(notify()):",
        )
    name = outer.numbered("exit-handler")
    inner = trace.add_block(name, "exit")
    pending = outer.tasks[task.task_name]
    pending.after[name] = None
    pending.regardless = True
    with trace.inside(inner):
        yield


@contextmanager
def _further(trace: Trace, word: str, condition: Condition | None) -> Iterator[None]:
    """One more branch of the If right before."""
    group = _group(trace, word)
    if group.closed:
        raise BadPipeline(f"{word} stands behind an Else.", hint="Let Else be the last branch.")
    outer = trace.scope
    trace.scope = group
    try:
        inner = trace.add_block(group.numbered(_BRANCH), "branch")
        _set_condition(group, inner, group.conditions, condition)
        if condition is None:
            group.closed = True
        else:
            group.conditions.append(condition)
        with trace.inside(inner):
            yield
    finally:
        trace.scope = outer


def _group(trace: Trace, word: str) -> Scope:
    """The DAG that holds the branches of the If right before; made with its second branch."""
    outer = trace.scope
    last = next(reversed(outer.tasks), "")
    inner = trace.block_of(outer, last)
    if inner is not None and inner.block == "branches":
        return inner
    if inner is None or inner.block != "branch":
        raise BadPipeline(
            f"{word} has no If right before it.", hint="Write `with If(...):` first, in this block."
        )
    pending = outer.tasks.pop(last)
    group = trace.add_block(outer.numbered("condition-branches"), "branches")
    group.conditions = list(inner.conditions)
    moved = Pending(pending.component, condition=pending.condition)
    group.tasks[last] = moved
    inner.parent = group
    for name, reference in inner.brought.items():
        task, key, selector = group.bring(reference)
        group.wire(last, name, Reference(group, task, key, reference.kind, selector=selector))
    return group


def _set_condition(
    outer: Scope, inner: Scope, before: list[Condition], condition: Condition | None
) -> None:
    """Write the condition of a branch: none of those before it, and its own."""
    texts = [f"!({_text(inner, item)})" for item in before]
    if condition is not None:
        own = _text(inner, condition)
        texts.append(f"({own})" if before else own)
    outer.tasks[inner.own_task].condition = " && ".join(texts)


def _text(scope: Scope, condition: Any) -> str:
    if not isinstance(condition, Condition):
        condition = truth_of(condition)
    if condition.mark == "!":
        return f"!({_text(scope, condition.left)})"
    if condition.mark in {"&&", "||"}:
        left, right = _text(scope, condition.left), _text(scope, condition.right)
        return f"({left}) {condition.mark} ({right})"
    double = "NUMBER_DOUBLE" in {_type(condition.left), _type(condition.right)}
    double = double or isinstance(condition.right, float)
    terms = [_term(scope, item, double=double) for item in (condition.left, condition.right)]
    return f"{terms[0]} {condition.mark} {terms[1]}"


def _type(value: Any) -> str:
    if isinstance(value, Task):
        value = value.single()
    return value.kind.parameter if isinstance(value, Reference) else ""


def _term(scope: Scope, value: Any, *, double: bool) -> str:
    """A value in a condition; whole numbers arrive as doubles and are cast, unless `double`."""
    if isinstance(value, Task):
        value = value.single()
    if isinstance(value, Reference):
        if value.kind.parameter not in WORDS:
            raise BadPipeline(
                f"{value!r} is an artifact; conditions compare parameters.",
                hint="Return a number, text or bool from a step, and compare that.",
            )
        _, name, _ = scope.bring(value)
        text = f"inputs.parameter_values['{name}']"
        return f"int({text})" if value.kind.parameter == "NUMBER_INTEGER" and not double else text
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(float(value)) if double else repr(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
        return f"'{escaped}'"
    raise BadPipeline(
        f"A condition can't compare with a {type(value).__name__}.",
        hint="Compare with a text, number or bool.",
    )


def _loop(scope: Scope, task: str, item: str, items: Any) -> Loop:
    if isinstance(items, Reference):
        kind = items.kind
        if kind.parameter and kind.parameter != "LIST" and not kind.guessed:
            raise BadPipeline(
                f"{items!r} is {kind.words}, and ParallelFor goes through a list.",
                hint="Hint what the step returns as a list.",
            )
        if not kind.parameter and not kind.many:
            raise BadPipeline(
                f"{items!r} is one artifact, and ParallelFor goes through a list.",
                hint="Give it a list of values, or what a loop's Collected(...) is.",
            )
        one = kind.item or Kind(parameter="STRING", guessed=True)
        if not kind.parameter:
            one = replace(kind, many=False)
        origin, key, selector = scope.bring(items)
        source = channel(origin, key) + (f"-{slug(selector)}" if selector else "")
        scope.wire(task, source, Reference(scope, origin, key, kind, selector=selector))
        return Loop(item=item, kind=one, source=source)
    if isinstance(items, Compared) or not isinstance(items, list | tuple):
        raise BadPipeline(
            f"ParallelFor can't go through a {type(items).__name__}.",
            hint="Give it a list of constants, or the output of a step that returns one.",
        )
    kinds = {kind_of_value(value) for value in items}
    if None in kinds or not items:
        raise BadPipeline(
            "ParallelFor goes through a list of texts, numbers, bools, lists and mappings.",
            hint="Give it a list of such constants, with one item at least.",
        )
    known = cast("Kind", kinds.pop()) if len(kinds) == 1 else Kind(parameter="STRUCT", guessed=True)
    return Loop(item=item, kind=known, raw=json.dumps(list(items)))


def _reference(word: str, value: Any) -> Reference:
    if isinstance(value, Task):
        value = value.single()
    if not isinstance(value, Reference) or not value.task:
        raise BadPipeline(
            f"{word} takes outputs of steps, not {value!r:.60}.",
            hint=f"Write {word}(task.output).",
        )
    return value


def _trace(word: str, hint: str) -> Trace:
    trace = current_trace()
    if trace is None:
        raise BadPipeline(
            f"{word} stands only inside of a @pipeline that is being written down: such a pipeline "
            "is not called, but run.",
            hint=f"Run it: athanor pipeline run FILE.py; or from Python: "
            f"connect().pipelines.submit(pipeline.submission({{...}})). {hint}",
        )
    return trace
