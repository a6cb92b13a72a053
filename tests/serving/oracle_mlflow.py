"""What MLflow's own scoring server makes of many bodies, for `mlflow_invocations.json`.

`python oracle_mlflow.py FILE` in an environment with the whole of MLflow. The model's predictions
are the rows that it was given, so that each coercion shows.
"""

# ruff: noqa: ANN001, ANN003, ANN201 - a script for an environment without our checks
import json
import math
import sys
import tempfile
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.pyfunc import scoring_server
from mlflow.types import ColSpec, Schema

COLUMNS = {
    "d": ("double", 1.5),
    "f": ("float", 2.5),
    "l": ("long", 7),
    "i": ("integer", 8),
    "s": ("string", "blue"),
    "b": ("boolean", True),
}
VALUES = [
    None, 0, 1, -1, 2, 33.5, -33.9, 1.0, 0.1, 1e300, -0.0, 2**31, 2**53 + 1,
    True, False, "", " 7 ", "12", "1.5", "abc", "nan", "NaN", "inf", "-inf", "1_0", "1e3", "0x10",
    "True", "False", "None", "café", [1], [], {}, {"a": 1}, float("nan"), float("inf"),
]  # fmt: skip


class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        if not isinstance(model_input, pd.DataFrame):
            raise TypeError("no frame")
        if not len(model_input):
            raise ValueError("no rows")
        missing = [name for name in COLUMNS if name not in model_input]
        if missing:
            raise ValueError(f"missing {missing}")
        return [
            [plain(value) for value in row]
            for row in model_input[list(COLUMNS)].to_numpy(object).tolist()
        ]


def plain(value):
    if (
        value is None
        or value is pd.NaT
        or value is pd.NA
        or (isinstance(value, float) and math.isnan(value))
    ):
        return None
    if isinstance(value, float) and math.isinf(value):
        return str(value)
    return value.item() if hasattr(value, "item") else value


def row(**changes):
    return {name: value for name, (_, value) in COLUMNS.items()} | changes


def split(rows):
    return {"columns": list(COLUMNS), "data": [[item[name] for name in COLUMNS] for item in rows]}


def by_column(rows):
    return {name: [item[name] for item in rows] for name in COLUMNS}


def bodies():
    for name in COLUMNS:
        for value in VALUES:
            changed = row(**{name: value})
            yield {"dataframe_records": [changed]}
            yield {"dataframe_split": split([row(), changed])}
            yield {"instances": [changed]}
            yield {"inputs": by_column([changed, row()])}
        lacking = {key: value for key, value in row().items() if key != name}
        for form in ("dataframe_records", "instances", "inputs"):
            yield {form: [lacking]}
            yield {form: [lacking, row()]}
            yield {form: [row(), lacking]}
        yield {"inputs": {key: [value] for key, value in lacking.items()}}
        yield {"inputs": by_column([row(), row()]) | {name: [row()[name]]}}
        yield {"instances": by_column([row(), row()]) | {name: [row()[name]]}}
        yield {"inputs": by_column([row(), row()]) | {name: row()[name]}}
        yield {"dataframe_split": {"columns": list(lacking), "data": [list(lacking.values())]}}
    whole = {form: [row()] for form in ("dataframe_records", "instances", "inputs")}
    for form, data in whole.items():
        yield {form: data, "params": {"a": 1}}
        yield {form: data, "params": 5}
        yield {form: data, "else": 5}
        yield {form: [row(extra=5)]}
        yield {form: []}
        yield {form: {}}
        yield {form: None}
        yield {form: 5}
        yield {form: "x"}
        yield {form: [5]}
        yield {form: [[1, 2]]}
        yield {form: [list(row().values())]}
        yield {form: [row(), 5]}
        yield {form: [5, row()]}
        yield {form: [None]}
        yield {form: row()}
        yield {form: by_column([row(), row()])}
        yield {form: dict(reversed(row().items()))}
        yield {form: [dict(reversed(row().items()))]}
    yield {"dataframe_records": [row()], "instances": [row()]}
    yield {"dataframe_records": [row()], "dataframe_split": split([row()])}
    yield {}
    yield {"else": 1}
    yield {"params": {}}
    for changes in (
        {"columns": list(COLUMNS)}, {"data": [list(row().values())]},
        split([row()]) | {"index": [0]}, split([row()]) | {"index": [0, 1]},
        split([row()]) | {"index": ["x"]}, split([row()]) | {"more": 1},
        split([]), split([row()]) | {"data": []}, split([row()]) | {"columns": []},
        split([row()]) | {"columns": [*COLUMNS, "more"]}, split([row()]) | {"data": {}},
        split([row()]) | {"columns": None}, split([row()]) | {"columns": "abc"},
        split([row()]) | {"data": [[1]]}, split([row()]) | {"data": [row()]},
        split([row()]) | {"data": [[*row().values(), 5]]}, split([row()]) | {"data": 5},
        split([row()]) | {"columns": [*list(COLUMNS)[:-1], next(iter(COLUMNS))]},
        split([row(), row()]) | {"data": [list(row().values()), list(row().values())[:-1]]},
    ):  # fmt: skip
        yield {"dataframe_split": changes}
    yield {"prompt": "x"}
    yield {"messages": [], "dataframe_records": [row()]}


