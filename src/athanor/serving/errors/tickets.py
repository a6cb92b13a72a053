"""What can go wrong in asynchronous predictions, each with what to do next."""

from athanor.kernel.errors import (
    Conflict,
    Invalid,
    NotFound,
    TooLarge,
    TooManyRequests,
    Unavailable,
)


class TicketNotFound(NotFound):
    """No ticket has this id, or not any more."""

    def __init__(self, ticket: str) -> None:
        super().__init__(
            f"There is no ticket {ticket!r}: it never was, or its answer has expired.",
            hint="See what there is: athanor endpoint tickets",
        )


class TicketOpen(Conflict):
    """The ticket's answer is not there yet."""

    def __init__(self, ticket: str, state: str) -> None:
        super().__init__(
            f"Ticket {ticket} is {state}; its answer is not there yet.",
            hint=f"Ask again later, or wait: athanor endpoint ticket {ticket} --wait",
        )


class TicketEnded(Conflict):
    """The ticket is past what was asked of it."""

    def __init__(self, ticket: str, state: str, wanted: str) -> None:
        super().__init__(
            f"Ticket {ticket} is {state}; it can't be {wanted}.",
            hint=f"See it: athanor endpoint ticket {ticket}",
        )


class BadTicket(Invalid):
    """A request that can't be answered later as it was given."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem, hint=hint)


class TicketTooLarge(TooLarge):
    """The request is larger than what one ticket may hold."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"The request has {size:,} bytes; one ticket may hold {limit:,}.",
            hint="Predict a file instead: athanor batch run MODEL --file FILE --to NAME",
        )


class TooManyTickets(TooManyRequests):
    """As many of the endpoint's tickets wait as may."""

    def __init__(self, endpoint: str, limit: int) -> None:
        super().__init__(
            f"Endpoint {endpoint!r} has {limit:,} tickets without an answer, the most it may have.",
            hint="Send again when some are answered, or raise the endpoint's workers.",
        )


class EndpointBusy(Unavailable):
    """The endpoint did not answer now; the ticket is tried again."""

    def __init__(self, endpoint: str, reason: str) -> None:
        super().__init__(
            f"Endpoint {endpoint!r} did not answer: {reason}", hint="It is tried again by itself."
        )


class ReceiverFailed(Unavailable):
    """A webhook's receiver did not take the message; it is sent again."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url} did not take the message: {reason}.", hint="It is sent again.")
