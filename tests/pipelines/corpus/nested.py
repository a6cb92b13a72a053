"""Pipelines as parts of pipelines."""

# What stands for an output while a pipeline is written down is Any to a type checker.
# mypy: disable-error-code="no-any-return,call-arg,arg-type,attr-defined,deprecated"

from typing import Any

from athanor import Collected, ExitHandler, If, ParallelFor, pipeline
from tests.pipelines.corpus.blocks import add, double, joined, number, numbers, total, word
from tests.pipelines.corpus.cases import Case


@pipeline
def twice(value: int, extra: int = 1) -> int:
    return add(double(value), number(extra))


@pipeline
def a_pipeline_in_a_pipeline(value: int = 3) -> int:
    return double(twice(value, 4))


@pipeline
def a_default_of_an_inner_pipeline() -> int:
    return twice(number(5))


@pipeline
def a_pipeline_used_twice() -> int:
    return add(twice(1), twice(2))


@pipeline
def middle(value: int) -> dict[str, Any]:
    return {"low": twice(value), "text": word("mid")}


@pipeline
def three_deep() -> dict[str, Any]:
    found = middle(number(2))
    return {"low": double(found["low"]), "text": joined(found["text"], "!")}


@pipeline
def a_pipeline_in_a_loop() -> int:
    with ParallelFor([1, 2]) as item:
        found = twice(item)
    return total(Collected(found))


@pipeline
def a_loop_in_an_inner_pipeline(count: int = 2) -> int:
    return double(looped(count))


@pipeline
def looped(count: int) -> int:
    with ParallelFor(numbers(count)) as item:
        found = double(item)
    return total(Collected(found))


@pipeline
def a_pipeline_in_a_branch(value: int = 5) -> int:
    found = number(value)
    with If(found > 2):
        twice(found)
    return found


@pipeline
def a_pipeline_in_an_exit_handler() -> int:
    with ExitHandler(word("bye")):
        found = twice(3)
    return found  # noqa: RET504 - the task is of the block


CASES = [
    Case(pipeline=a_pipeline_in_a_pipeline, gives={"Output": 20}),
    Case(pipeline=a_default_of_an_inner_pipeline, gives={"Output": 11}),
    Case(pipeline=a_pipeline_used_twice, gives={"Output": 8}),
    Case(pipeline=three_deep, gives={"low": 10, "text": "mid!"}),
    Case(pipeline=a_pipeline_in_a_loop, gives={"Output": 8}),
    Case(pipeline=a_loop_in_an_inner_pipeline, gives={"Output": 12}),
    Case(
        pipeline=a_pipeline_in_a_branch,
        gives={"Output": 5},
        states={"condition-1/twice/double": "done"},
    ),
    Case(pipeline=a_pipeline_in_an_exit_handler, gives={"Output": 7}),
]
