"""The Open Inference Protocol (v2): requests into rows, predictions into tensors.

A model's inputs are its columns, each a tensor of shape [-1] (or [-1, 1]); a model whose columns
are all numbers also takes one tensor of shape [-1, columns]. Its outputs are `predict`, the labels
or values, and, of a classifier, `predict_proba` with a column a class.

A null in `data`, and NaN in a float tensor, is a missing value.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from athanor.serving.errors import BadPrediction, TooManyRecords
from athanor.serving.errors.protocols import InferenceRefused, TensorRefused
from athanor.serving.logic.frames import Hello
from athanor.serving.logic.predictions import Predicted
from athanor.serving.logic.signature import Parsed, checked, rows_of
from athanor.serving.logic.tensors import (
    BINARY_ONLY,
    DATATYPES,
    OF_COLUMN,
    Datatype,
    decoded,
    encoded,
    flattened,
)
from athanor.serving.logic.tensors import checked as checked_values
from athanor.serving.types import InputColumn, Signature

PREDICT, PROBABILITIES = "predict", "predict_proba"
EXTENSIONS = ("binary_tensor_data", "model_configuration", "model_repository", "parameters")

Parameters = dict[str, Any]


class _Tensor(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    parameters: Parameters | None = None
    data: Any = msgspec.UNSET


class _Wanted(msgspec.Struct):
    name: str
    parameters: Parameters | None = None


class _Inference(msgspec.Struct):
    inputs: list[_Tensor]
    id: str | None = None
    parameters: Parameters | None = None
    outputs: list[_Wanted] | None = None


_decoder = msgspec.json.Decoder(_Inference)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """One request for inference, read."""

    parsed: Parsed
    id: str | None
    """What the answer repeats."""
    outputs: tuple[tuple[str, bool], ...]
    """Each wanted output, and whether as raw bytes."""


def outputs_of(
    signature: Signature, hello: Hello | None = None
) -> list[tuple[str, str, list[int]]]:
    """The model's outputs: name, datatype, shape; as the loaded model says where nobody told."""
    if signature.classes:
        return [
            (PREDICT, label_datatype(signature.classes), [-1]),
            (PROBABILITIES, "FP64", [-1, len(signature.classes)]),
        ]
    if hello is None:
        return [(PREDICT, "FP64", [-1])]
    if hello.classes:
        return [(PREDICT, label_datatype(hello.classes), [-1])]
    shape = [-1, len(hello.outputs)] if hello.outputs else [-1]
    return [(PREDICT, "BYTES" if hello.texts else "FP64", shape)]


def label_datatype(classes: Sequence[Any]) -> str:
    """The datatype that holds every one of these labels."""
    kinds = {type(item) for item in classes}
    if kinds == {bool}:
        return "BOOL"
    if kinds == {int}:
        return "INT64"
    return "FP64" if kinds <= {int, float} else "BYTES"


def metadata(
    name: str, versions: Sequence[str], signature: Signature, hello: Hello | None = None
) -> dict[str, Any]:
    """What GET v2/models/{name} tells."""
    return {
        "name": name,
        "versions": list(versions),
        "platform": "athanor",
        "inputs": [
            {"name": column.name, "datatype": OF_COLUMN.get(column.type, "BYTES"), "shape": [-1]}
            for column in signature.columns
        ],
        "outputs": [
            {"name": output, "datatype": datatype, "shape": shape}
            for output, datatype, shape in outputs_of(signature, hello)
        ],
    }


def configuration(
    name: str, signature: Signature, rows: int, hello: Hello | None = None
) -> dict[str, Any]:
    """What GET v2/models/{name}/config tells, in the words of Triton's model configuration."""
    told = metadata(name, (), signature, hello)
    return {
        "name": name,
        "platform": "athanor",
        "backend": "athanor",
        "max_batch_size": rows,
        "input": [_configured(item) for item in told["inputs"]],
        "output": [_configured(item) for item in told["outputs"]],
    }


