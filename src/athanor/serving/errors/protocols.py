"""What the data plane refuses in the words of open protocols."""

from athanor.kernel.errors import (
    AthanorError,
    Conflict,
    Invalid,
    NotFound,
    TooLarge,
    Unprocessable,
)


class TensorRefused(Invalid):
    """A tensor does not hold what it says, or not what the model reads."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"Input {name!r} can't be read: {reason}.",
            hint="See the model's inputs: GET v2/models/NAME",
        )


class InferenceRefused(Invalid):
    """An inference request that is not one of the Open Inference Protocol."""

    def __init__(
        self, message: str, hint: str = "See the model's inputs: GET v2/models/NAME"
    ) -> None:
        super().__init__(message, hint=hint)


class ServedModelNotFound(NotFound):
    """No endpoint serves under this model name or version."""

    def __init__(self, name: str, version: str, known: list[str]) -> None:
        told = f"No version {version!r} of model {name!r}" if version else f"No model {name!r}"
        shown = ", ".join(known[:20]) or "none"
        super().__init__(f"{told} is served here.", hint=f"Served: {shown}.")


class MethodRefused(AthanorError):
    """The address is right and the method is not."""

    status = 405

    def __init__(self, method: str, path: str, allowed: str) -> None:
        super().__init__(f"{path} does not take {method}.", hint=f"It takes {allowed}.")
        self.allowed = allowed


class EncodingRefused(AthanorError):
    """The body is compressed in a way that the plane does not undo."""

    status = 415

    def __init__(self, encoding: str) -> None:
        super().__init__(
            f"The Content-Encoding {encoding!r} is not known here.",
            hint="Send the body plain, or as gzip or deflate.",
        )


class BodyUndecodable(Invalid):
    """The body is not compressed as its header says."""

    def __init__(self, encoding: str) -> None:
        super().__init__(
            f"The body is no whole {encoding} stream.", hint="Compress the whole body once."
        )


class EndpointUnnamed(NotFound):
    """An address for the only endpoint, where there is none or several."""

    def __init__(self, known: list[str]) -> None:
        shown = ", ".join(known[:20])
        told = f"Several endpoints are served: {shown}" if known else "No endpoint is served"
        super().__init__(
            f"{told}, so that this address names none.",
            hint="Name it: /endpoints/NAME/invocations, or the header X-Athanor-Endpoint: NAME.",
        )


class UnloadRefused(Unprocessable):
    """Models leave with their endpoint alone."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Model {name!r} can't be unloaded by this protocol.",
            hint=f"Take its endpoint away: athanor endpoint remove {name}",
        )


class Inflated(TooLarge):
    """A compressed body that is larger than the limit once it is whole."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The body is larger than {limit:,} bytes once it is decompressed.",
            hint="Send the records in several requests.",
        )


class InvocationRefused(Invalid):
    """A body that MLflow's scoring server refuses, too."""

    def __init__(
        self, message: str, *, name: str = "BAD_REQUEST", hint: str = "", final: bool = False
    ) -> None:
        super().__init__(
            message,
            hint=hint or 'Send {"dataframe_records": [{"column": value}]}.',
        )
        self.name = name
        """MLflow's error code."""
        self.final = final
        """Whether it is refused although MLflow would take it."""


class ContentTypeRefused(AthanorError):
    """The content type is none of those that scoring takes."""

    status = 415

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="Send application/json or text/csv.")


class GrpcMissing(Conflict):
    """A port for gRPC is set, and the library for it is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "serving_grpc_port is set, and grpcio is not installed.",
            hint="Install it: pip install 'athanor-ml[grpc]'; or set the port to 0.",
        )
