"""`POST /endpoints/{name}/predict`: records in, records out; and Vertex's instances by shape."""

from typing import Any

import orjson

from athanor.kernel.errors import AthanorError
from athanor.serving.errors import BadPrediction
from athanor.serving.logic.predictions import Predicted
from athanor.serving.logic.routing import Route, Target
from athanor.serving.logic.signature import parse
from athanor.serving.plane.dialects.port import Asked
from athanor.serving.plane.exchange import Answer, refusal
from athanor.serving.plane.http import Limits, Request

_VERTEX = object()


class Records:
    """Athanor's own words, and Vertex AI's container contract."""

    def read(self, route: Route, target: Target, request: Request, limits: Limits) -> Asked:
        """The rows of {"records": [{column: value}]}, or of {"instances": [...]}.

        Raises: BadPrediction, TooManyRecords, ColumnMissing, ValueRefused.
        """
        try:
            body = orjson.loads(request.body)
        except orjson.JSONDecodeError as error:
            raise BadPrediction(f"The body is no valid JSON: {error}.") from None
        vertex = isinstance(body, dict) and "instances" in body and "records" not in body
        if vertex:
            body = {"records": _instances(target, body)}
        parsed = parse(target.signature, body, key=route.key, max_rows=limits.rows)
        return Asked(parsed.rows, parsed.keys, _VERTEX if vertex else parsed.ignored)

    def write(self, target: Target, asked: Asked, predicted: Predicted) -> Answer:
        """The answer for these rows."""
        if asked.extra is _VERTEX:
            return Answer(200, orjson.dumps(_vertex(target, predicted)))
        body: dict[str, Any] = {
            "predictions": _records(predicted),
            "model": target.model,
            "version": target.version,
            "deployment": target.id,
        }
        if asked.extra:
            body["ignored_columns"] = asked.extra
        if asked.absent:
            body["absent_features"] = asked.absent
        return Answer(200, orjson.dumps(body))

    def refuse(self, error: AthanorError) -> Answer:
        """The failure as everywhere in Athanor."""
        return refusal(error)


def _instances(target: Target, body: dict[str, Any]) -> list[Any]:
    """Vertex's instances as records: an object of columns, or the values in their order."""
    names = target.signature.names
    instances = body["instances"]
    if not isinstance(instances, list):
        raise BadPrediction('"instances" is no list.', hint='Send {"instances": [{...}]}.')
    records: list[Any] = []
    for place, item in enumerate(instances):
        if isinstance(item, list):
            if len(item) != len(names):
                raise BadPrediction(
                    f"Instance {place} has {len(item)} values and the model reads {len(names)} "
                    f"columns.",
                    hint=f"In this order: {', '.join(names)}.",
                )
            records.append(dict(zip(names, item, strict=True)))
        else:
            records.append({names[0]: item} if _scalar(item) and len(names) == 1 else item)
    return records


def _scalar(value: object) -> bool:
    return not isinstance(value, dict | list)


def _vertex(target: Target, predicted: Predicted) -> dict[str, Any]:
    return {
        "predictions": predicted.plain(),
        "deployedModelId": target.id,
        "model": target.model,
        "modelDisplayName": target.model,
        "modelVersionId": str(target.version),
    }


def _records(predicted: Predicted) -> list[dict[str, Any]]:
    return [_record(predicted, row) for row in range(predicted.rows)]


def _record(predicted: Predicted, row: int) -> dict[str, Any]:
    id_ = predicted.ids[row]
    if predicted.values:
        value = predicted.values[row]
        label = None if isinstance(value, dict | list) else value
        return {"id": id_, "label": label, "probabilities": {}, "score": None, "value": value}
    score = predicted.score(row)
    if predicted.classes:
        return {
            "id": id_,
            "label": predicted.label(row),
            "probabilities": predicted.probabilities(row) or {},
            "score": score,
        }
    answer: dict[str, Any] = {"id": id_, "label": score, "probabilities": {}, "score": score}
    width = predicted.width
    if width > 1:
        names = predicted.outputs or [str(place) for place in range(width)]
        mine = predicted.numbers[row * width : (row + 1) * width]
        answer["values"] = dict(zip(names, mine, strict=True))
    return answer
