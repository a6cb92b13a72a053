"""Tables, files, folders, values, lists of artifacts, SQL."""

# What stands for an output while a pipeline is written down is Any to a type checker.
# mypy: disable-error-code="no-any-return,call-arg,arg-type,attr-defined,deprecated"

import pathlib
from typing import Annotated, Any, NamedTuple

import pandas as pd
import pyarrow as pa

from athanor import Collected, Else, If, OneOf, ParallelFor, pipeline, sql_step, step
from tests.pipelines.corpus.blocks import number
from tests.pipelines.corpus.cases import Case


@step
def made(rows: int) -> pd.DataFrame:
    return pd.DataFrame({"name": [f"n{i}" for i in range(rows)], "size": range(rows)})


@step
def summed(table: pd.DataFrame) -> int:
    return int(table["size"].sum())


@step
def counted(table: pa.Table) -> int:
    return int(table.num_rows)


@step
def file(text: str) -> pathlib.Path:
    path = pathlib.Path("note.txt")
    path.write_text(text)
    return path


@step
def text_of(path: pathlib.Path) -> str:
    return f"{path.name}: {path.read_text()}"


@step
def folder(text: str) -> pathlib.Path:
    place = pathlib.Path("folder")
    (place / "inner").mkdir(parents=True)
    (place / "inner" / "a.txt").write_text(text)
    (place / "b.txt").write_text("b")
    return place


@step
def names_in(place: pathlib.Path) -> list[str]:
    return sorted(path.relative_to(place).as_posix() for path in place.rglob("*.txt"))


@step
def value() -> object:
    return {"a": [1, 2.5, None], "b": {"c": "é"}}


@step
def field_of(found: object) -> str:
    return str(found["b"]["c"])  # type: ignore[index]


class Split(NamedTuple):
    left: pd.DataFrame
    right: pd.DataFrame
    cut: int


@step
def split(table: pd.DataFrame) -> Split:
    cut = len(table) // 2
    return Split(table.iloc[:cut], table.iloc[cut:], cut)


@step
def all_rows(tables: list[pd.DataFrame]) -> int:
    return sum(len(table) for table in tables)


@step
def several(count: int) -> list[pd.DataFrame]:
    return [pd.DataFrame({"size": range(i)}) for i in range(1, count + 1)]


@step
def maybe_counted(table: pd.DataFrame | None = None) -> int:
    return -1 if table is None else len(table)


@step
def scores() -> Annotated[dict[str, float], "metrics"]:
    return {"accuracy": 0.75}


@step
def accuracy(found: Annotated[dict[str, float], "metrics"]) -> float:
    return found["accuracy"]


@pipeline
def a_table() -> int:
    return summed(made(5))


@pipeline
def a_table_as_arrow() -> int:
    return counted(made(4))


@pipeline
def a_file() -> str:
    return text_of(file("hello"))


@pipeline
def a_folder() -> list[str]:
    return names_in(folder("x"))


@pipeline
def a_value_as_an_artifact() -> str:
    return field_of(value())


@pipeline
def tables_and_numbers_at_once() -> dict[str, Any]:
    parts = split(made(6))
    return {"left": summed(parts.left), "right": summed(parts.right), "cut": parts.cut}


@pipeline
def tables_of_a_loop() -> int:
    with ParallelFor([1, 2, 3]) as rows:
        table = made(rows)
    return all_rows(Collected(table))


@pipeline
def a_list_of_tables() -> int:
    return all_rows(several(3))


@pipeline
def a_loop_over_tables() -> list[int]:
    with ParallelFor(several(3)) as table:
        found = summed(table)
    return Collected(found)


@pipeline
def an_optional_table() -> dict[str, int]:
    return {"without": maybe_counted(), "given": maybe_counted(made(2))}


@pipeline
def a_table_into_a_branch(rows: int = 3) -> int:
    table, found = made(rows), number(rows)
    with If(found > 2):
        large = summed(table)
    with Else():
        small = number(0)
    return OneOf(large, small)


@pipeline
def one_of_two_tables(rows: int = 3) -> int:
    found = number(rows)
    with If(found > 2):
        large = made(5)
    with Else():
        small = made(1)
    return counted(OneOf(large, small))


@pipeline
def named_artifacts() -> float:
    return accuracy(scores())


top = sql_step("top.sql")
averaged = sql_step("SELECT avg(size) AS size FROM rows")


@pipeline
def a_query(least: int = 1) -> int:
    return summed(top(rows=made(6), least=least))


@pipeline
def a_query_with_a_limit() -> int:
    return counted(top(rows=made(6), least=0, limit=4))


@pipeline
def a_query_of_a_query() -> int:
    return summed(averaged(rows=top(rows=made(6), least=0)))


@pipeline
def inner_tables(table: pd.DataFrame) -> int:
    return summed(table)


@pipeline
def a_table_into_an_inner_pipeline() -> int:
    return inner_tables(made(4))


_LIST = "it takes lists of artifacts from loops alone"
CASES = [
    Case(pipeline=a_table, gives={"Output": 10}),
    Case(pipeline=a_table_as_arrow, gives={"Output": 4}),
    Case(pipeline=a_file, gives={"Output": "note.txt: hello"}),
    Case(pipeline=a_folder, gives={"Output": ["b.txt", "inner/a.txt"]}),
    Case(pipeline=a_value_as_an_artifact, gives={"Output": "é"}),
    Case(pipeline=tables_and_numbers_at_once, gives={"left": 3, "right": 12, "cut": 3}),
    Case(pipeline=tables_of_a_loop, gives={"Output": 6}),
    Case(pipeline=a_list_of_tables, gives={"Output": 6}),
    Case(pipeline=a_loop_over_tables, gives={"Output": [0, 1, 3]}),
    Case(pipeline=an_optional_table, gives={"without": -1, "given": 2}),
    Case(pipeline=a_table_into_a_branch, gives={"Output": 3}),
    Case(
        pipeline=one_of_two_tables,
        gives={"Output": 5},
        why_not_local="it knows OneOf for parameters alone",
    ),
    Case(pipeline=named_artifacts, gives={"Output": 0.75}),
    Case(pipeline=a_query, gives={"Output": 9}),
    Case(pipeline=a_query_with_a_limit, gives={"Output": 4}),
    Case(pipeline=a_query_of_a_query, gives={"Output": 4}),
    Case(
        pipeline=a_table_into_an_inner_pipeline,
        gives={"Output": 6},
        why_not_local="it hands no artifacts to inner pipelines",
    ),
]
