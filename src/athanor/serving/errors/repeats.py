"""What can go wrong when a request is sent again, with what to do next."""

from athanor.kernel.errors import Conflict


class IdempotencyKeyReused(Conflict):
    """An idempotency key came before, with another request."""

    def __init__(self, key: str, made: str, differs: str) -> None:
        super().__init__(
            f"The idempotency key {key!r} made {made} already, with another {differs}.",
            hint="Send the same request again, or give this one a key of its own.",
            details={"key": key, "differs": differs},
        )
