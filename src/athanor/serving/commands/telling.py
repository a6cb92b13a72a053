"""How endpoints are shown on the command line."""

import sys
import time

from athanor.kernel import AthanorError
from athanor.kernel.console import emit, say, transport
from athanor.kernel.transport import segment
from athanor.serving.client import EndpointsClient
from athanor.serving.client.exports import ExportsClient
from athanor.serving.commands.percents import percent
from athanor.serving.types import RUNNING, Deployment, Endpoint

_WAIT_SECONDS = 120.0
_LOOK_SECONDS = 0.2
_SETTLED = frozenset(
    {"live", "canary", "staged", "shadow", "member", "refused", "failed", "retired", "standby"}
)


def settled(client: EndpointsClient, name: str, deployment: str) -> Endpoint:
    """The endpoint once the deployment is live, is a canary, or has ended."""
    end = time.monotonic() + _WAIT_SECONDS
    while True:
        found = client.get(name)
        mine = next((item for item in found.deployments if item.id == deployment), None)
        if mine is None or mine.state in _SETTLED or time.monotonic() > end:
            return found
        time.sleep(_LOOK_SECONDS)


def tell_deployed(endpoint: Endpoint, mine: Deployment) -> None:
    """Say what became of a deployment, and how to call it."""
    what = f"{mine.model}@{mine.version}"
    match mine.state:
        case "live":
            share = f" with {percent(mine.share)} of its traffic" if mine.share < 1 else ""
            say(f"{what} answers at endpoint {endpoint.name}{share} (deployment {mine.number}).")
        case "canary":
            say(
                f"{what} has {percent(mine.share)} of endpoint {endpoint.name}'s traffic. "
                f"{_canary_goes(mine)} Watch it: athanor endpoint show {endpoint.name}"
            )
        case "staged":
            say(
                f"{what} waits as deployment {mine.number} of endpoint {endpoint.name}. Ask it by "
                f"the header X-Athanor-Deployment: {mine.number}; give it the traffic: "
                f"athanor endpoint promote {endpoint.name}"
            )
        case "shadow":
            say(
                f"{what} is asked in the shadow of endpoint {endpoint.name}. Compare: "
                f"athanor endpoint shadow {endpoint.name}"
            )
        case "member":
            say(
                f"{what} is a model of endpoint {endpoint.name}. Ask it by the header "
                f"X-Athanor-Model: {what}"
            )
        case "standby":
            say(
                f"{what} is ready as deployment {mine.number} of endpoint {endpoint.name}, without "
                f"traffic: athanor endpoint split {endpoint.name} {mine.number}=20 ..."
            )
        case "failed" | "refused":
            say(f"{what} does not serve: {mine.reason}")
        case _:
            say(f"{what} is deployed to endpoint {endpoint.name} (deployment {mine.number}).")
    tell_notes(endpoint, mine)
    tell_call(endpoint)


def tell_moved(endpoint: Endpoint, *, json: bool) -> None:
    """Say what an endpoint serves now."""
    if json:
        emit(endpoint)
        return
    say(f"Endpoint {endpoint.name} serves {named(endpoint.live)}.")
    if endpoint.live is not None:
        tell_notes(endpoint, endpoint.live)


def _canary_goes(mine: Deployment) -> str:
    """How a canary comes to more."""
    if mine.canary is None:
        return "It is judged now."
    plan = mine.canary.plan
    steps = ", ".join(percent(step) for step in plan.steps)
    told = f"It waits for requests: {plan.requests} at least at each step ({steps})"
    if plan.replay:
        told += f", or as many logged ones, replayed to it after {plan.patience_seconds:g} s"
    return f"{told}; without any it stays where it is (--plan requests=..., patience_seconds=...)."


def tell_notes(endpoint: Endpoint, mine: Deployment) -> None:
    """Say what of a deployment may surprise whoever made it."""
    which = f"Deployment {mine.number}"
    if mine.state not in RUNNING or mine.rollout.graph is not None:
        return
    if not mine.signature.columns:
        say(
            f"{which} tells no columns: it gets records as they are sent, and nothing of them is "
            f"checked. Register it with a signature, or with --column NAME:TYPE, to have that."
        )
    if (
        endpoint.live == mine
        and mine.signature.columns
        and endpoint.key
        and endpoint.key not in {column.name for column in mine.signature.columns}
        and mine.features is None
    ):
        say(
            f"Send {endpoint.key!r} with each record: labels join by it, though the model does "
            f"not read it."
        )
    compiled = mine.runtime is not None and mine.runtime.kind != "native"
    if compiled and mine.runtime is not None and (mine.scaling or mine.replicas > 1):
        say(
            f"{which} is compiled ({mine.runtime.kind}): the server's process for endpoints (the "
            f"data plane) answers by itself, so that its workers are not used; they start while "
            f"a canary is judged."
        )
    live = endpoint.live
    if mine.state == "canary" and live and (live.model, live.version) == (mine.model, mine.version):
        say(
            f"{mine.model}@{mine.version} is live already (deployment {live.number}): this canary "
            f"compares the version with itself. End it: athanor endpoint rollback {endpoint.name}"
        )
    if endpoint.live == mine and (champion := _champion(mine.model)) not in {0, mine.version}:
        say(
            f"Endpoint {endpoint.name} is pinned to {mine.model}@{mine.version}, and "
            f"{mine.model}@champion is version {champion}. To serve the champion: athanor deploy "
            f"{mine.model}@champion --endpoint {endpoint.name}. To have version {mine.version} be "
            f"the champion: athanor model promote {mine.model}@{mine.version}"
        )


def _champion(model: str) -> int:
    """The number of the model's champion; 0 where it has none."""
    try:
        told = transport().send("GET", f"/models/{segment(model)}").json()
    except AthanorError:
        return 0
    return int(told["aliases"].get("champion", 0))


def tell_call(endpoint: Endpoint) -> None:
    """Print a call of the endpoint, with a row that its model was trained on."""
    if not endpoint.url:
        say("No server runs in this workspace, so it does not answer yet: athanor up")
        return
    asked = endpoint.live or endpoint.candidate
    if asked is None:
        return
    if not asked.signature.columns:
        say(f"It answers at {endpoint.url}")
        return
    try:
        call = ExportsClient(transport()).snippet(endpoint.name)
    except AthanorError:  # not every endpoint has a row to show
        say(f"It answers at {endpoint.url}")
        return
    say("Call it:")
    sys.stdout.write(f"{call.rstrip()}\n")


def named(deployment: Deployment | None) -> str:
    """A deployment by its model and share, or nothing."""
    if deployment is None:
        return ""
    share = f" ({percent(deployment.share)})" if 0 < deployment.share < 1 else ""
    return f"{deployment.model}@{deployment.version}{share}"


def rollback_to(endpoint: Endpoint) -> str:
    """What a rollback would bring back, or nothing."""
    before = [
        item
        for item in endpoint.deployments
        if item.id in endpoint.earlier and item.state in RUNNING
    ]
    serving = {(item.model, item.version) for item in endpoint.lives}
    return ", ".join(
        f"{item.model}@{item.version}"
        + (f" (deployment {item.number})" if (item.model, item.version) in serving else "")
        for item in before
    )


def serves(endpoint: Endpoint) -> str:
    """What an endpoint answers with, or why it does not."""
    if endpoint.problem:
        return f"nothing: {endpoint.problem}"
    members = sum(item.state == "member" for item in endpoint.deployments)
    said = [named(item) for item in endpoint.lives]
    if endpoint.graph is not None:
        said = [f"a graph ({said[0]})"]
    return ", ".join([*said, *([f"{members} models by name"] if members else [])])
