"""The plane through tritonclient and KServe's client; run in an environment that has them.

`python oracle_triton.py URL`, or the host and port of gRPC: exits with 0 when every check held.
"""

# ruff: noqa: ANN001, ANN201, PLC0415, PT017 - a script for an environment without our checks
import asyncio
import sys

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException


def formula(size, rooms):
    return 1.0 / (1.0 + np.exp(-(0.1 * size - 0.3 * rooms)))


Output = triton.InferRequestedOutput
SIZES = np.array([1.5, 20.0, -3.25])
ROOMS = np.array([1, 2, 3], dtype=np.int64)
MOODS = np.array(["calm", "übel", "x,y"], dtype=object)
COLUMNS = (("size", SIZES, "FP64"), ("rooms", ROOMS, "INT64"), ("mood", MOODS, "BYTES"))
WANTED = formula(SIZES, ROOMS)


def inputs(*, binary, shape=(3,)):
    made = []
    for name, values, datatype in (
        ("size", SIZES, "FP64"),
        ("rooms", ROOMS, "INT64"),
        ("mood", MOODS, "BYTES"),
    ):
        item = triton.InferInput(name, list(shape), datatype)
        item.set_data_from_numpy(values.reshape(shape), binary_data=binary)
        made.append(item)
    return made


def check(result, request_id=""):
    assert np.allclose(result.as_numpy("predict_proba")[:, 1], WANTED, rtol=0, atol=1e-15)
    labels = [
        item.decode() if isinstance(item, bytes) else item for item in result.as_numpy("predict")
    ]
    assert labels == ["yes" if chance > 0.5 else "no" for chance in WANTED], labels
    answer = result.get_response()
    assert answer["model_name"] == "houses"
    assert answer["model_version"] == "1"
    assert answer.get("id", "") == request_id


def with_triton(url):
    client = triton.InferenceServerClient(url.removeprefix("http://"))
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("houses")
    assert client.is_model_ready("houses", "1")
    assert not client.is_model_ready("horses")
    server = client.get_server_metadata()
    assert server["name"] == "athanor"
    assert "binary_tensor_data" in server["extensions"]
    told = client.get_model_metadata("houses")
    assert [(i["name"], i["datatype"]) for i in told["inputs"]] == [
        ("size", "FP64"),
        ("rooms", "INT64"),
        ("mood", "BYTES"),
    ]
    assert told["versions"] == ["1"]
    assert client.get_model_config("houses")["max_batch_size"] > 0
    assert client.get_model_repository_index()[0]["state"] == "READY"
    client.load_model("houses")
    assert client.get_inference_statistics("houses")["model_stats"][0]["name"] == "houses"
    for binary in (True, False):
        for shape in ((3,), (3, 1)):
            check(client.infer("houses", inputs(binary=binary, shape=shape)))
        for how in ("gzip", "deflate"):
            check(
                client.infer(
                    "houses",
                    inputs(binary=binary),
                    request_id="a7",
                    model_version="1",
                    request_compression_algorithm=how,
                    response_compression_algorithm=how,
                ),
                "a7",
            )
    outputs = [
        Output("predict", binary_data=False),
        Output("predict_proba", binary_data=True),
    ]
    check(client.infer("houses", inputs(binary=True), outputs=outputs))
    many = [client.async_infer("houses", inputs(binary=True)) for _ in range(20)]
    for waiting in many:
        check(waiting.get_result())
    for refused in (
        lambda: client.infer("houses", inputs(binary=True)[:1] + inputs(binary=True)[2:] * 2),
        lambda: client.infer("horses", inputs(binary=True)),
        lambda: client.infer("houses", inputs(binary=True), model_version="9"),
        lambda: client.infer("houses", inputs(binary=True), outputs=[Output("nothing")]),
        lambda: client.unload_model("houses"),
    ):
        try:
            refused()
        except InferenceServerException as error:
            assert error.status().startswith("4"), error
            assert len(str(error)) > 20
        else:
            raise AssertionError("it was not refused")


def with_grpc(address):
    # Not at the top: its messages have the names of KServe's.
    import tritonclient.grpc as grpc_client

    client = grpc_client.InferenceServerClient(address)
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("houses")
    assert "binary_tensor_data" in client.get_server_metadata().extensions
    told = client.get_model_metadata("houses", "1")
    assert [(i.name, i.datatype, list(i.shape)) for i in told.inputs] == [
        (name, datatype, [-1]) for name, _, datatype in COLUMNS
    ]
    assert client.get_model_repository_index().models[0].state == "READY"
    made = []
    for name, values, datatype in COLUMNS:
        item = grpc_client.InferInput(name, [3], datatype)
        item.set_data_from_numpy(values)
        made.append(item)
    result = client.infer("houses", made, request_id="a7")
    assert np.allclose(result.as_numpy("predict_proba")[:, 1], WANTED, rtol=0, atol=1e-15)
    assert result.get_response().id == "a7"
    outputs = [grpc_client.InferRequestedOutput("predict")]
    labels = client.infer("houses", made, outputs=outputs).as_numpy("predict").tolist()
    assert labels == [b"yes" if chance > 0.5 else b"no" for chance in WANTED]
    told = []
    client.start_stream(lambda result, error: told.append((result, error)))
    client.async_stream_infer("houses", made)
    client.async_stream_infer("horses", made)
    client.stop_stream()
    assert [error is None for _, error in told] == [True, False]
    for refused, code in (
        (lambda: client.infer("horses", made), "NOT_FOUND"),
        (lambda: client.infer("houses", made[:1]), "INVALID_ARGUMENT"),
        (lambda: client.infer("houses", made, model_version="9"), "NOT_FOUND"),
    ):
        try:
            refused()
        except InferenceServerException as error:
            assert code in error.status(), error
        else:
            raise AssertionError("it was not refused")


async def with_kserve(url):
    from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

    client = InferenceRESTClient(RESTConfig(protocol="v2", retries=1))
    assert await client.is_server_live(url)
    assert await client.is_server_ready(url)
    assert await client.is_model_ready(url, "houses")
    for binary in (True, False):
        made = []
        for name, values, datatype in (
            ("size", SIZES, "FP64"),
            ("rooms", ROOMS, "INT64"),
            ("mood", MOODS, "BYTES"),
        ):
            item = InferInput(name, [3], datatype)
            item.set_data_from_numpy(values, binary_data=binary)
            made.append(item)
        answer = await client.infer(url, InferRequest("houses", made), model_name="houses")
        found = {item.name: item.as_numpy() for item in answer.outputs}
        assert np.allclose(found["predict_proba"][:, 1], WANTED, rtol=0, atol=1e-15)


if __name__ == "__main__":
    if sys.argv[1].startswith("http://"):
        with_triton(sys.argv[1])
        asyncio.run(with_kserve(sys.argv[1]))
    else:
        with_grpc(sys.argv[1])
    print("all held")
