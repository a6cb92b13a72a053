"""Steps that the pipelines of the corpus share."""

from typing import Any

from athanor import step


@step
def number(value: int) -> int:
    return value


@step
def fraction(value: float) -> float:
    return value


@step
def word(value: str) -> str:
    return value


@step
def flag(value: bool) -> bool:
    return value


@step
def numbers(count: int = 3) -> list[int]:
    return list(range(1, count + 1))


@step
def mapping(value: str = "a") -> dict:  # type: ignore[type-arg]
    return {"name": value, "sizes": [1, 2], "deep": {"size": 5}}


@step
def double(value: int) -> int:
    return 2 * value


@step
def add(left: int, right: int) -> int:
    return left + right


@step
def joined(left: str, right: str) -> str:
    return f"{left}{right}"


@step
def total(values: list[int]) -> int:
    return sum(values)


@step
def flat(values: list[Any]) -> list[Any]:
    return [item for value in values for item in value]


@step
def fails(reason: str) -> str:
    raise ValueError(reason)
