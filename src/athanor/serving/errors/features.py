"""What can go wrong with features of deployments."""

from collections.abc import Sequence

from athanor.kernel.errors import Unprocessable


class FeaturesUnused(Unprocessable):
    """The model reads nothing that the service gives."""

    def __init__(
        self, endpoint: str, service: str, inputs: Sequence[str], features: Sequence[str]
    ) -> None:
        super().__init__(
            f"Endpoint {endpoint!r}: the model reads none of the features of {service!r}.",
            hint=f"It reads {', '.join(inputs[:20])}; the service gives "
            f"{', '.join(features[:20])}. Name the service that it was trained with.",
        )


class FeaturesElsewhere(Unprocessable):
    """The database of the features can't be reached by a plane."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(
            f"Endpoint {endpoint!r}: there is no feature store here.",
            hint="Features are served by a workspace with a database of its own: athanor up",
        )
