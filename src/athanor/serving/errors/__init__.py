"""What can go wrong in serving, each with what to do next."""

from collections.abc import Iterable, Sequence

from athanor.kernel.errors import (
    Conflict,
    Forbidden,
    Internal,
    Invalid,
    NotFound,
    TookTooLong,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unprocessable,
    nearest,
)


class EndpointNotFound(NotFound):
    """No endpoint has this name."""

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        hint = nearest(name, known) or "See what exists: athanor endpoint list"
        super().__init__(f"There is no endpoint {name!r}.", hint=hint)


class DeploymentNotFound(NotFound):
    """The endpoint has no such deployment."""

    def __init__(self, endpoint: str, deployment: str) -> None:
        super().__init__(
            f"Endpoint {endpoint!r} has no deployment {deployment!r} that takes requests.",
            hint=f"See what it has: athanor endpoint show {endpoint}",
        )


class PredictionNotFound(NotFound):
    """No logged prediction has this id."""

    def __init__(self, prediction: str) -> None:
        super().__init__(
            f"There is no prediction {prediction!r} in the log.",
            hint="Its id stands in the answer, as predictions[].id.",
        )


class NoEarlierDeployment(Conflict):
    """Nothing that the endpoint had before runs any more, or it never had anything else.

    `withdrawn` is the number of a deployment that a rollback took the traffic from, `retired` an
    earlier one's model version, such as `churn@1`.
    """

    def __init__(self, endpoint: str, withdrawn: int | None = None, retired: str = "") -> None:
        ways = []
        if withdrawn is not None:
            ways.append(
                f"To bring back what was withdrawn: athanor endpoint split {endpoint} "
                f"{withdrawn}=100"
            )
        if retired:
            ways.append(f"To go further back: athanor deploy {retired} --endpoint {endpoint}")
        super().__init__(
            f"Endpoint {endpoint!r} has no earlier deployment to go back to"
            f"{', for it was rolled back already' if withdrawn is not None else ''}.",
            hint=". ".join(ways) or f"See its deployments: athanor endpoint show {endpoint}",
        )


class NoCanary(Conflict):
    """The endpoint has no canary under way."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(
            f"Endpoint {endpoint!r} has no canary under way.",
            hint=f"Start one: athanor deploy MODEL --endpoint {endpoint} --canary 10",
        )


class EndpointNameInvalid(Invalid):
    """The name can't stand in an address."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} can't name an endpoint.",
            hint="Use 1 to 63 small letters, digits and hyphens, beginning with a letter.",
        )


class CanaryShareInvalid(Invalid):
    """The share is outside of what a canary can have."""

    def __init__(self, share: float) -> None:
        super().__init__(
            f"A canary can't begin with a share of {share:g}.",
            hint=(
                "Give a share above 0 and below 1; on the command line percents: 10 for a tenth, "
                "0.5% for less than a hundredth."
            ),
        )


class LabelsInvalid(Invalid):
    """A batch of labels holds one that names no prediction."""

    def __init__(self, row: int) -> None:
        super().__init__(
            f"Label {row} names neither a prediction id nor a key, or has no label.",
            hint='Send {"id": "<prediction id>", "label": ...} or {"key": ..., "label": ...}.',
        )


class LabelElsewhere(Unprocessable):
    """A label names a prediction of another endpoint."""

    def __init__(self, row: int, prediction: str, endpoint: str, other: str) -> None:
        super().__init__(
            f"Label {row} is of prediction {prediction}, which endpoint {other!r} made, not "
            f"{endpoint!r}; none of these labels was kept.",
            hint=f"Send it to the endpoint that answered: athanor endpoint label {other} ...",
        )


class LabelUnfit(Unprocessable):
    """A label can't be the truth about what an endpoint predicts."""

    def __init__(self, row: int, label: str, endpoint: str, classes: Sequence[str]) -> None:
        what = "a number" if not classes else f"one of {', '.join(map(repr, classes[:20]))}"
        super().__init__(
            f"Label {row} is {label!r}, but the truth about endpoint {endpoint!r} is {what}; none "
            f"of these labels was kept.",
            hint="Correct it, or leave it out, and send them again.",
        )


class LabelsMissing(Unprocessable):
    """No logged prediction has its label yet."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(
            f"No prediction of endpoint {endpoint!r} has a label yet.",
            hint=f"Send labels: athanor endpoint label {endpoint} FILE",
        )


class ModelElsewhere(Unprocessable):
    """Of the version only an address is registered: its files are not in this workspace."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"The files of {model} are not in this workspace, so no worker can load them.",
            hint="Take them in as a version of their own: athanor model import MODEL FOLDER",
        )


class FlavorNotServed(Unprocessable):
    """The folder holds no model that a runtime loads, whatever flavour it has."""

    def __init__(self, model: str, flavor: str) -> None:
        super().__init__(
            f"{model} can't be served: its flavour is {flavor!r}, and its MLmodel names no file "
            "that holds a scikit-learn estimator.",
            hint="Served are scikit-learn estimators: kept by skops, or as a pickle that somebody "
            "agreed to load. Register the model as one, say by mlflow.sklearn.log_model.",
        )


class SignatureMissing(Unprocessable):
    """The model does not say which columns it reads."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"Model {model} does not say which columns it reads, so no request could be checked.",
            hint="Train it on a table with named columns, or save it with an example.",
        )


class ModelUnloadable(Unprocessable):
    """The model's worker could not load it."""

    def __init__(self, model: str, reason: str) -> None:
        super().__init__(
            f"Model {model} can't be served: {reason}",
            hint="Its worker's log is below logs/serving/ in the workspace.",
        )


