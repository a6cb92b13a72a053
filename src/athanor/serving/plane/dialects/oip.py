"""`POST v2/models/{name}/infer`: the Open Inference Protocol."""

import orjson

from athanor.kernel.errors import AthanorError
from athanor.serving.errors.protocols import InferenceRefused
from athanor.serving.logic import oip
from athanor.serving.logic.predictions import Predicted
from athanor.serving.logic.routing import Route, Target
from athanor.serving.plane.dialects.port import JSON, Asked
from athanor.serving.plane.exchange import Answer
from athanor.serving.plane.http import Limits, Request

_LENGTH = "inference-header-content-length"
_OCTETS = b"application/octet-stream"


class OpenInference:
    """The Open Inference Protocol over HTTP, its binary tensors included."""

    def read(self, route: Route, target: Target, request: Request, limits: Limits) -> Asked:
        """The rows of a request for inference.

        Raises: InferenceRefused, TensorRefused, BadPrediction, TooManyRecords, ValueRefused.
        """
        told = request.header(_LENGTH).strip()
        if told and not (told.isascii() and told.isdigit()):
            raise InferenceRefused(
                f"Inference-Header-Content-Length is {told[:40]!r}, no number of bytes."
            )
        asked = oip.parse(
            target.signature,
            request.body,
            int(told) if told else None,
            key=route.key,
            max_rows=limits.rows,
        )
        return Asked(asked.parsed.rows, asked.parsed.keys, (route.name, asked))

    def write(self, target: Target, asked: Asked, predicted: Predicted) -> Answer:
        """The answer's tensors."""
        name, inference = asked.extra
        head = {
            "model_name": name,
            "model_version": str(target.version),
            "parameters": {"prediction_id": predicted.ids[0], "deployment": target.id},
        }
        body, length = oip.render(head, inference, predicted)
        if not length:
            return Answer(200, body)
        return Answer(200, body, _OCTETS, b"Inference-Header-Content-Length: %d\r\n" % length)

    def refuse(self, error: AthanorError) -> Answer:
        """The failure in one sentence or two."""
        return Answer(error.status, orjson.dumps({"error": str(error)}), JSON)
