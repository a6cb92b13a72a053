"""ParallelFor and Collected."""

# What stands for an output while a pipeline is written down is Any to a type checker.
# mypy: disable-error-code="no-any-return,call-arg,arg-type,attr-defined,deprecated"

from typing import Any

from athanor import Collected, Else, If, OneOf, ParallelFor, pipeline, step
from tests.pipelines.corpus.blocks import (
    add,
    double,
    flat,
    joined,
    number,
    numbers,
    total,
    word,
)
from tests.pipelines.corpus.cases import Case


@pipeline
def a_loop_over_constants() -> int:
    with ParallelFor([1, 2, 3]) as item:
        twice = double(item)
    return total(Collected(twice))


@pipeline
def a_loop_over_an_output(count: int = 4) -> int:
    with ParallelFor(numbers(count)) as item:
        twice = double(item)
    return total(Collected(twice))


@pipeline
def a_loop_over_an_input(values: list[int] = [5, 6]) -> int:  # noqa: B006
    with ParallelFor(values) as item:
        twice = double(item)
    return total(Collected(twice))


@pipeline
def a_loop_over_texts() -> list[str]:
    with ParallelFor(["a", "b", "c"]) as item:
        found = joined(item, "!")
    return Collected(found)


@pipeline
def a_loop_over_mappings() -> list[str]:
    with ParallelFor([{"name": "a", "size": 1}, {"name": "b", "size": 2}]) as item:
        found = joined(item["name"], word(f"{item['size']}"))
    return Collected(found)


@step
def records() -> list[dict]:  # type: ignore[type-arg]
    return [{"name": "x", "sizes": [1, 2]}, {"name": "y", "sizes": [3]}]


@pipeline
def a_loop_over_mappings_of_a_step() -> list[str]:
    with ParallelFor(records()) as item:
        found = word(item["name"])
    return Collected(found)


@pipeline
def a_loop_in_a_loop() -> list[Any]:
    with ParallelFor([1, 2]) as left, ParallelFor([10, 20]) as right:
        summed = add(left, right)
    return flat(Collected(summed))


@pipeline
def a_loop_over_what_a_loop_gives() -> int:
    with ParallelFor([1, 2, 3]) as item:
        twice = double(item)
    with ParallelFor(Collected(twice)) as again:
        more = double(again)
    return total(Collected(more))


@pipeline
def a_loop_over_a_field() -> int:
    with ParallelFor(records()) as record, ParallelFor(record["sizes"]) as size:
        twice = double(size)
    return total(flat(Collected(twice)))


@pipeline
def a_limited_loop() -> int:
    with ParallelFor([1, 2, 3, 4], parallelism=1) as item:
        twice = double(item)
    return total(Collected(twice))


@pipeline
def an_empty_loop() -> int:
    with ParallelFor(numbers(0)) as item:
        twice = double(item)
    return total(Collected(twice))


@pipeline
def a_condition_in_a_loop() -> int:
    with ParallelFor([1, 2, 3, 4]) as item, If(item > 2):
        twice = double(item)
    return total(Collected(twice))


@pipeline
def a_choice_in_a_loop() -> list[str]:
    with ParallelFor([1, 5]) as item:
        with If(item > 2):
            big = word("big")
        with Else():
            small = word("small")
        found = joined(OneOf(big, small), "!")
    return Collected(found)


@pipeline
def a_loop_in_a_branch(value: int = 5) -> int:
    found = number(value)
    with If(found > 2):
        with ParallelFor([1, 2]) as item:
            twice = add(item, found)
        large = total(Collected(twice))
    with Else():
        small = number(0)
    return OneOf(large, small)


@pipeline
def a_loop_that_uses_outer_values(base: int = 100) -> int:
    with ParallelFor([1, 2]) as item:
        summed = add(item, base)
    return total(Collected(summed))


@pipeline
def several_steps_in_a_loop() -> list[str]:
    with ParallelFor([1, 2]) as item:
        twice = double(item)
        text = word(f"{twice} of {item}")
    return Collected(text)


@pipeline
def all_outputs_of_a_loop() -> dict[str, Any]:
    with ParallelFor([1, 2]) as item:
        twice, text = double(item), word(f"n{item}")
    return {"numbers": Collected(twice), "texts": Collected(text)}


_SELECTS = "it picks fields of a loop's item in the loop itself alone"
_WHOLE = "it writes whole numbers into texts as 1.0"
CASES = [
    Case(pipeline=a_loop_over_constants, gives={"Output": 12}),
    Case(pipeline=a_loop_over_an_output, gives={"Output": 20}),
    Case(pipeline=a_loop_over_an_input, gives={"Output": 22}),
    Case(pipeline=a_loop_over_texts, gives={"Output": ["a!", "b!", "c!"]}),
    Case(pipeline=a_loop_over_mappings, gives={"Output": ["a1", "b2"]}, why_not_local=_WHOLE),
    Case(pipeline=a_loop_over_mappings_of_a_step, gives={"Output": ["x", "y"]}),
    Case(pipeline=a_loop_in_a_loop, gives={"Output": [11, 21, 12, 22]}),
    Case(
        pipeline=a_loop_over_what_a_loop_gives,
        gives={"Output": 24},
        why_not_local="it looks for the items in a task of another name",
    ),
    Case(pipeline=a_loop_over_a_field, gives={"Output": 12}, why_not_local=_SELECTS),
    Case(pipeline=a_limited_loop, gives={"Output": 20}),
    Case(
        pipeline=an_empty_loop,
        gives={"Output": 0},
        why_not_local="it has no outputs of loops without items",
    ),
    Case(
        pipeline=a_condition_in_a_loop,
        gives={"Output": 14},
        why_not_local="it has no outputs of branches that were not taken",
    ),
    Case(pipeline=a_choice_in_a_loop, gives={"Output": ["small!", "big!"]}),
    Case(pipeline=a_loop_in_a_branch, gives={"Output": 13}),
    Case(pipeline=a_loop_in_a_branch, given={"value": 1}, gives={"Output": 0}),
    Case(pipeline=a_loop_that_uses_outer_values, gives={"Output": 203}),
    Case(
        pipeline=several_steps_in_a_loop,
        gives={"Output": ["2 of 1", "4 of 2"]},
        why_not_local=_WHOLE,
    ),
    Case(
        pipeline=all_outputs_of_a_loop,
        gives={"numbers": [2, 4], "texts": ["n1", "n2"]},
        why_not_local=_WHOLE,
    ),
]