def _configured(tensor: Mapping[str, Any]) -> dict[str, Any]:
    datatype = tensor["datatype"]
    type_ = "TYPE_STRING" if datatype == "BYTES" else f"TYPE_{datatype}"
    return {"name": tensor["name"], "data_type": type_, "dims": tensor["shape"][1:] or [1]}


def parse(
    signature: Signature, body: bytes, header_length: int | None, *, key: str, max_rows: int
) -> Inference:
    """Read a request for inference.

    `header_length` is the number of bytes of JSON at the body's beginning, or None where the whole
    body is JSON; 0 is a raw body for a model of one input.

    Raises: InferenceRefused, TensorRefused, TooManyRecords, BadPrediction, ValueRefused.
    """
    if header_length == 0:
        return _raw(signature, body, max_rows)
    if header_length is not None and header_length > len(body):
        raise InferenceRefused(
            f"Inference-Header-Content-Length is {header_length} and the body has "
            f"{len(body)} bytes."
        )
    asked = _decoded(body if header_length is None else body[:header_length])
    rest = memoryview(body)[len(body) if header_length is None else header_length :]
    columns, rows = _columns(signature, asked.inputs, rest, key=key, max_rows=max_rows)
    return Inference(
        parsed=_parsed(signature, columns, rows, key=key),
        id=asked.id,
        outputs=_wanted(signature, asked),
    )