TEXTS = [
    "",
    "{",
    "[]",
    "[1]",
    "5",
    "null",
    '"x"',
    '{"dataframe_records": [',
    "\ufeff{}",
    "{'a': 1}",
]
HEAD = ",".join(COLUMNS)
LINE = "1.5,2.5,7,8,blue,True"
TABLES = [
    f"{HEAD}\n{LINE}\n",
    f"{HEAD}\n{LINE}",
    f"{HEAD}\r\n{LINE}\r\n{LINE}\r\n",
    f"{HEAD}\n",
    HEAD,
    "",
    "\n",
    f"{HEAD}\n\n{LINE}\n\n",
    f"{HEAD},x\n{LINE},y\n",
    f"{HEAD}\n9,{LINE}\n",
    f"{HEAD}\n{LINE},9,9\n",
    f"{HEAD}\n1.5,2.5,7,8,blue\n",
    f"{HEAD}\n1.5,2.5,7\n",
    f'{HEAD}\n1.5,2.5,7,8,"b,l""ue\nx",True\n',
    f"{HEAD}\n{LINE}\n{LINE},4\n",
    "l,d,f,i,s,b\n7,1.5,2.5,8,blue,True\n",
    f"d,{HEAD}\n1,{LINE}\n",
    f" {HEAD}\n{LINE}\n",
    f"\ufeff{HEAD}\n{LINE}\n",
    f'{HEAD}\n1.5,2.5,7,8,"blue,True\n',
    f"{HEAD.replace(',', ';')}\n{LINE.replace(',', ';')}\n",
]
CELLS = [
    "",
    "NA",
    "nan",
    "null",
    "None",
    "N/A",
    "abc",
    "1",
    "0",
    "33.5",
    "33.0",
    " 7",
    "7 ",
    "1e3",
    "inf",
    "True",
    "TRUE",
    "true",
    "False",
    "yes",
    "1_0",
    "+5",
    "-5",
    '"7"',
    "0x10",
    "007",
]
TYPES = [
    "application/json",
    "application/json; charset=utf-8",
    "application/json;charset=UTF-8",
    "application/json; charset=latin-1",
    "application/json; format=pandas-split",
    "text/plain",
    "application/x-www-form-urlencoded",
    "text/csv; charset=utf-8",
    "text/csv; header=present",
    "application/jsonlines",
    "Application/JSON",
    "image/png",
    "application/json; charset=utf-8; x=1",
]


def cases():
    for body in bodies():
        yield "application/json", json.dumps(body)
    for text in TEXTS:
        yield "application/json", text
    for text in TABLES:
        yield "text/csv", text
    for place in range(len(COLUMNS)):
        for cell in CELLS:
            cells = LINE.split(",")
            cells[place] = cell
            yield "text/csv", f"{HEAD}\n{LINE}\n{','.join(cells)}\n"
    for type_ in TYPES:
        yield type_, json.dumps({"dataframe_records": [row()]})


def asked(model, type_, text):
    """What its route does, without the HTTP around it."""
    try:
        answer = scoring_server.invocations(
            text.encode(), type_, model, model.metadata.get_input_schema()
        )
    except MlflowException as error:
        return [type_, text, error.get_http_status_code(), error.error_code]
    if answer.status != 200:
        return [type_, text, answer.status, ""]
    told = json.loads(answer.response)
    return [type_, text, 200, told["predictions"] if isinstance(told, dict) else told]


if __name__ == "__main__":
    schema = Schema([ColSpec(type_, name) for name, (type_, _) in COLUMNS.items()])
    with tempfile.TemporaryDirectory() as folder:
        mlflow.pyfunc.save_model(
            f"{folder}/m", python_model=Echo(), signature=ModelSignature(inputs=schema)
        )
        model = mlflow.pyfunc.load_model(f"{folder}/m")
        found = [asked(model, *case) for case in cases()]
    with Path(sys.argv[1]).open("w") as file:
        file.write("[\n" + ",\n".join(json.dumps(item) for item in found) + "\n]\n")
    print(len(found), "answers of MLflow", mlflow.__version__)
