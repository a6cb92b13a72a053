"""The messages of `inference.GRPCInferenceService`, from and to the protocol's REST form.

A request becomes the JSON and the raw tensors that REST's binary extension carries, so that both
doors lead to the same reader; its answer comes back the same way.
"""

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from athanor.serving.errors.protocols import InferenceRefused, TensorRefused
from athanor.serving.logic.tensors import DATATYPES, encoded
from athanor.serving.plane.grpc import wire


class Asked(NamedTuple):
    """One ModelInferRequest."""

    model: str
    version: str
    head: bytes
    """The JSON of REST's request."""
    tail: bytes
    """The raw tensors."""


def named(data: bytes) -> tuple[str, str]:
    """The first two texts of a request: a model's name and version."""
    found = {number: wire.text(value) for number, kind, value in wire.fields(data) if kind == 2}
    return found.get(1, ""), found.get(2, "")


def infer_request(data: bytes) -> Asked:
    """Read a ModelInferRequest.

    Raises: InferenceRefused, TensorRefused.
    """
    try:
        return _infer_request(data)
    except (TypeError, ValueError, struct.error):
        # A field with another wire type than its own.
        raise InferenceRefused("The message is no ModelInferRequest.") from None


def _infer_request(data: bytes) -> Asked:
    texts = {1: "", 2: "", 3: ""}
    inputs: list[dict[str, Any]] = []
    contents: list[bytes | None] = []
    outputs: list[dict[str, Any]] = []
    parameters: dict[str, Any] = {}
    raws: list[bytes] = []
    for number, _, value in wire.fields(data):
        if number in texts:
            texts[number] = wire.text(value)
        elif number == 4:
            parameters |= _parameter(value)
        elif number == 5:
            told, content = _input(value)
            inputs.append(told)
            contents.append(content)
        elif number == 6:
            outputs.append({"name": named(value)[0], "parameters": {"binary_data": True}})
        elif number == 7:
            raws.append(wire.raw(value))
    if raws and len(raws) != len(inputs):
        raise InferenceRefused(
            f"The request has {len(inputs)} inputs and {len(raws)} raw contents."
        )
    tail = []
    for place, told in enumerate(inputs):
        raw = contents[place]
        if raws and raw is not None:
            raise TensorRefused(told["name"], "it has both contents and raw contents")
        part = raws[place] if raws else raw or b""
        told["parameters"] = {"binary_data_size": len(part)}
        tail.append(part)
    head: dict[str, Any] = {
        "inputs": inputs,
        "parameters": parameters | {"binary_data_output": True},
    }
    if texts[3]:
        head["id"] = texts[3]
    if outputs:
        head["outputs"] = outputs
    return Asked(texts[1], texts[2], orjson.dumps(head), b"".join(tail))


def _parameter(data: bytes) -> dict[str, Any]:
    """One entry of a map of parameters."""
    name = ""
    value: Any = None
    for number, _, entry in wire.fields(data):
        if number == 1:
            name = wire.text(entry)
            continue
        for kind, _, found in wire.fields(entry):
            match kind:
                case 1:
                    value = bool(found)
                case 2:
                    value = wire.signed(found)
                case 3:
                    value = wire.text(found)
                case 4:
                    value = struct.unpack("<d", found)[0]
                case _:
                    value = found
    return {name: value}


def _input(data: bytes) -> tuple[dict[str, Any], bytes | None]:
    """One InferInputTensor, and the raw bytes of its contents."""
    name = datatype = ""
    shape: list[int] = []
    content: bytes | None = None
    for number, kind, value in wire.fields(data):
        match number:
            case 1:
                name = wire.text(value)
            case 2:
                datatype = wire.text(value)
            case 3:
                shape += map(wire.signed, wire.numbers(kind, value))
            case 5:
                content = wire.raw(value)
    told = {"name": name, "datatype": datatype, "shape": shape}
    return told, None if content is None else _contents(name, datatype, content)


def _contents(name: str, datatype: str, data: bytes) -> bytes:
    """InferTensorContents as raw bytes."""
    found: list[Any] = []
    for number, kind, value in wire.fields(data):
        match number:
            case 1 | 4 | 5:
                found += wire.numbers(kind, value)
            case 2 | 3:
                found += map(wire.signed, wire.numbers(kind, value))
            case 6:
                found += wire.floats(value, "f")
            case 7:
                found += wire.floats(value, "d")
            case 8:
                found.append(wire.text(value))
    if datatype not in DATATYPES:
        raise TensorRefused(name, f"its datatype {datatype!r} is not known")
    try:
        return encoded(datatype, found)
    except (struct.error, OverflowError) as error:
        raise TensorRefused(name, f"its contents are no {datatype}: {error}") from None


def infer_answer(body: bytes, header_length: int) -> bytes:
    """A ModelInferResponse of REST's answer."""
    told = orjson.loads(body[:header_length])
    parts = [wire.put(1, told["model_name"]), wire.put(2, told["model_version"])]
    if "id" in told:
        parts.append(wire.put(3, told["id"]))
    for name, value in told.get("parameters", {}).items():
        parts.append(wire.put(4, wire.put(1, name) + wire.put(2, wire.put(3, str(value)))))
    start = header_length
    raws = []
    for output in told["outputs"]:
        tensor = wire.put(1, output["name"]) + wire.put(2, output["datatype"])
        parts.append(wire.put(5, tensor + wire.put_packed(3, output["shape"])))
        size = output["parameters"]["binary_data_size"]
        raws.append(wire.put(6, body[start : start + size]))
        start += size
    return b"".join([*parts, *raws])


def metadata_answer(told: Mapping[str, Any]) -> bytes:
    """A ModelMetadataResponse."""
    parts = [wire.put(1, told["name"])]
    parts += [wire.put(2, version) for version in told["versions"]]
    parts.append(wire.put(3, told["platform"]))
    for number, name in ((4, "inputs"), (5, "outputs")):
        for item in told[name]:
            tensor = wire.put(1, item["name"]) + wire.put(2, item["datatype"])
            parts.append(wire.put(number, tensor + wire.put_packed(3, item["shape"])))
    return b"".join(parts)


def server_answer(told: Mapping[str, Any]) -> bytes:
    """A ServerMetadataResponse."""
    parts = [wire.put(1, told["name"]), wire.put(2, told["version"])]
    return b"".join([*parts, *(wire.put(3, item) for item in told["extensions"])])


def index_answer(told: list[dict[str, str]]) -> bytes:
    """A RepositoryIndexResponse."""
    names = ("name", "version", "state", "reason")
    return b"".join(
        wire.put(1, b"".join(wire.put(n, item[name]) for n, name in enumerate(names, 1)))
        for item in told
    )