def _decoded(text: bytes) -> _Inference:
    try:
        asked = _decoder.decode(text)
    except msgspec.ValidationError as error:
        raise InferenceRefused(f"The request is not one for inference: {error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InferenceRefused(f"The body is no valid JSON: {error}.") from None
    if not asked.inputs:
        raise InferenceRefused('"inputs" is empty.')
    return asked


def _columns(
    signature: Signature, inputs: list[_Tensor], rest: memoryview, *, key: str, max_rows: int
) -> tuple[dict[str, list[Any]], int]:
    """Values by column, and how many rows there are."""
    width = len(signature.columns) if _is_table(signature, inputs) else 1
    known = {*signature.names, key} - {""}
    columns: dict[str, list[Any]] = {}
    rows, start = -1, 0
    for tensor in inputs:
        if tensor.name in columns:
            raise TensorRefused(tensor.name, "it came twice")
        if width == 1 and signature.columns and tensor.name not in known:
            raise TensorRefused(
                tensor.name, f"the model has no such input; it has {_listed(signature.names)}"
            )
        count = _rows_of(tensor, width)
        if rows not in {-1, count}:
            raise TensorRefused(tensor.name, f"it has {count} rows and those before it {rows}")
        rows = count
        if rows > max_rows:
            raise TooManyRecords(rows, max_rows)
        values, taken = _values(tensor, rest[start:])
        start += taken
        if width > 1:
            for place, column in enumerate(signature.columns):
                columns[column.name] = _fitted(column, tensor, values[place::width])
        else:
            columns[tensor.name] = _typed(signature, tensor, values)
    if start != len(rest):
        raise InferenceRefused(
            f"{len(rest) - start} bytes are left after the last binary tensor.",
            hint="Each binary tensor tells its size as parameters.binary_data_size.",
        )
    if rows == 0:
        raise BadPrediction("The inputs have no rows.", hint="Send at least one row.")
    return columns, rows


def _values(tensor: _Tensor, rest: memoryview) -> tuple[list[Any], int]:
    """The tensor's values in row-major order, and how many of the raw bytes were its own."""
    elements = math.prod(tensor.shape)
    size = _binary_size(tensor)
    if size is None:
        return _plain(tensor, elements), 0
    if len(rest) < size:
        raise TensorRefused(tensor.name, f"{size} bytes are told and {len(rest)} are left")
    return decoded(tensor.name, _datatype(tensor), rest[:size], elements), size


def _is_table(signature: Signature, inputs: list[_Tensor]) -> bool:
    """Whether one tensor holds every column, side by side."""
    return (
        len(inputs) == 1
        and inputs[0].name not in signature.names
        and len(signature.columns) > 1
        and len(inputs[0].shape) == 2
        and inputs[0].shape[1] == len(signature.columns)
    )


def _rows_of(tensor: _Tensor, width: int) -> int:
    shape = tensor.shape
    if any(side < 0 for side in shape):
        raise TensorRefused(tensor.name, f"its shape {shape} has a negative side")
    if width == 1 and len(shape) == 1:
        return shape[0]
    if len(shape) == 2 and shape[1] == width:
        return shape[0]
    raise TensorRefused(tensor.name, f"its shape is {shape}, and [rows] or [rows, 1] is expected")


def _datatype(tensor: _Tensor) -> Datatype:
    found = DATATYPES.get(tensor.datatype)
    if found is None:
        raise TensorRefused(
            tensor.name, f"its datatype {tensor.datatype!r} is none of {_listed(DATATYPES)}"
        )
    return found


def _binary_size(tensor: _Tensor) -> int | None:
    size = (tensor.parameters or {}).get("binary_data_size")
    if size is None:
        return None
    if type(size) is not int or size < 0:
        raise TensorRefused(tensor.name, f"its binary_data_size is {size!r}, no number of bytes")
    if tensor.data is not msgspec.UNSET:
        raise TensorRefused(tensor.name, 'it has both "data" and a binary_data_size')
    return size


def _plain(tensor: _Tensor, elements: int) -> list[Any]:
    datatype = _datatype(tensor)
    if datatype.name in BINARY_ONLY:
        raise TensorRefused(tensor.name, f"{datatype.name} has no form in JSON; send raw bytes")
    if tensor.data is msgspec.UNSET:
        raise TensorRefused(tensor.name, 'it has neither "data" nor a binary_data_size')
    values = flattened(tensor.name, tensor.data, elements)
    checked_values(tensor.name, datatype, values)
    return values


_TAKEN: Mapping[str, frozenset[str]] = {
    "double": frozenset({"float", "int"}),
    "float": frozenset({"float", "int"}),
    "long": frozenset({"int"}),
    "integer": frozenset({"int"}),
    "string": frozenset({"bytes"}),
    "boolean": frozenset({"bool"}),
    "datetime": frozenset({"bytes"}),
    "binary": frozenset({"bytes"}),
}
"""By a column's type: the kinds of datatypes that it takes."""


def _typed(signature: Signature, tensor: _Tensor, values: list[Any]) -> list[Any]:
    for column in signature.columns:
        if column.name == tensor.name:
            return _fitted(column, tensor, values)
    return values


def _fitted(column: InputColumn, tensor: _Tensor, values: list[Any]) -> list[Any]:
    """The values as the column's type. Whole numbers that may be missing also come as floats."""
    kind = _datatype(tensor).kind
    taken = _TAKEN[column.type]
    if kind not in taken and not (kind == "float" and "int" in taken and not column.required):
        raise TensorRefused(
            tensor.name,
            f"its datatype is {tensor.datatype} and the model reads {OF_COLUMN[column.type]}",
        )
    if kind == "float":
        values = [
            None if isinstance(value, float) and math.isnan(value) else value for value in values
        ]
    return [
        value if value is None else checked(column, value, row) for row, value in enumerate(values)
    ]


def _parsed(signature: Signature, columns: dict[str, list[Any]], rows: int, *, key: str) -> Parsed:
    missing = [
        item.name for item in signature.columns if item.required and item.name not in columns
    ]
    if missing:
        raise InferenceRefused(f"The request lacks the input {_listed(missing)}.")
    found = rows_of(signature, columns, rows)
    keys = [None if item is None else str(item) for item in columns.get(key, [None] * rows)]
    return Parsed(rows=found, keys=keys, ignored=[])


def _wanted(signature: Signature, asked: _Inference) -> tuple[tuple[str, bool], ...]:
    known = [name for name, _, _ in outputs_of(signature)]
    default = (asked.parameters or {}).get("binary_data_output", False)
    if not asked.outputs:
        return tuple((name, default is True) for name in known)
    names = [item.name for item in asked.outputs]
    for name in names:
        if name not in known:
            raise InferenceRefused(
                f"The model has no output {name!r}; it has {_listed(known)}.",
                hint="See the model's outputs: GET v2/models/NAME",
            )
    if len(set(names)) < len(names):
        raise InferenceRefused("An output is named twice.", hint="Name each output once.")
    return tuple(
        (item.name, (item.parameters or {}).get("binary_data", default) is True)
        for item in asked.outputs
    )


def _raw(signature: Signature, body: bytes, max_rows: int) -> Inference:
    """A body that is the bytes of the model's one input; BYTES are one element without length."""
    if len(signature.columns) != 1:
        raise InferenceRefused(
            f"A body without a JSON header needs a model of one input; this one has "
            f"{len(signature.columns)}.",
            hint="Tell the size of the JSON header: Inference-Header-Content-Length.",
        )
    column = signature.columns[0]
    datatype = DATATYPES[OF_COLUMN[column.type]]
    if datatype.kind == "bytes":
        try:
            values: list[Any] = [body.decode()]
        except UnicodeDecodeError:
            raise TensorRefused(column.name, "it is no UTF-8 text") from None
    else:
        rows = len(body) // datatype.size
        if rows > max_rows:
            raise TooManyRecords(rows, max_rows)
        values = decoded(column.name, datatype, memoryview(body), rows)
    if not values:
        raise BadPrediction("The inputs have no rows.", hint="Send at least one row.")
    tensor = _Tensor(name=column.name, shape=[len(values)], datatype=datatype.name)
    columns = {column.name: _fitted(column, tensor, values)}
    wanted = tuple((name, True) for name, _, _ in outputs_of(signature))
    return Inference(
        parsed=_parsed(signature, columns, len(values), key=""), id=None, outputs=wanted
    )


def _listed(names: Sequence[str] | Mapping[str, Any]) -> str:
    return ", ".join(repr(name) for name in names)


def render(head: dict[str, Any], asked: Inference, predicted: Predicted) -> tuple[bytes, int]:
    """The answer's body, and the bytes of its JSON header (0 where it is JSON alone).

    `head` holds model_name, model_version and parameters.
    """
    if asked.id is not None:
        head["id"] = asked.id
    tails: list[bytes] = []
    outputs = []
    for name, binary in asked.outputs:
        datatype, shape, values = _OUTPUTS[name](predicted)
        output: dict[str, Any] = {"name": name, "datatype": datatype, "shape": shape}
        if binary:
            tails.append(encoded(datatype, values))
            output["parameters"] = {"binary_data_size": len(tails[-1])}
        else:
            # JSON has no NaN: such a value is null.
            output["data"] = values
        outputs.append(output)
    head["outputs"] = outputs
    text = orjson.dumps(head)
    return (text + b"".join(tails), len(text)) if tails else (text, 0)


def _labels(predicted: Predicted) -> tuple[str, list[int], Sequence[Any]]:
    rows = predicted.rows
    if predicted.values:
        texts = [
            value if isinstance(value, str) else orjson.dumps(value).decode()
            for value in predicted.values
        ]
        return "BYTES", [rows], texts
    if not predicted.classes:
        width = predicted.width
        return "FP64", [rows] if width == 1 else [rows, width], predicted.numbers
    datatype = label_datatype(predicted.classes)
    names = list(predicted.classes) if datatype != "BYTES" else [str(c) for c in predicted.classes]
    return datatype, [rows], [names[place] for place in predicted.labels]


def _probabilities(predicted: Predicted) -> tuple[str, list[int], Sequence[Any]]:
    return "FP64", [predicted.rows, predicted.width], predicted.numbers


_OUTPUTS: Mapping[str, Callable[[Predicted], tuple[str, list[int], Sequence[Any]]]] = {
    PREDICT: _labels,
    PROBABILITIES: _probabilities,
}


def header_length(answer: bytes) -> int:
    """The bytes of an answer's JSON, all of it where no raw tensors follow."""
    if b'"binary_data_size"' not in answer:
        return len(answer)
    # A byte a character, so that the end is counted in bytes.
    return json.JSONDecoder().raw_decode(answer.decode("latin-1"))[1]
