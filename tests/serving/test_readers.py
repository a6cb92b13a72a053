"""Whatever comes in, the readers give rows or say by name what is wrong."""

import contextlib
import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from athanor.kernel.errors import AthanorError
from athanor.serving.errors.protocols import (
    BodyUndecodable,
    EncodingRefused,
    Inflated,
    TensorRefused,
)
from athanor.serving.logic import decoders, mlflow, oip
from athanor.serving.logic.predictions import Predicted
from athanor.serving.logic.signature import parse
from athanor.serving.logic.tensors import DATATYPES, decoded, encoded
from athanor.serving.plane import encodings
from athanor.serving.plane.grpc import messages, wire
from athanor.serving.plane.paths import aim_of
from athanor.serving.types import InputColumn, Signature

TYPES = ("double", "float", "long", "integer", "string", "boolean", "datetime")
SIGNATURE = Signature(
    columns=tuple(InputColumn(name=name, type=name, required=name != "long") for name in TYPES),
    classes=("no", "yes"),
)
NAMES = st.sampled_from([*TYPES, "inputs", "data", "name", "shape", "datatype", "columns", "x"])
FORMS = st.sampled_from([*mlflow.FORMATS, "prompt", "input", "params", "records", "inputs", "id"])
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from([*DATATYPES, "1.5", "nan", "2024-01-01"]),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=8),
    max_leaves=25,
)
FULL = st.fixed_dictionaries(dict.fromkeys(TYPES, LEAVES))
BODIES = st.one_of(
    st.dictionaries(FORMS, TREES, max_size=3),
    st.dictionaries(FORMS, st.lists(FULL, max_size=3), min_size=1, max_size=1),
    TREES,
)
SMALL = settings(max_examples=60, deadline=None)


@SMALL
@given(BODIES)
def test_json_of_any_form(body: Any) -> None:
    text = json.dumps(body).encode()
    with contextlib.suppress(AthanorError):
        found = mlflow.read_json(SIGNATURE, text, 100)
        assert found.rows
        assert all(len(row) == len(TYPES) for row in found.rows)
    with contextlib.suppress(AthanorError):
        oip.parse(SIGNATURE, text, None, key="key", max_rows=100)
    with contextlib.suppress(AthanorError):
        assert parse(SIGNATURE, body, key="key", max_rows=100).rows


@SMALL
@given(st.binary(max_size=200), st.integers(0, 50))
def test_bytes_of_any_form(body: bytes, length: int) -> None:
    for act in (
        lambda: oip.parse(SIGNATURE, body, length, key="", max_rows=100),
        lambda: mlflow.read_json(SIGNATURE, body, 100),
        lambda: mlflow.read_csv(SIGNATURE, b",".join(map(str.encode, TYPES)) + b"\n" + body, 100),
        lambda: messages.infer_request(body),
        lambda: messages.named(body),
    ):
        with contextlib.suppress(AthanorError):
            act()
    for encoding in ("gzip", "deflate", "br"):
        with contextlib.suppress(EncodingRefused, BodyUndecodable, Inflated):
            encodings.plain(body, encoding, 1_000)
    aim_of("/" + body.decode("latin-1"))


FLOATS = {
    2: st.floats(width=16, allow_nan=False),
    4: st.floats(width=32, allow_nan=False),
    8: st.floats(allow_nan=False),
}


@SMALL
@given(st.sampled_from(sorted(DATATYPES)), st.data())
def test_tensors_come_back(name: str, data: st.DataObject) -> None:
    kind = DATATYPES[name]
    if name == "BF16":
        return
    values: Any = {
        "bool": st.booleans(),
        "bytes": st.text(max_size=9),
        "int": st.integers(kind.low, kind.high),
        "float": FLOATS.get(kind.size),
    }[kind.kind]
    found = data.draw(st.lists(values, max_size=9))
    assert decoded("x", kind, memoryview(encoded(name, found)), len(found)) == found
    wider = [1.5, -2.0, math.inf]
    raw = b"".join(struct.pack("<f", value)[2:] for value in wider)
    assert decoded("x", DATATYPES["BF16"], memoryview(raw), 3) == wider


