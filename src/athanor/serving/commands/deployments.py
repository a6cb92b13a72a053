"""`athanor endpoint`: how traffic is divided, what runs, how shadows and canaries do."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from athanor.kernel.console import Json, emit, say, table, transport
from athanor.serving.client import EndpointsClient
from athanor.serving.client.deployments import DeploymentsClient
from athanor.serving.commands.deploying import scaling_of
from athanor.serving.commands.percents import OptionUnreadable, percent
from athanor.serving.commands.telling import tell_call, tell_moved, tell_notes
from athanor.serving.errors import NoCanary
from athanor.serving.types import RUNNING
from athanor.serving.types.graphs import InferenceGraph
from athanor.serving.types.rollouts import (
    CanaryStatus,
    EndpointStatus,
    HeaderRule,
    Scaling,
    ShadowReport,
    TrafficRules,
)

_NEARLY = 1e-4

Name = Annotated[str, typer.Argument(metavar="ENDPOINT")]
Number = Annotated[int, typer.Argument(metavar="DEPLOYMENT", help="Its number.")]


def show(name: Name, *, json: Json = False) -> None:
    """Print an endpoint's deployments, what runs of them, and how to call it."""
    found = EndpointsClient(transport()).get(name)
    if json:
        emit(found)
        return
    status = _client().status(name)
    running = {item.number: item for item in status.deployments}
    table(
        (
            "deployment",
            "model",
            "state",
            "share",
            "runtime",
            "workers",
            "last wake-up",
            "since",
            "by",
            "why",
        ),
        [
            (
                item.number,
                f"{item.model}@{item.version}",
                item.state,
                percent(item.share),
                "" if item.runtime is None else item.runtime.kind,
                _workers(status, item.number),
                _cold(running[item.number].cold_start.last_seconds)
                if item.number in running
                else "",
                f"{item.created_at:%Y-%m-%d %H:%M}",
                item.created_by,
                item.reason,
            )
            for item in found.deployments
        ],
        title=found.name,
    )
    if found.problem:
        say(f"It does not answer: {found.problem}")
    _tell_rules(TrafficRules(rules=found.rules, sticky=found.sticky))
    for item in found.deployments:
        if item.runtime is not None and item.state in RUNNING:
            say(f"Deployment {item.number} runs {item.runtime.told}.")
        tell_notes(found, item)
    for item in found.deployments:
        for step in item.canary.history if item.canary else ():
            say(f"Deployment {item.number} at {percent(step.share)}: {step.action}: {step.reason}")
        if item.state == "canary":
            _tell_canary(name)
    tell_call(found)


def split(
    name: Name,
    shares: Annotated[
        list[str] | None, typer.Argument(metavar="[DEPLOYMENT=PERCENT]...", help="1=70 2=30")
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(help="HEADER:VALUE=DEPLOYMENT; * stands for any text. In their order."),
    ] = None,
    sticky: Annotated[
        str | None, typer.Option(help="A header whose equal values stay together; '' forgets it.")
    ] = None,
    *,
    no_rules: Annotated[bool, typer.Option("--no-rules", help="Remove every rule.")] = False,
    json: Json = False,
) -> None:
    """Divide an endpoint's traffic by shares and headers; without any, print how it is."""
    client = _client()
    if not shares and not rule and sticky is None and not no_rules:
        found = client.traffic(name)
    else:
        rules = [_rule(text) for text in rule] if rule else ([] if no_rules else None)
        parts = _parts(shares) if shares else None
        found = client.split(name, parts, rules=rules, sticky=sticky)
    if json:
        emit(found)
        return
    for number, share in sorted((found.shares or {}).items()):
        say(f"Deployment {number} has {percent(share)} of endpoint {name}'s traffic.")
    _tell_rules(found)


def retire(name: Name, number: Number, *, json: Json = False) -> None:
    """End one deployment; its share goes to the others."""
    left = _client().retire(name, number)
    tell_moved(left, json=json)
    if not json:
        gone = next(item for item in left.deployments if item.number == number)
        say(f"Deployment {number} was {gone.reason}.")


def scale(
    name: Name,
    number: Number,
    workers: Annotated[str, typer.Argument(metavar="MIN..MAX", help="0..4 lets it sleep.")],
    idle: Annotated[float, typer.Option(help="Seconds without a request until it sleeps.")] = 300.0,
    concurrency: Annotated[
        float, typer.Option(help="Requests under way that one worker is wanted for.")
    ] = 4.0,
    cooldown: Annotated[float, typer.Option(help="Seconds of less load before workers go.")] = 30.0,
    *,
    json: Json = False,
) -> None:
    """Change how many workers a deployment has by its load."""
    bounds = scaling_of(workers, idle) or Scaling()
    asked = Scaling(
        min=bounds.min,
        max=bounds.max,
        concurrency=concurrency,
        idle_seconds=idle,
        cooldown_seconds=cooldown,
    )
    made = _client().scale(name, number, asked)
    if json:
        emit(made)
    else:
        say(f"Deployment {number} of endpoint {name} has {asked.min} to {asked.max} workers.")


