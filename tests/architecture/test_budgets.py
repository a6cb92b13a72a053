"""Sizes that a reader can hold in mind."""

from collections import Counter
from pathlib import Path

from tests.architecture import house

FILE_LINES = 600
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
    """Commands are left out: each of their options is a parameter."""
    many = {
        f"{house.place(file, node.lineno)} {node.name}": len(house.parameters(node))
        for file in house.python_files()
        if "commands" not in str(file.relative_to(house.SOURCE))
        for node in house.functions(house.parsed(file))
        if len(house.parameters(node)) > PARAMETERS
    }
    assert many == {}


def test_no_service_has_more_verbs_than_its_budget() -> None:
    count = Counter(f"{verb.room}.{verb.service}" for verb in house.verbs())
    assert {service: verbs for service, verbs in count.items() if verbs > VERBS} == {}