STRICT = Signature(columns=SIGNATURE.columns[:-1])


def told(decode: decoders.Decode, text: bytes) -> Any:
    """The records; None where the lenient reader is asked."""
    try:
        return decode(text).records
    except decoders.UNDECODED:
        return None


@SMALL
@given(st.fixed_dictionaries(dict.fromkeys(TYPES[:-1], LEAVES)))
def test_strict_decoders_agree_with_the_lenient_reader(record: dict[str, Any]) -> None:
    text = json.dumps({"records": [record]}).encode()
    decode = decoders.records(STRICT, "key")
    assert decode is not None
    fast = told(decode, text)
    if fast is None:
        return
    slow = parse(STRICT, {"records": [record]}, key="key", max_rows=9)
    values = [getattr(fast[0], f"f{place}") for place in range(len(TYPES) - 1)]
    assert [values] == slow.rows
    frame = json.dumps({"dataframe_records": [record]}).encode()
    of_frame = decoders.frame_records(Signature(columns=(STRICT.columns[0], STRICT.columns[4])), "")
    assert of_frame is not None
    only = {name: record[name] for name in ("double", "string")}
    quick = told(of_frame, json.dumps({"dataframe_records": [only]}).encode())
    assert told(of_frame, frame) is None
    if quick is not None:
        narrow = Signature(columns=(STRICT.columns[0], STRICT.columns[4]))
        long = mlflow.read_json(narrow, json.dumps({"dataframe_records": [only]}).encode(), 9)
        assert [[quick[0].f0, quick[0].f1]] == long.rows


def test_answers_of_several_values() -> None:
    asked = oip.Inference(
        parsed=parse(SIGNATURE, {"records": [dict.fromkeys(TYPES)]}, max_rows=9),
        id=None,
        outputs=(("predict", False),),
    )
    several = Predicted(ids=["a"], numbers=[1.0, math.nan], outputs=["x", "y"])
    told = json.loads(oip.render({}, asked, several)[0])["outputs"][0]
    assert (told["shape"], told["data"]) == ([1, 2], [1.0, None])
    assert several.plain() == [[1.0, None]]
    other = Predicted(ids=["a"], values=[{"a": 1}])
    assert json.loads(oip.render({}, asked, other)[0])["outputs"][0]["data"] == ['{"a":1}']


@pytest.mark.parametrize(
    ("path", "verb"),
    [
        ("/v2", "server"),
        ("/v2/", "server"),
        ("/v2/models/a%2Fb/versions/3/infer", "infer"),
        ("/endpoints/a/v2/models/a/ready", "model_ready"),
        ("/endpoints/a", "endpoint"),
        ("/endpoints/a/", "endpoint"),
        ("/invocations", "invocations"),
    ],
)
def test_addresses(path: str, verb: str) -> None:
    found = aim_of(path)
    assert aim_of(f"http://an.other:80/{path.lstrip('/')}") == found
    assert found is not None
    assert found.verb == verb


@pytest.mark.parametrize(("datatype", "number"), [("FP32", 1e300), ("FP16", 7e4)])
def test_numbers_beyond_their_datatype_are_named(datatype: str, number: float) -> None:
    contents = wire.put(7, struct.pack("<d", number))
    tensor = wire.put(1, "size") + wire.put(2, datatype) + wire.put(5, contents)
    with pytest.raises(
        TensorRefused, match=f"'size' can't be read: its contents are no {datatype}"
    ):
        messages.infer_request(wire.put(5, tensor))


def test_a_model_s_address_has_its_name() -> None:
    assert aim_of("/v2/models//infer") is None
    aim = aim_of("/v2/models/a%2Fb/versions/1%3F/infer")
    assert aim is not None
    assert (aim.verb, aim.model, aim.version) == ("infer", "a/b", "1?")