def status(name: Name, *, json: Json = False) -> None:
    """Print what runs of an endpoint: workers, sleep, wake-ups (cold starts), requests."""
    _tell_status(_client().status(name), json=json)


def wake(name: Name, *, json: Json = False) -> None:
    """Have workers for what sleeps before a request comes."""
    _tell_status(_client().wake(name), json=json)


def shadow(
    name: Name,
    number: Annotated[int | None, typer.Option(help="The shadow's number; the newest's.")] = None,
    *,
    json: Json = False,
) -> None:
    """Print a shadow's answers compared with those that were returned."""
    told = _client().shadow(name, number)
    if json:
        emit(told)
    else:
        _tell_shadow(told)


def canary(name: Name, *, json: Json = False) -> None:
    """Print how the canary under way does; what was not measured yet is left out."""
    told = _client().canary(name)
    if json:
        emit(told)
        return
    _tell_standing(told)
    table(
        ("measured", "value"),
        [(key.replace("_", " "), f"{value:.4g}") for key, value in _seen(told.measured).items()],
        empty="Nothing was measured yet.",
        right=("value",),
    )


def output(
    name: Name,
    number: Annotated[
        int | None, typer.Option("--deployment", help="Its number; the newest one's.")
    ] = None,
    lines: Annotated[int, typer.Option(help="How many of the last.", min=1, max=10_000)] = 100,
    *,
    json: Json = False,
) -> None:
    """Print what a deployment's workers printed: your own code's lines, and traces."""
    found = _client().output(name, number, lines)
    if json:
        emit(found)
    elif found.lines:
        sys.stdout.write("\n".join(found.lines) + "\n")
    else:
        say(f"The workers of deployment {found.deployment} printed nothing.")


def graph(
    name: Name,
    file: Annotated[
        Path | None, typer.Argument(help="The graph as JSON; without anything it is printed.")
    ] = None,
    chain: Annotated[
        str, typer.Option(help="Endpoints, each seeing what the ones before said: a,b.")
    ] = "",
    ensemble: Annotated[str, typer.Option(help="Endpoints whose answers are joined: a,b,c.")] = "",
    combine: Annotated[
        str, typer.Option(help="How an ensemble's answers are joined: mean, vote, max, min.")
    ] = "mean",
    *,
    json: Json = False,
) -> None:
    """Have an endpoint answer through others: a chain, an ensemble, or a graph of your own."""
    client = _client()
    asked = _graph(file, chain, ensemble, combine)
    if asked is None:
        emit(client.graph(name))
        return
    made = client.compose(name, asked)
    if json:
        emit(made)
    else:
        parts = {step.endpoint for node in asked.nodes.values() for step in node.steps}
        said = ", ".join(sorted(parts - {""}))
        say(f"Endpoint {name} answers through {said} (deployment {made.number}).")
        tell_call(EndpointsClient(transport()).get(name))


COMMANDS = (graph, show, split, retire, scale, status, wake, shadow, canary, output)
"""What `athanor endpoint` offers of this."""


def _client() -> DeploymentsClient:
    return DeploymentsClient(transport())


def _graph(file: Path | None, chain: str, ensemble: str, combine: str) -> InferenceGraph | None:
    """The graph that was asked for; None where nothing was.

    Raises: OptionUnreadable.
    """
    form = 'a JSON file: {"nodes": {"root": {"kind": "chain", "steps": [{"endpoint": "a"}]}}}'
    if sum((file is not None, bool(chain), bool(ensemble))) > 1:
        raise OptionUnreadable("The graph", "several at once", "a file, --chain or --ensemble")
    told: Any = None
    if file is not None:
        try:
            told = msgspec.json.decode(file.read_bytes())
        except (OSError, msgspec.DecodeError) as error:
            raise OptionUnreadable("The graph", str(file), f"{form} ({error})") from error
    elif chain or ensemble:
        steps = [{"endpoint": name.strip()} for name in (chain or ensemble).split(",")]
        kind = "chain" if chain else "ensemble"
        told = {"nodes": {"root": {"kind": kind, "steps": steps, "combine": combine}}}
    if told is None:
        return None
    try:
        return msgspec.convert(told, InferenceGraph)
    except msgspec.ValidationError as error:
        raise OptionUnreadable("The graph", str(file or combine), f"{form} ({error})") from error


def _share(text: str) -> tuple[int, float]:
    number, _, part = text.partition("=")
    try:
        return int(number), float(part.rstrip("%")) / 100
    except ValueError as error:
        raise OptionUnreadable("A share", text, "DEPLOYMENT=PERCENT, such as 2=30") from error


