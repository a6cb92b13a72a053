"""`athanor deploy`."""

import re
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from athanor.kernel.console import Json, emit, transport
from athanor.registry import read_code
from athanor.serving.client import EndpointsClient
from athanor.serving.commands.percents import OptionUnreadable, part_of
from athanor.serving.commands.telling import settled, tell_deployed
from athanor.serving.errors.deployments import RequirementsWithoutCode
from athanor.serving.types import CanaryPlan, Deploy
from athanor.serving.types.rollouts import Scaling

_WORKERS = re.compile(r"(\d+)(?:\.\.(\d+))?")


def deploy(
    model: Annotated[str, typer.Argument(metavar="MODEL[@VERSION]", help="Its number or alias.")],
    endpoint: Annotated[str, typer.Option(help="The endpoint; made if it is not there.")],
    canary: Annotated[
        str | None,
        typer.Option(metavar="PERCENT", help="Of the traffic, to begin with: 10, 0.5%; judged."),
    ] = None,
    plan: Annotated[
        list[str] | None,
        typer.Option(help="How the canary is judged: steps=0.1,0.5 requests=200 watch_seconds=600"),
    ] = None,
    share: Annotated[
        str | None,
        typer.Option(metavar="PERCENT", help="That it takes beside the others and keeps."),
    ] = None,
    shadow: Annotated[
        str | None,
        typer.Option(metavar="PERCENT", help="Of the requests, that are copied to it."),
    ] = None,
    capacity: Annotated[
        int | None, typer.Option(help="How many members may be loaded at once; 0: any.", min=0)
    ] = None,
    *,
    stage: Annotated[
        bool, typer.Option("--stage", help="Wait for `endpoint promote` (blue/green).")
    ] = False,
    member: Annotated[
        bool, typer.Option("--member", help="One of many models: loaded when it is named.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Redeploy whenever the alias moves.")
    ] = False,
    key: Annotated[
        str | None, typer.Option(help="The input column by which labels will join.")
    ] = None,
    features: Annotated[
        str | None, typer.Option(help="The feature service that is looked up by key.")
    ] = None,
    code: Annotated[
        Path | None, typer.Option(help="Your own Python around it: preprocess, postprocess ...")
    ] = None,
    requirement: Annotated[
        list[str] | None, typer.Option(help="What the code needs, such as emoji==2.14.0.")
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="The recipe that made its table: callers send rows as before it.")
    ] = "",
    replicas: Annotated[int, typer.Option(help="Model workers.", min=1, max=16)] = 1,
    workers: Annotated[
        str, typer.Option(metavar="MIN..MAX", help="Workers by load; 0..4 lets it sleep.")
    ] = "",
    idle: Annotated[float, typer.Option(help="Seconds without a request until it sleeps.")] = 300.0,
    other_columns: Annotated[
        bool,
        typer.Option(
            "--other-columns", help="Callers send what a canary needs beside the live one."
        ),
    ] = False,
    wait: Annotated[bool, typer.Option(help="Wait until it answers, or can't.")] = True,
    json: Json = False,
) -> None:
    """Put a model version behind an endpoint."""
    if requirement and code is None:
        raise RequirementsWithoutCode
    asked = Deploy(
        model=model,
        canary=part_of("--canary", canary),
        plan=_plan(plan) if plan else None,
        share=part_of("--share", share),
        shadow=part_of("--shadow", shadow),
        stage=stage,
        member=member,
        capacity=capacity,
        follow=follow,
        key=key,
        features=features,
        code=None if code is None else read_code(code, requirement or ()),
        recipe=recipe,
        other_columns=other_columns,
        replicas=replicas,
        scaling=scaling_of(workers, idle),
    )
    client = EndpointsClient(transport())
    made = client.deploy(endpoint, asked)
    shown = client.get(endpoint)
    if wait and shown.url:
        shown = settled(client, endpoint, made.id)
    mine = next((item for item in shown.deployments if item.id == made.id), made)
    if json:
        emit({"deployment": mine, "url": shown.url})
    else:
        tell_deployed(shown, mine)
    if mine.state in {"failed", "refused"}:
        raise typer.Exit(1)


def scaling_of(workers: str, idle: float) -> Scaling | None:
    """The scaling that `MIN..MAX` says; None where nothing is said.

    Raises: OptionUnreadable.
    """
    if not workers:
        return None
    found = _WORKERS.fullmatch(workers)
    if found is None:
        raise OptionUnreadable("--workers", workers, "MIN..MAX, such as 0..4")
    least = int(found[1])
    return Scaling(min=least, max=int(found[2]) if found[2] else max(1, least), idle_seconds=idle)


def _plan(settings: list[str]) -> CanaryPlan:
    """The plan with these settings, each `name=value`, several parted by spaces."""
    told: dict[str, Any] = {}
    known = CanaryPlan.__dataclass_fields__
    for setting in " ".join(settings).split():
        name, equals, value = setting.partition("=")
        if not equals or name not in known:
            raise OptionUnreadable("--plan", setting, f"NAME=VALUE; names are {', '.join(known)}")
        told[name] = value.split(",") if name == "steps" else _nothing(value)
    try:
        return msgspec.convert(told, CanaryPlan, strict=False)
    except msgspec.ValidationError as error:
        raise OptionUnreadable("--plan", " ".join(settings), f"NAME=VALUE: {error}") from error


def _nothing(text: str) -> str | None:
    return None if text.lower() in {"none", "null"} else text
