"""Sizes that a reader can hold in mind."""

import ast
from collections import Counter
from pathlib import Path

from tests.architecture import house

FILE_LINES = 540
FUNCTION_LINES = 60
PARAMETERS = 7
VERBS = 15


def _sources() -> list[Path]:
    pages = [
        file
        for folder in ("web/src", "clients/node/src")
        for file in sorted((house.ROOT / folder).rglob("*.ts*"))
        if not file.name.endswith(".d.ts")
    ]
    return house.python_files() + pages


def test_no_file_is_longer_than_its_budget() -> None:
    lengths = {house.place(file): len(file.read_text("utf-8").splitlines()) for file in _sources()}
    assert {file: lines for file, lines in lengths.items() if lines > FILE_LINES} == {}


def test_no_function_is_longer_than_its_budget() -> None:
    """Its docstring is not counted: explaining is free. Migrations are lists of tables."""
    long = {}
    for file in house.python_files():
        if file.is_relative_to(house.SOURCE / "kernel" / "migrations" / "versions"):
            continue
        for node in house.functions(house.parsed(file)):
            body = house.without_docstring(node.body)
            lines = (node.end_lineno or 0) - (body[0].lineno if body else node.lineno) + 1
            if lines > FUNCTION_LINES:
                long[f"{house.place(file, node.lineno)} {node.name}"] = lines
    assert long == {}


def test_no_function_has_more_parameters_than_its_budget() -> None:
    """What a person fills in is left out: a command's options, a pipeline's parameters.

    Of a route, what the caller gives is counted, not what is injected.
    """
    many = {}
    for file in house.python_files():
        for node in house.functions(house.parsed(file)):
            given = len(house.parameters(node)) - (_injected(node) if "routes" in str(file) else 0)
            if given > PARAMETERS and not _is_form(file, node):
                many[f"{house.place(file, node.lineno)} {node.name}"] = given
    assert many == {}


def _is_form(file: Path, node: house.Function) -> bool:
    decorators = {ast.unparse(item).partition("(")[0] for item in node.decorator_list}
    return "commands" in str(file.relative_to(house.SOURCE)) or bool(
        decorators & {"pipeline", "athanor.pipeline"}
    )


def _injected(node: house.Function) -> int:
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    kinds = [ast.unparse(item.annotation) for item in every if item.annotation is not None]
    return sum(kind in {"Caller", "Request"} or kind.startswith("The") for kind in kinds)


def test_no_service_has_more_verbs_than_its_budget() -> None:
    count = Counter(f"{verb.room}.{verb.service}" for verb in house.verbs())
    assert {service: verbs for service, verbs in count.items() if verbs > VERBS} == {}
