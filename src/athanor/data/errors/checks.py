"""What can go wrong with expectations."""

from athanor.kernel.errors import Invalid


class BadExpectation(Invalid):
    """The expectation says what its kind does not know."""

    def __init__(self, kind: str, what: str, hint: str = "") -> None:
        super().__init__(
            f"The expectation {kind!r} can't be kept: {what}",
            hint=hint or "See what each kind takes: athanor data check-kinds",
            details={"kind": kind},
        )


class BadSuite(Invalid):
    """The file is no suite of pandera or Great Expectations."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The suite can't be read: {what}",
            hint="Hand in the JSON of a pandera schema (schema.to_json()) or of a Great "
            "Expectations suite.",
        )
