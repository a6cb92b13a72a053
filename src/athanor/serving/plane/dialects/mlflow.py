"""`POST /invocations`: MLflow's scoring server, and SageMaker's container contract."""

import importlib
from collections.abc import Mapping

import orjson

from athanor.kernel.errors import AthanorError
from athanor.serving.errors.protocols import ContentTypeRefused, InvocationRefused
from athanor.serving.logic import mlflow
from athanor.serving.logic.frames import EVERY, STRANGE, Body
from athanor.serving.logic.predictions import Predicted
from athanor.serving.logic.routing import Route, Target
from athanor.serving.plane.dialects.port import Asked
from athanor.serving.plane.exchange import Answer
from athanor.serving.plane.http import Limits, Request
from athanor.serving.types import Signature

_JSON, _CSV = "application/json", "text/csv"
_PARQUET = "application/vnd.apache.parquet"
_PLAIN = b"text/plain; charset=utf-8"
_ONLY = (
    "This predictor only supports the following content types: Types: "
    f"['text/csv', 'application/json', '{_PARQUET}']. Got '{{told}}'."
)
_NAMES: Mapping[int, str] = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    422: "BAD_REQUEST",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
}
_STATES: Mapping[str, tuple[str, str]] = {
    "BAD_REQUEST": ("KAM00", "INVALID_PARAMETER_VALUE"),
    "INVALID_PARAMETER_VALUE": ("KAM01", "SCHEMA_ENFORCEMENT_FAILED"),
}
_UNEXPECTED = (
    "Encountered an unexpected error while evaluating the model. Verify that the serialized input "
    "Dataframe is compatible with the model for inference."
)


class Invocations:
    """MLflow's words."""

    def read(self, route: Route, target: Target, request: Request, limits: Limits) -> Asked:
        """The rows of a body: dataframe_split, dataframe_records, instances, inputs, CSV, Parquet.

        Raises: ContentTypeRefused, InvocationRefused, TooManyRecords.
        """
        told, body = media_type(_told(request)), request.body
        if told == _CSV:
            found = mlflow.read_csv(target.signature, body, limits.rows)
        else:
            body = _unpacked(target.signature, body, limits) if told == _PARQUET else body
            found = mlflow.read_json(target.signature, body, limits.rows)
        keys = None
        if route.key in found.columns:
            keys = [None if item is None else str(item) for item in found.columns[route.key]]
        return Asked(found.rows, keys, found.bare)

    def write(self, target: Target, asked: Asked, predicted: Predicted) -> Answer:  # noqa: ARG002
        """The predictions: labels, values, or lists of values."""
        if asked.body is not None:
            named = b"X-Prediction-Id: %b\r\n" % predicted.ids[0].encode() if predicted.ids else b""
            return Answer(200, predicted.text, headers=named)
        plain = predicted.plain()
        body = orjson.dumps(plain if asked.extra else {"predictions": plain})
        return Answer(200, body, headers=b"X-Prediction-Id: %b\r\n" % predicted.ids[0].encode())

    def refuse(self, error: AthanorError) -> Answer:
        """The failure as MLflow's scoring server tells it."""
        if isinstance(error, ContentTypeRefused):
            return Answer(error.status, error.message.encode(), _PLAIN)
        name = _NAMES.get(error.status, "INTERNAL_ERROR" if error.status > 499 else "BAD_REQUEST")
        message = f"{error.message} {error.hint}".strip()
        status = error.status
        if isinstance(error, InvocationRefused):
            name = error.name
        elif status == 422:
            status, message = 400, f"{_UNEXPECTED} {message}"
        told = {"error_code": name, "message": message}
        if name in _STATES:
            told["sqlstate"], told["error_class"] = _STATES[name]
        return Answer(status, orjson.dumps(told))


class HandedOver(Invocations):
    """The same, for a model whose worker reads bodies as MLflow does, to the last of its types."""

    def __init__(self, bodies: str) -> None:
        """`bodies` are those that the worker reads, as `Hello.bodies` says."""
        self._every = bodies == EVERY

    def read(self, route: Route, target: Target, request: Request, limits: Limits) -> Asked:
        """The rows, or the body itself where only the worker can say what they are.

        Raises: ContentTypeRefused, InvocationRefused, TooManyRecords.
        """
        told = _told(request) or _JSON
        tables = media_type(told) != _JSON
        refusal = None
        if not (self._every or tables or b'"params"' in request.body):
            try:
                return super().read(route, target, request, limits)
            except InvocationRefused as error:
                if error.final:
                    raise
                refusal = error
        body = Body(request.body, told, limits.rows, list(target.signature.names))
        return Asked([], body=body, refusal=refusal)


HANDED_OVER: Mapping[str, HandedOver] = {name: HandedOver(name) for name in (EVERY, STRANGE)}
"""By `Hello.bodies`."""


def _unpacked(signature: Signature, body: bytes, limits: Limits) -> bytes:
    """A table of Parquet as JSON. Raises: ContentTypeRefused, InvocationRefused, TooManyRecords."""
    try:
        # A plane that gets none, or an exported folder without Arrow, never loads it.
        reader = importlib.import_module("athanor.serving.plane.dialects.parquet")
    except ImportError as error:
        raise ContentTypeRefused(
            f"Parquet can't be read here: {error}. Send JSON or CSV."
        ) from None
    split: bytes = reader.as_split(body, limits.rows, signature)
    return split


def _told(request: Request) -> str:
    """The Content-Type; "" where there is no such header.

    Raises: ContentTypeRefused, as MLflow does, where there is one that says nothing.
    """
    told = request.header("content-type")
    if not told and "content-type" in request.headers:
        raise ContentTypeRefused(_ONLY.format(told=""))
    return told


def media_type(told: str) -> str:
    """The media type of a Content-Type; none at all is JSON.

    Raises: ContentTypeRefused.
    """
    if not told:
        return _JSON
    mime, *pairs = [part.strip() for part in told.split(";")]
    parameters = {key: value for key, _, value in (pair.partition("=") for pair in pairs)}
    if parameters.get("charset", "utf-8").lower() != "utf-8":
        raise ContentTypeRefused("The scoring server only supports UTF-8")
    strange = sorted(parameters.keys() - {"charset"})
    if strange:
        raise ContentTypeRefused(
            f"Unrecognized content type parameters: {', '.join(strange)}. IMPORTANT: The MLflow "
            "Model scoring protocol has changed in MLflow version 2.0."
        )
    if mime not in {_JSON, _CSV, _PARQUET}:
        raise ContentTypeRefused(_ONLY.format(told=told[:200]))
    return mime
