"""`athanor endpoint recording`: what the prediction log keeps, and how far it is behind."""

from typing import Annotated, cast

import typer

from athanor.kernel.console import Json, emit, say, transport
from athanor.serving.client.recording import RecordingClient
from athanor.serving.commands.percents import percent
from athanor.serving.types.recording import Durability


def recording(
    name: Annotated[str, typer.Argument(metavar="ENDPOINT")],
    *,
    durability: Annotated[
        str | None, typer.Option(help="os, fsync (nothing is lost by a power cut) or off.")
    ] = None,
    sample: Annotated[float | None, typer.Option(help="Part of the requests, 0 to 1.")] = None,
    redact: Annotated[
        list[str] | None, typer.Option(help="A column to mask; may be given several times.")
    ] = None,
    json: Json = False,
) -> None:
    """Print what is kept of an endpoint's predictions, or change it."""
    client = RecordingClient(transport())
    if durability is not None or sample is not None or redact is not None:
        client.keep_log(
            name,
            durability=cast("Durability | None", durability),
            sample=sample,
            redact=[item for item in redact if item] if redact is not None else None,
        )
    status = client.log_status(name)
    if json:
        emit(status)
        return
    policy = status.policy
    say(f"Durability {policy.durability}; {percent(policy.sample)} of the requests are logged.")
    if policy.redact:
        say(f"Masked: {', '.join(policy.redact)}")
    say(
        f"{status.hot_segments} segments ({status.hot_bytes:,} bytes) are on their way to the "
        f"table, the oldest for {status.oldest_hot_seconds:.0f} s; queries read them already."
    )
