"""`athanor pipeline schedule` and `trigger`: what starts pipelines by itself."""

from typing import Annotated, Any

import typer

from athanor.kernel.console import Json, emit, say, table, transport
from athanor.pipelines.client import PipelinesClient
from athanor.pipelines.commands.runs import commands
from athanor.pipelines.commands.showing import summary
from athanor.pipelines.commands.submitting import (
    Artifacts,
    Parameters,
    Target,
    pairs,
    stem,
    submission_of,
)
from athanor.pipelines.types import NewTrigger

trigger_commands = typer.Typer(
    no_args_is_help=True, add_completion=False, help="What starts pipelines by itself."
)
commands.add_typer(trigger_commands, name="trigger")


@commands.command("schedule")
def schedule(
    target: Target,
    *,
    cron: Annotated[str, typer.Option(help="Minute hour day month weekday, in UTC.")],
    name: Annotated[str, typer.Option(help="The schedule's name.")] = "",
    param: Parameters = None,
    artifact: Artifacts = None,
) -> None:
    """Run a pipeline by the clock."""
    submission = submission_of(target, param or [], artifact or [])
    new = NewTrigger(name=name or stem(target), cron=cron, submission=submission)
    made = PipelinesClient(transport()).add_trigger(new)
    say(f"{made.name} runs next at {made.next_fire:%Y-%m-%d %H:%M} UTC.")


@trigger_commands.command("add")
def add_trigger(
    name: Annotated[str, typer.Argument()],
    target: Target,
    *,
    on: Annotated[str, typer.Option(help="An event, such as data.version.created.")] = "",
    match: Annotated[
        list[str] | None, typer.Option("--match", help="FIELD=VALUE of the event.")
    ] = None,
    cron: Annotated[str, typer.Option(help="Or a schedule, in UTC.")] = "",
    cooldown: Annotated[float, typer.Option(help="Seconds of rest after a firing.")] = 0.0,
    latest: Annotated[
        bool,
        typer.Option("--latest", help="After a run, run once more for an event met on the way."),
    ] = False,
    param: Parameters = None,
    artifact: Artifacts = None,
    json: Json = False,
) -> None:
    """Have a pipeline start by itself; --param and --artifact may hold {event.FIELD}."""
    submission = submission_of(target, param or [], artifact or [])
    new = NewTrigger(
        name=name,
        submission=submission,
        action=on,
        match=pairs(match or [], as_json=True),
        cron=cron,
        cooldown=cooldown,
        overlap="latest" if latest else "skip",
    )
    made = PipelinesClient(transport()).add_trigger(new)
    when = " ".join([made.action or made.cron, *_told(made.match)])
    by_hand = f"started by `athanor pipeline trigger fire {made.name}` alone; see --on and --cron"
    emit(made) if json else say(f"Trigger {made.name} is set: {when or by_hand}.")


@trigger_commands.command("list")
def list_triggers(*, json: Json = False) -> None:
    """Print all triggers."""
    found = PipelinesClient(transport()).triggers()
    if json:
        emit(found)
        return
    table(
        ("name", "kind", "when", "pipeline", "last fired", "last run"),
        [
            (
                item.name,
                item.kind,
                " ".join([item.action or item.cron, *_told(item.match)]),
                item.submission.pipeline or "its own",
                f"{item.last_fired:%Y-%m-%d %H:%M:%S}" if item.last_fired else "never",
                item.last_run or "",
            )
            for item in found
        ],
        empty="No triggers yet.",
    )


@trigger_commands.command("fire")
def fire(
    name: Annotated[str, typer.Argument()],
    *,
    event: Annotated[
        list[str] | None, typer.Option("--event", help="FIELD=VALUE for its templates.")
    ] = None,
    json: Json = False,
) -> None:
    """Start a trigger's pipeline now."""
    run = PipelinesClient(transport()).fire(name, pairs(event or [], as_json=True))
    emit(summary(run)) if json else say(f"Run {run.id} has begun.")


@trigger_commands.command("remove")
def remove(name: Annotated[str, typer.Argument()]) -> None:
    """Remove a trigger; runs that it started go on."""
    PipelinesClient(transport()).remove_trigger(name)
    say(f"Trigger {name} is gone.")


def _told(match: dict[str, Any]) -> list[str]:
    """What an event's detail must hold, as --match takes it."""
    return [f"{key}={value}" for key, value in match.items()]
