"""The Open Inference Protocol's own OpenAPI, held by whatever schemathesis makes of it.

The schema below says what `open_inference_rest.yaml` of the protocol says, with the stub's name.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from athanor.kernel.workers import Workers
from athanor.testing.serving import Browser, RunningPlane, deployment_ids, eventually, running_plane

TEXT, OBJECT = {"type": "string"}, {"type": "object"}
SHAPE = {"type": "array", "items": {"type": "integer"}}
DATA = {"type": "array", "items": {"type": ["number", "string", "boolean"]}}


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required}


TENSOR = {"name": TEXT, "shape": SHAPE, "datatype": TEXT}
ERROR = _object(["error"], error=TEXT)
INPUT = _object(["name", "shape", "datatype", "data"], **TENSOR, parameters=OBJECT, data=DATA)
METADATA = _object(["name", "shape", "datatype"], **TENSOR)
REQUEST = _object(
    ["inputs"],
    id=TEXT,
    parameters=OBJECT,
    inputs={"type": "array", "items": INPUT},
    outputs={"type": "array", "items": _object(["name"], name=TEXT, parameters=OBJECT)},
)
ANSWER = _object(
    ["model_name", "outputs"],
    model_name=TEXT,
    model_version=TEXT,
    id=TEXT,
    parameters=OBJECT,
    outputs={"type": "array", "items": INPUT},
)
MODEL = _object(
    ["name", "platform"],
    name=TEXT,
    versions={"type": "array", "items": TEXT},
    platform=TEXT,
    inputs={"type": "array", "items": METADATA},
    outputs={"type": "array", "items": METADATA},
)
SERVER = _object(
    ["name", "version", "extensions"],
    name=TEXT,
    version=TEXT,
    extensions={"type": "array", "items": TEXT},
)


def _told(schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": "", "content": {"application/json": {"schema": schema}}}


def _get(schema: dict[str, Any], *names: str) -> dict[str, Any]:
    parameters = [{"name": name, "in": "path", "required": True, "schema": TEXT} for name in names]
    responses = {"200": _told(schema), "404": _told(ERROR), "400": _told(ERROR)}
    return {"get": {"parameters": parameters, "responses": responses}}


INFER = {
    "post": {
        "requestBody": {"required": True, "content": {"application/json": {"schema": REQUEST}}},
        "responses": {str(code): _told(ERROR) for code in (400, 413)} | {"200": _told(ANSWER)},
    }
}
SCHEMA = {
    "openapi": "3.1.0",
    "info": {"title": "Data Plane", "version": "2.0"},
    "paths": {
        "/v2/health/live": _get(OBJECT),
        "/v2/health/ready": _get(OBJECT),
        "/v2/": _get(SERVER),
        "/v2/models/houses": _get(MODEL),
        "/v2/models/{model}/versions/{version}": _get(MODEL, "model", "version"),
        "/v2/models/{model}/versions/{version}/ready": _get(OBJECT, "model", "version"),
        "/v2/models/houses/infer": INFER,
        "/v2/models/houses/versions/1/infer": INFER,
    },
}
SCHEMATHESIS = schemathesis.openapi.from_dict(SCHEMA)
CHECKS = (
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, warm_workers: Workers) -> Iterator[str]:
    with running_plane(tmp_path_factory.mktemp("plane"), warm_workers) as running:
        running.route({deployment_ids(1)[0]: 1.0})
        browser = Browser(running.port)
        assert eventually(lambda: browser.send("GET", "/v2/health/ready").status == 200)
        yield running.planes.url
        assert isinstance(running, RunningPlane)


@SCHEMATHESIS.parametrize()
@settings(
    max_examples=4,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_protocol_s_openapi_holds(case: Any, address: str) -> None:
    case.call_and_validate(base_url=address, checks=list(CHECKS))
