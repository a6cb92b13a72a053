"""Parameters of all types, defaults, constants, optional ones, texts with values in them."""

# What stands for an output while a pipeline is written down is Any to a type checker.
# mypy: disable-error-code="no-any-return,call-arg,arg-type,attr-defined,deprecated"

import json
import os
import random
from typing import Any, NamedTuple

from athanor import pipeline, step
from tests.pipelines.corpus.blocks import (
    add,
    double,
    flag,
    fraction,
    joined,
    mapping,
    number,
    numbers,
    total,
    word,
)
from tests.pipelines.corpus.cases import Case


@pipeline
def a_constant() -> int:
    return number(7)


@pipeline
def a_runtime_parameter(value: int) -> int:
    return double(value)


@pipeline
def a_default(value: int = 4) -> int:
    return double(value)


@pipeline
def a_chain(value: int = 1) -> int:
    return double(double(double(value)))


@pipeline
def a_fan_in(value: int = 3) -> int:
    return add(double(value), number(1))


@pipeline
def a_text(value: str = "wörd 'quoted' \"twice\" {braces} $dollar") -> str:
    return word(value)


@pipeline
def an_empty_text() -> str:
    return joined("", "")


@pipeline
def lines_of_text(value: str = "one\ntwo\n\tthree\n") -> str:
    return word(value)


@pipeline
def a_fraction(value: float = 0.5) -> float:
    return fraction(value)


@pipeline
def a_whole_fraction(value: float = 3.0) -> float:
    return fraction(value)


@pipeline
def a_flag(value: bool = True) -> bool:  # noqa: FBT002
    return flag(value)


@pipeline
def a_list() -> int:
    return total([1, 2, 3])


@step
def kinds(values: list) -> list[str]:  # type: ignore[type-arg]
    return [type(item).__name__ for item in values]


@pipeline
def whole_numbers_in_a_list_stay_whole() -> list[str]:
    return kinds([1, 2.5, "a", True])


@step
def kinds_inside(value: dict) -> list[str]:  # type: ignore[type-arg]
    return [type(value[name]).__name__ for name in sorted(value)]


@pipeline
def whole_numbers_in_a_mapping_stay_whole() -> list[str]:
    return kinds_inside({"a": 1, "b": 2.5, "c": {"d": 1}})


@step
def deep(value: dict) -> str:  # type: ignore[type-arg]
    return json.dumps(value, sort_keys=True)


@pipeline
def a_deep_mapping() -> str:
    return deep({"a": [1, {"b": [2, 3]}], "c": {"d": None, "e": "é"}})


@step
def maybe(value: str | None = None) -> str:
    return "nothing" if value is None else value


@pipeline
def an_optional_input_left_out() -> str:
    return maybe()


@pipeline
def an_optional_input_given() -> str:
    return maybe("something")


@step
def with_defaults(left: int = 1, right: float = 0.5, name: str = "x", more: list[int] = [1]) -> str:  # noqa: B006
    return f"{left} {right} {name} {more}"


@pipeline
def defaults_of_a_step() -> str:
    return with_defaults(name="y")


@pipeline
def a_value_in_a_text(name: str = "Ada", count: int = 2) -> str:
    return word(f"Hello {name}, {double(count)} times!")


@pipeline
def a_value_in_a_list(count: int = 2) -> int:
    return total([1, double(count), count])


class Parts(NamedTuple):
    small: int
    large: str


@step
def parts(value: int) -> Parts:
    return Parts(value, str(value * 100))


@pipeline
def several_outputs(value: int = 3) -> dict[str, Any]:
    made = parts(value)
    return {"small": double(made.small), "large": word(made.large)}


@step
def pair() -> tuple[int, str]:
    return 1, "b"


@pipeline
def a_tuple_of_outputs() -> str:
    first, second = pair()
    return joined(word(second), word(f"{first}"))


@pipeline
def a_field_of_a_mapping() -> str:
    return word(mapping("q")["name"])


@pipeline
def a_field_of_a_field() -> int:
    return double(mapping()["deep"]["size"])


@pipeline
def an_item_of_a_list() -> int:
    return double(numbers(3)[1])


@pipeline
def nothing_to_return() -> None:
    number(1)
    word("a")


@pipeline
def several_pipeline_outputs(value: int = 2) -> dict[str, Any]:
    return {"twice": double(value), "list": numbers(value), "flag": flag(value=False)}


@step(seed=7)
def drawn() -> list[float]:
    return [round(random.random(), 6) for _ in range(2)]


@pipeline
def seeded_numbers() -> list[float]:
    return drawn()


