"""Bodies of `/invocations` become what MLflow's own scoring server made of them.

`mlflow_invocations.json` was written by `oracle_mlflow.py`: each body, MLflow's status, and the
rows that its model was given, or MLflow's error code.
"""

import json
import math
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from athanor.kernel.errors import AthanorError
from athanor.serving.errors import TooManyRecords
from athanor.serving.errors.protocols import InvocationRefused
from athanor.serving.logic import mlflow
from athanor.serving.logic.signature import parse
from athanor.serving.plane.dialects.mlflow import Invocations, media_type
from athanor.serving.plane.dialects.parquet import as_split
from athanor.serving.types import InputColumn, Signature

RECORDED: list[list[Any]] = json.loads(
    Path(__file__).with_name("mlflow_invocations.json").read_text("utf-8")
)
SIGNATURE = Signature(
    columns=tuple(
        InputColumn(name=name, type=type_)
        for name, type_ in (
            ("d", "double"),
            ("f", "float"),
            ("l", "long"),
            ("i", "integer"),
            ("s", "string"),
            ("b", "boolean"),
        )
    )
)


def row(**changes: Any) -> dict[str, Any]:
    return {"d": 1.5, "f": 2.5, "l": 7, "i": 8, "s": "blue", "b": True} | changes


def answered(type_: str, text: str) -> tuple[int, Any]:
    """Our status, and the rows or the error code."""
    try:
        if media_type(type_) == "text/csv":
            found = mlflow.read_csv(SIGNATURE, text.encode(), 100)
        else:
            found = mlflow.read_json(SIGNATURE, text.encode(), 100)
    except AthanorError as error:
        told = Invocations().refuse(error)
        if told.content_type.startswith(b"text/plain"):
            return told.status, ""
        return told.status, json.loads(told.body)["error_code"]
    return 200, [[plain(value) for value in row] for row in found.rows]


def plain(value: Any) -> Any:
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def test_every_body_is_read_as_mlflow_reads_it() -> None:
    different = [
        (text, status, told, ours)
        for type_, text, status, told in RECORDED
        if (ours := answered(type_, text)) != (status, told)
    ]
    # What pandas wraps around or repeats, and lists where the signature says single values.
    strange = ("2147483648", "9007199254740993", "1e+300", "[]", "[1]", '"index": [0, 1]')
    for text, status, told, ours in different:
        assert (status, ours[0]) == (200, 400), (text, told, ours)
        assert any(item in text for item in strange), (text, told, ours)
    assert len(RECORDED) > 1_200
    assert len(different) <= 14


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"dataframe_records": [row(), row(d="x")]}, "d to type 'float64' in row 1"),
        ({"inputs": {"d": [1.5]}}, "['f', 'l', 'i', 's', 'b']"),
        ({"instances": [row(l=None)]}, "l to type 'int64' in row 0"),
        ({"dataframe_records": [row(s="\ud800")]}, "s to type"),
        ({"dataframe_records": [row(s=10**70)]}, "s to type"),
    ],
)
def test_refusals_name_column_and_row(body: Any, said: str) -> None:
    with pytest.raises(AthanorError) as refused:
        mlflow.read_json(SIGNATURE, json.dumps(body).encode(), 100)
    assert said in refused.value.message
    assert refused.value.hint
    with pytest.raises(AthanorError, match="records came"):
        mlflow.read_json(SIGNATURE, json.dumps({"dataframe_records": [row()] * 9}).encode(), 8)