def _parts(shares: list[str]) -> dict[int, float]:
    """The deployments' parts, which are 100 percent together.

    Raises: OptionUnreadable.
    """
    parts = dict(map(_share, shares))
    total = sum(parts.values()) * 100
    if abs(total - 100) > _NEARLY:
        told, form = " ".join(shares), f"percents that sum to 100, such as 1=70 2=30, not {total:g}"
        raise OptionUnreadable("The shares", told, form)
    return parts


def _rule(text: str) -> HeaderRule:
    condition, _, number = text.rpartition("=")
    header, _, value = condition.partition(":")
    if not header or not number.isdecimal():
        raise OptionUnreadable("--rule", text, "HEADER:VALUE=DEPLOYMENT, such as X-Tenant:beta*=2")
    return HeaderRule(header=header.strip(), value=value.strip() or "*", deployment=int(number))


def _tell_rules(found: TrafficRules) -> None:
    for rule in found.rules or ():
        say(f"Requests with {rule.header}: {rule.value} go to deployment {rule.deployment}.")
    if found.sticky:
        say(f"Requests with equal {found.sticky} stay with one deployment.")


def _tell_canary(name: str) -> None:
    """How the canary does, where it has not ended meanwhile."""
    with suppress(NoCanary):
        _tell_standing(_client().canary(name))


def _tell_standing(told: CanaryStatus) -> None:
    # What waits for requests says so itself.
    action = "" if told.reason.startswith("waits") else f"{told.action}: "
    say(
        f"Deployment {told.deployment} has {percent(told.share)} of endpoint {told.endpoint}'s "
        f"traffic (step {told.step} of {told.steps}). So far: {action}{told.reason}"
    )


_OF = {
    "requests": ("error_rate", "error_rate_at_most", "slow_rate", "slow_rate_at_most"),
    "compared": ("agreement",),
    "labelled_discordant": ("champion_alone_right_rate",),
    "labelled": ("right_rate",),
    "champion_labelled": ("champion_right_rate",),
}
"""The shares that are of each count."""


def _seen(measured: dict[str, float]) -> dict[str, float]:
    """What was measured, without the shares of nothing."""
    empty = {name for count, shares in _OF.items() if not measured.get(count) for name in shares}
    if not measured.get("requests"):
        empty |= {"nonsense_rate", "champion_error_rate"}
    counts = {name for name in _OF if not measured.get(name)}
    return {name: value for name, value in measured.items() if name not in empty | counts}


def _workers(status: EndpointStatus, number: int) -> str:
    for item in status.deployments:
        if item.number == number:
            if item.asleep:
                return "asleep"
            # What is compiled has some for a while: they replay logged rows to judge a canary.
            inside = item.runtime != "native"
            return "none needed" if inside else f"{item.workers} of {item.wanted}"
    return ""


def _cold(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.0f} ms"


def _tell_status(found: EndpointStatus, *, json: bool) -> None:
    if json:
        emit(found)
        return
    table(
        (
            "deployment",
            "model",
            "state",
            "share",
            "workers",
            "under way",
            "requests",
            "errors",
            "wake-ups",
            "last took",
        ),
        [
            (
                item.number,
                f"{item.model}@{item.version}",
                item.state,
                percent(item.share),
                _workers(found, item.number),
                item.in_flight,
                item.requests,
                item.errors,
                item.cold_start.count,
                _cold(item.cold_start.last_seconds),
            )
            for item in found.deployments
        ],
        title=found.endpoint,
        empty=f"Nothing runs of endpoint {found.endpoint}.",
    )
    if found.problem:
        say(f"It does not answer: {found.problem}")


def _tell_shadow(told: ShadowReport) -> None:
    say(f"{told.model}@{told.version}, shadow {told.shadow} of endpoint {told.endpoint}")
    say(told.verdict)
    if told.confusion:
        names = sorted(
            {*told.confusion, *(name for row in told.confusion.values() for name in row)}
        )
        table(
            ("returned", *(f"shadow says {name}" for name in names)),
            [
                (label, *(counts.get(name, 0) for name in names))
                for label, counts in told.confusion.items()
            ],
        )
    spreads = {
        "score difference": told.score_difference,
        "seconds": told.seconds,
        "shadow's seconds": told.shadow_seconds,
    }
    table(
        ("", "mean", "p50", "p90", "p99", "max"),
        [
            (
                name,
                *(
                    "" if value is None else f"{value:.4g}"
                    for value in (spread.mean, spread.p50, spread.p90, spread.p99, spread.max)
                ),
            )
            for name, spread in spreads.items()
        ],
    )
    for reason, count in told.failures.items():
        say(f"{count} failed: {reason}")