@step(env={"FLAVOUR": "vanilla"})
def flavour() -> str:
    return os.environ["FLAVOUR"]


@pipeline
def a_variable_of_the_environment() -> str:
    return flavour()


@pipeline
def a_variable_of_one_task() -> dict[str, str]:
    changed = flavour()
    changed.set_env_variable("FLAVOUR", "mint")
    return {"own": flavour(), "changed": changed}


@pipeline
def two_tasks_in_order() -> str:
    first = number(1)
    return word("later").after(first).set_display_name("Later")


def plain(text: str, times: int = 2) -> str:
    return text * times


@pipeline
def wrapped_from_outside() -> str:
    return step(plain)("ab")


@pipeline
def with_settings_of_one_call() -> int:
    return double.using(retries=2, cpu=0.5, memory="200M", timeout=60)(21)


@step(cache="always the same")
def own_key(value: int) -> int:
    return value


@pipeline
def a_cache_key_of_ones_own(value: int = 1) -> int:
    return own_key(value)


_WHOLE = "it writes whole numbers into texts as 1.0"
CASES = [
    Case(pipeline=a_constant, gives={"Output": 7}),
    Case(pipeline=a_runtime_parameter, given={"value": 5}, gives={"Output": 10}),
    Case(pipeline=a_default, gives={"Output": 8}),
    Case(pipeline=a_chain, gives={"Output": 8}),
    Case(pipeline=a_fan_in, gives={"Output": 7}),
    Case(pipeline=a_text, gives={"Output": "wörd 'quoted' \"twice\" {braces} $dollar"}),
    Case(pipeline=an_empty_text, gives={"Output": ""}),
    Case(pipeline=lines_of_text, gives={"Output": "one\ntwo\n\tthree\n"}),
    Case(pipeline=a_fraction, gives={"Output": 0.5}),
    Case(pipeline=a_whole_fraction, gives={"Output": 3.0}),
    Case(pipeline=a_flag, gives={"Output": True}),
    Case(pipeline=a_list, gives={"Output": 6}),
    Case(
        pipeline=whole_numbers_in_a_list_stay_whole,
        gives={"Output": ["int", "float", "str", "bool"]},
    ),
    Case(
        pipeline=whole_numbers_in_a_mapping_stay_whole,
        gives={"Output": ["int", "float", "dict"]},
    ),
    Case(
        pipeline=a_deep_mapping,
        gives={"Output": '{"a": [1, {"b": [2, 3]}], "c": {"d": null, "e": "\\u00e9"}}'},
        why_not_local="it can't hand nulls on",
    ),
    Case(pipeline=an_optional_input_left_out, gives={"Output": "nothing"}),
    Case(pipeline=an_optional_input_given, gives={"Output": "something"}),
    Case(pipeline=defaults_of_a_step, gives={"Output": "1 0.5 y [1]"}),
    Case(
        pipeline=a_value_in_a_text,
        given={"name": "Eve"},
        gives={"Output": "Hello Eve, 4 times!"},
        why_not_local=_WHOLE,
    ),
    Case(
        pipeline=a_value_in_a_list,
        gives={"Output": 7},
        why_not_local="it puts values into lists as texts",
    ),
    Case(pipeline=several_outputs, gives={"small": 6, "large": "300"}),
    Case(pipeline=a_tuple_of_outputs, gives={"Output": "b1"}, why_not_local=_WHOLE),
    Case(
        pipeline=a_field_of_a_mapping,
        gives={"Output": "q"},
        why_not_local="it picks fields of a pipeline's inputs alone",
    ),
    Case(
        pipeline=a_field_of_a_field,
        gives={"Output": 10},
        why_not_local="it picks fields of a pipeline's inputs alone",
    ),
    Case(
        pipeline=an_item_of_a_list,
        gives={"Output": 4},
        why_not_local="it picks fields of a pipeline's inputs alone",
    ),
    Case(pipeline=nothing_to_return),
    Case(pipeline=several_pipeline_outputs, gives={"twice": 4, "list": [1, 2], "flag": False}),
    Case(pipeline=seeded_numbers, gives={"Output": [0.323833, 0.150849]}),
    Case(pipeline=a_variable_of_the_environment, gives={"Output": "vanilla"}),
    Case(pipeline=a_variable_of_one_task, gives={"own": "vanilla", "changed": "mint"}),
    Case(pipeline=two_tasks_in_order, gives={"Output": "later"}),
    Case(pipeline=wrapped_from_outside, gives={"Output": "abab"}),
    Case(pipeline=with_settings_of_one_call, gives={"Output": 42}),
    Case(pipeline=a_cache_key_of_ones_own, gives={"Output": 1}),
]