def test_a_model_without_names_reads_values_by_place() -> None:
    columns = tuple(InputColumn(name=f"x{place}", type="double") for place in range(4))
    for body, expected in (
        ({"inputs": [[1, 2.5, 3, 4], [5, 6, 7, 8]]}, [[1.0, 2.5, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]),
        ({"instances": [[[1, 2], [3, 4]]]}, [[1.0, 2.0, 3.0, 4.0]]),
        ({"dataframe_split": {"data": [[1, 2, 3, 4]]}}, [[1.0, 2.0, 3.0, 4.0]]),
    ):
        found = mlflow.read_json(Signature(columns=columns), json.dumps(body).encode(), 100)
        assert found.rows == expected
    with pytest.raises(AthanorError):
        mlflow.read_json(Signature(columns=columns), b'{"inputs": [[1, 2, 3]]}', 100)


def test_a_model_that_reads_a_tensor_reads_columns_of_other_names_by_place() -> None:
    columns = tuple(InputColumn(name=f"x{place}", type="double") for place in range(2))
    signature = Signature(columns=columns)

    def read(body: Any) -> Any:
        return mlflow.read_json(signature, json.dumps(body).encode(), 9).rows

    records: list[Any] = [{"b": 1, "a": 2}, {"a": 4, "b": 3}]
    assert read({"dataframe_records": records}) == [[1.0, 2.0], [3.0, 4.0]]
    assert mlflow.read_csv(signature, b"b,a\n1,2\n", 9).rows == [[1.0, 2.0]]
    assert mlflow.read_csv(signature, b"x1,x0\n1,2\n", 9).rows == [[2.0, 1.0]]
    for odd in ([{"b": 1, "c": 2}, {"a": 4, "b": 3}], [{"b": 1}], [[[1, 2]]]):
        with pytest.raises(InvocationRefused):
            read({"dataframe_records": odd})
    with pytest.raises(InvocationRefused):
        mlflow.read_csv(signature, b"b,a,c\n1,2,3\n", 9)


def test_a_model_without_a_signature_reads_values_by_place() -> None:
    columns = tuple(InputColumn(name=name, type="double", required=False) for name in "ab")
    signature = Signature(columns=columns)
    bodies: list[Any] = [{name: [[1, 2]]} for name in ("inputs", "instances")]
    bodies.append({"dataframe_split": {"data": [[1, 2]]}})
    for body in bodies:
        assert mlflow.read_json(signature, json.dumps(body).encode(), 9).rows == [[1.0, 2.0]]
    split = {"columns": ["b", "a"], "data": [[1, 2]]}
    found = mlflow.read_json(signature, json.dumps({"dataframe_split": split}).encode(), 9)
    assert found.rows == [[2.0, 1.0]]
    split["columns"] = ["c", "d"]
    bodies = [{"dataframe_split": split}, {"inputs": [[1]]}, {"inputs": [[[1], 2]]}]
    for body in bodies:
        with pytest.raises(InvocationRefused):
            mlflow.read_json(signature, json.dumps(body).encode(), 9)
    deep = b'{"inputs": ' + b"[" * 500 + b"1" + b"]" * 500 + b"}"
    with pytest.raises(InvocationRefused):
        mlflow.read_json(signature, deep, 9)


def test_columns_that_are_named_x0_and_x1_are_read_by_name() -> None:
    columns = tuple(InputColumn(name=f"x{place}", type="double") for place in range(2))
    split = {"columns": ["x1", "x0"], "data": [[1, 2]]}
    found = mlflow.read_json(
        Signature(columns=columns), json.dumps({"dataframe_split": split}).encode(), 9
    )
    assert found.rows == [[2.0, 1.0]]
    split["columns"] = ["a", "b"]  # of a model that reads one tensor
    found = mlflow.read_json(
        Signature(columns=columns), json.dumps({"dataframe_split": split}).encode(), 9
    )
    assert found.rows == [[1.0, 2.0]]
    with pytest.raises(InvocationRefused, match="must be a dictionary"):
        mlflow.read_json(Signature(columns=columns), b'{"dataframe_split": [[1, 2]]}', 9)


@pytest.mark.parametrize("index", ["a", 5, 1.5, True])
def test_an_index_that_is_none_is_refused(index: Any) -> None:
    split = {"columns": ["x"], "data": [[1]], "index": index}
    signature = Signature(columns=(InputColumn(name="x", type="double"),))
    with pytest.raises(InvocationRefused, match="split"):
        mlflow.read_json(signature, json.dumps({"dataframe_split": split}).encode(), 9)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("n,b\nTrue,1\nfalse,0\n", [[1, True], [0, False]]),
        ("n,b\n3,True\n   \n4,TRUE\n", [[3, True], [4, True]]),
        ("n,b\n0,1,5,True\n0,2,6,True\n", [[5, True], [6, True]]),
        ("n,b\nTrue,True\n4,True\n", None),
        ("n,b\n4,True\n4,1\n", None),
        ("n,b\n4,7\n", None),
    ],
)
def test_cells_of_csv_are_seen_by_column(text: str, rows: Any) -> None:
    columns = (InputColumn(name="n", type="long"), InputColumn(name="b", type="boolean"))
    if rows is not None:
        assert mlflow.read_csv(Signature(columns=columns), text.encode(), 9).rows == rows
        return
    with pytest.raises(InvocationRefused):
        mlflow.read_csv(Signature(columns=columns), text.encode(), 9)


