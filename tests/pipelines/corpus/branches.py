"""If, Elif, Else and OneOf."""

# What stands for an output while a pipeline is written down is Any to a type checker.
# mypy: disable-error-code="no-any-return,call-arg,arg-type,attr-defined,deprecated"

from typing import NamedTuple

from athanor import Elif, Else, If, OneOf, pipeline, step
from tests.pipelines.corpus.blocks import add, double, flag, fraction, joined, number, word
from tests.pipelines.corpus.cases import Case


@pipeline
def an_if_that_holds(value: int = 5) -> int:
    found = number(value)
    with If(found > 3):
        word("big")
    return found


@pipeline
def an_if_that_does_not_hold(value: int = 1) -> int:
    found = number(value)
    with If(found > 3):
        word("big")
    return found


@pipeline
def an_if_on_an_input(value: str = "go") -> int:
    with If(value == "go"):
        word("went")
    return number(1)


@pipeline
def an_if_on_a_flag() -> int:
    yes = flag(value=True)
    with If(yes):
        word("yes")
    return number(2)


@pipeline
def a_chosen_branch(value: int) -> str:
    found = number(value)
    with If(found == 1):
        one = word("one")
    with Elif(found == 2):
        two = word("two")
    with Else():
        many = word("many")
    return OneOf(one, two, many)


@pipeline
def one_of_and_on(value: float = 0.25) -> str:
    found = fraction(value)
    with If(found < 0.5):
        low = word("low")
    with Else():
        high = word("high")
    return joined(OneOf(low, high), "!")


class Judged(NamedTuple):
    score: float
    label: str


@step
def judged(score: float) -> Judged:
    return Judged(score, "good" if score > 0.8 else "bad")


@pipeline
def a_condition_on_a_named_output(score: float = 0.9) -> str:
    found = judged(score)
    with If((found.score >= 0.8) & (found.label == "good")):
        taken = word("deploy")
    with Else():
        left = word("stop")
    return OneOf(taken, left)


@pipeline
def joined_conditions(value: int = 7) -> str:
    found = number(value)
    with If((found > 5) & (found < 10)):
        inside = word("inside")
    with Elif((found == 1) | ~(found > -5)):
        edge = word("edge")
    with Else():
        outside = word("outside")
    return OneOf(inside, edge, outside)


@pipeline
def an_if_in_an_if(value: int = 8) -> int:
    found = number(value)
    with If(found > 3):
        twice = double(found)
        with If(twice > 10):
            word("very big")
        word("big")
    return found


@pipeline
def a_branch_that_uses_outer_values(value: int = 2) -> int:
    left, right = number(value), number(10)
    with If(left < right):
        small = add(left, right)
    with Else():
        large = double(left)
    return OneOf(small, large)


@pipeline
def two_outputs_compared(value: int = 2) -> str:
    left, right = number(value), double(value)
    with If(left == right):
        equal = word("equal")
    with Else():
        other = word("other")
    return OneOf(equal, other)


@pipeline
def after_a_skipped_branch() -> int:
    found = number(1)
    with If(found > 3):
        number(100)
    return number(5)


@pipeline
def a_text_that_looks_like_a_condition(value: str = "' or True or '") -> str:
    found = word(value)
    with If(found == "go"):
        went = word("went")
    with Else():
        stayed = word("stayed")
    return OneOf(went, stayed)


@pipeline
def several_one_ofs(value: int = 1) -> dict[str, str]:
    found = number(value)
    with If(found == 1):
        first, second = word("a"), word("b")
    with Else():
        third, fourth = word("c"), word("d")
    return {"left": OneOf(first, third), "right": OneOf(second, fourth)}


_HELD = {"condition-1": "done"}
_SKIPPED = {"condition-1": "skipped"}
CASES = [
    Case(pipeline=an_if_that_holds, gives={"Output": 5}, states=_HELD),
    Case(pipeline=an_if_that_does_not_hold, gives={"Output": 1}, states=_SKIPPED),
    Case(pipeline=an_if_on_an_input, gives={"Output": 1}, states=_HELD),
    Case(
        pipeline=an_if_on_an_input,
        given={"value": "stop"},
        gives={"Output": 1},
        states=_SKIPPED,
    ),
    Case(pipeline=an_if_on_a_flag, gives={"Output": 2}, states=_HELD),
    *(
        Case(pipeline=a_chosen_branch, given={"value": value}, gives={"Output": text})
        for value, text in ((1, "one"), (2, "two"), (3, "many"))
    ),
    Case(pipeline=one_of_and_on, gives={"Output": "low!"}),
    Case(pipeline=a_condition_on_a_named_output, gives={"Output": "deploy"}),
    Case(pipeline=a_condition_on_a_named_output, given={"score": 0.5}, gives={"Output": "stop"}),
    *(
        Case(pipeline=joined_conditions, given={"value": value}, gives={"Output": text})
        for value, text in ((7, "inside"), (1, "edge"), (-9, "edge"), (3, "outside"))
    ),
    Case(
        pipeline=an_if_in_an_if,
        gives={"Output": 8},
        states={"condition-1/condition-1": "done"},
    ),
    Case(
        pipeline=an_if_in_an_if,
        given={"value": 4},
        gives={"Output": 4},
        states={"condition-1/condition-1": "skipped", "condition-1/word": "done"},
    ),
    Case(pipeline=a_branch_that_uses_outer_values, gives={"Output": 12}),
    Case(pipeline=two_outputs_compared, gives={"Output": "other"}),
    Case(pipeline=two_outputs_compared, given={"value": 0}, gives={"Output": "equal"}),
    Case(pipeline=after_a_skipped_branch, gives={"Output": 5}),
    Case(
        pipeline=a_text_that_looks_like_a_condition,
        gives={"Output": "stayed"},
        why_not_local="it works conditions out by Python's eval on pasted text",
    ),
    Case(pipeline=several_one_ofs, gives={"left": "a", "right": "b"}),
]