class PlaneUnreachable(Unavailable):
    """The data plane does not answer on its control socket."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The data plane does not answer: {reason}.",
            hint="It is restarted by itself; try again in a second.",
        )


class PortTaken(Conflict):
    """The data plane's port can't be had."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(
            f"The data plane can't listen at {host} port {port}: {reason}.",
            hint="Choose another one: the setting serving_port, or the environment's "
            "ATHANOR_SERVING_PORT=N; 0 takes a free one.",
        )


class ServerNeeded(Unavailable):
    """There is no data plane because no server runs."""

    def __init__(self) -> None:
        super().__init__(
            "No server runs in this workspace, so no endpoint answers.",
            hint="Start it: athanor up",
        )


class BadPrediction(Invalid):
    """A body from which no records can be read."""

    def __init__(
        self, message: str, hint: str = 'Send {"records": [{"column": value, ...}]}.'
    ) -> None:
        super().__init__(message, hint=hint)


class BadRequest(Invalid):
    """Bytes that are no valid HTTP request, or not one that the plane takes."""

    def __init__(self, message: str, hint: str = "Use an HTTP/1.1 client.") -> None:
        super().__init__(message, hint=hint)


class TransferCodingUnknown(BadRequest):
    """The body is packed for its way by something else than chunks."""

    def __init__(self, coding: str) -> None:
        super().__init__(
            f"A body with Transfer-Encoding: {coding[:100]} is not taken.",
            hint="Send it chunked alone; pack it, where you want to, by Content-Encoding: gzip.",
        )


class HeaderTooLarge(TooLarge):
    """The request's header exceeds the plane's limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The header is larger than {limit:,} bytes.", hint="Send fewer and shorter headers."
        )


class TooManyRecords(TooLarge):
    """More records in one request than the limit."""

    def __init__(self, count: int, limit: int) -> None:
        super().__init__(
            f"{count:,} records came; one request may hold {limit:,}.",
            hint="Send them in several requests.",
        )


class ColumnMissing(Invalid):
    """A record lacks columns that the model reads."""

    def __init__(self, missing: list[str], row: int, came: Iterable[str]) -> None:
        named = ", ".join(repr(name) for name in missing[:5])
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        noun = "column" if len(missing) == 1 else "columns"
        super().__init__(
            f"Record {row} lacks the {noun} {named}{more}.",
            hint=nearest(missing[0], came) or "Send null for a value that is not known.",
            details={"row": row, "columns": missing},
        )


class ValueRefused(Invalid):
    """A value is not of its column's type."""

    def __init__(self, column: str, row: int, value: str, expected: str) -> None:
        super().__init__(
            f"Column {column!r} of record {row} holds {value}; the model expects {expected}.",
            hint="Send null for a value that is not known.",
            details={"row": row, "column": column},
        )


_CODE = "CodeFailed: "
"""So begins the reason where a user's own Python failed."""


class ModelRefusedInput(Unprocessable):
    """The model itself failed on these records."""

    def __init__(self, reason: str) -> None:
        hint = "A null in a column that training never saw empty is the usual cause."
        if reason.startswith(_CODE):
            hint = "See the whole trace, and what the code printed: athanor endpoint output NAME"
        super().__init__(
            f"The model could not predict these records: {reason.removeprefix(_CODE)}", hint=hint
        )


class BodyTooLarge(TooLarge):
    """The body exceeds the plane's limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The body is larger than {limit:,} bytes.",
            hint="Send the records in several requests.",
        )


class Overloaded(TooManyRequests):
    """More requests wait than the limit."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(
            f"Endpoint {endpoint!r} has as many requests waiting as it may.",
            hint="Send again after the seconds of Retry-After.",
        )


class WorkerUnavailable(Unavailable):
    """No worker of the deployment answers now."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The model's worker is not available: {reason}.",
            hint="It is restarted by itself; send again after the seconds of Retry-After.",
        )


class PredictionTimedOut(TookTooLong):
    """The model did not answer in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The model gave no answer within {seconds:g} s.", hint="Send fewer records at once."
        )


class LogUnwritable(Unavailable):
    """The prediction could not be logged, and what is not logged is not answered."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The prediction log can't be written: {reason}.",
            hint="Free space on the disk of the workspace's predictions folder.",
        )


class ForeignHost(Forbidden):
    """The Host header names somebody else."""

    def __init__(self) -> None:
        super().__init__(
            "This Host name is not one of this machine's loopback names.",
            hint="Call it as http://127.0.0.1 or http://localhost.",
        )


class ForeignOrigin(Forbidden):
    """A web page of another origin asked."""

    def __init__(self) -> None:
        super().__init__(
            "Requests from pages of another origin are refused.",
            hint="Call the endpoint from a program, or through the studio.",
        )


class TokenNeeded(Unauthorized):
    """The plane demands a token and this is not one of them."""

    def __init__(self) -> None:
        super().__init__("A valid token is needed.", hint="Send it as: Authorization: Bearer TOKEN")


class RouteUnknown(NotFound):
    """The data plane has no such address."""

    def __init__(self, method: str, path: str) -> None:
        super().__init__(
            f"The data plane has no {method} {path}.",
            hint="Predictions are at POST /endpoints/NAME/predict.",
        )


class PlaneFailed(Internal):
    """A mistake of the data plane itself."""

    def __init__(self) -> None:
        super().__init__(
            "The data plane failed on this request.", hint="Its log says where; the others go on."
        )