@pytest.mark.parametrize(
    "text", ['{"dataframe_records": [{"x": "\\ud800"}]}', '{"inputs": [%s]}' % ("9" * 400)]
)
def test_bytes_that_are_none_are_refused_by_column_and_row(text: str) -> None:
    signature = Signature(columns=(InputColumn(name="x", type="binary"),))
    with pytest.raises(AthanorError, match="column x to type 'object' in row 0"):
        mlflow.read_json(signature, text.encode(), 100)
    assert mlflow.read_csv(signature, b"x\nYQ==\n", 100).rows == [["YQ=="]]
    records = {"records": [{"x": "YQ=="}]}
    assert parse(signature, records).rows == [["YQ=="]]
    with pytest.raises(AthanorError, match="bytes as base64"):
        parse(signature, {"records": [{"x": 5}]})


TABLE = pa.schema({"d": "f8", "f": "f4", "l": "i8", "i": "i4", "s": "str", "b": "bool"})


def stored(table: pa.Table) -> bytes:
    file = BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def test_a_table_of_parquet_is_read_as_its_rows_in_json() -> None:
    rows = [row(), row(d=None, s="é", b=False)]
    table = stored(pa.Table.from_pylist(rows, TABLE))
    found = mlflow.read_json(SIGNATURE, as_split(table, 2, SIGNATURE), 2)
    assert found.rows == mlflow.read_json(SIGNATURE, json.dumps({"inputs": rows}).encode(), 2).rows
    with pytest.raises(TooManyRecords):
        as_split(table, 1, SIGNATURE)


def test_infinity_in_parquet_stays_what_it_is() -> None:
    table = stored(pa.Table.from_pylist([row(d=math.inf, f=-math.inf), row(d=None)], TABLE))
    found = mlflow.read_json(SIGNATURE, as_split(table, 2, SIGNATURE), 2)
    assert [values[:2] for values in found.rows] == [[math.inf, -math.inf], [None, 2.5]]


@pytest.mark.parametrize(
    ("name", "value", "type_", "fits"),
    [
        ("d", 2, "i4", True),
        ("d", None, "i8", True),
        ("d", 1, "i8", True),
        ("d", 2, "i8", False),
        ("d", "2", "str", False),
        ("f", 2.5, "f8", False),
        ("f", 0, "i8", True),
        ("l", 2, "i1", True),
        ("l", 2, "u4", True),
        ("l", 2, "u8", False),
        ("l", 2.5, "f8", False),
        ("l", None, "i8", False),
        ("i", 2, "i8", False),
        ("i", True, "bool", False),
        ("b", 1, "i8", False),
    ],
)
def test_numbers_of_parquet_are_converted_where_nothing_is_lost(
    name: str, value: Any, type_: str, *, fits: bool
) -> None:
    """As pyfunc's schema enforcement of MLflow does with the frame that it makes of the table."""
    table = pa.Table.from_pylist([row()], TABLE)
    column = pa.array([value], pa.type_for_alias(type_))
    changed = stored(table.set_column(TABLE.get_field_index(name), name, column))
    if fits:
        assert mlflow.read_json(SIGNATURE, as_split(changed, 2, SIGNATURE), 2).rows
        return
    with pytest.raises(InvocationRefused, match=f"types for column {name}") as refused:
        as_split(changed, 2, SIGNATURE)
    assert refused.value.name == "INVALID_PARAMETER_VALUE"


def test_a_small_file_of_parquet_that_holds_very_much_is_refused() -> None:
    texts = [f"{'x' * 100_000}{at}" for at in range(100)]
    file = BytesIO()
    pq.write_table(pa.table({"s": texts}), file, compression="zstd")
    assert len(file.getvalue()) < 100_000
    with pytest.raises(InvocationRefused, match="can't be read as Parquet"):
        as_split(file.getvalue(), 1_000, SIGNATURE)
