"""`athanor model`: what loading a model would run, and who agreed to that."""

from typing import Annotated

import typer

from athanor.kernel import NotFound
from athanor.kernel.console import Json, emit, say, table, transport
from athanor.kernel.wording import counted
from athanor.registry.client import SafetyClient
from athanor.registry.commands.models import Reference, commands
from athanor.registry.scans import Level, NewConsent

_REACH: dict[Level, str] = {
    "safe": "where nothing runs",
    "usual": "where they name parts of well-known libraries alone",
    "unknown": "also their author's own code, but nothing that starts programs, opens files or "
    "reaches the network",
    "dangerous": "whatever they would do",
}
"""What a consent of a level reaches to."""

Project = Annotated[str, typer.Option(help="The project that agrees.")]


@commands.command()
def scan(reference: Reference, *, json: Json = False) -> None:
    """Print what loading a version would import and run; nothing of it is loaded."""
    safety = SafetyClient(transport())
    found, permission = safety.scan(reference), safety.permission(reference)
    if json:
        emit({"scan": found, "allowed": permission.allowed, "reason": permission.reason})
        return
    told = found.scan
    table(
        ("file", "name", "judged", "runs", "how"),
        [
            (
                item.file,
                f"{item.module}.{item.name}" if item.module else item.name,
                item.level,
                "called" if item.runs else "imported",
                item.call,
            )
            for item in told.findings
        ],
        empty="Nothing in its files runs when it is loaded.",
    )
    for file in told.files:
        if file.problem:
            say(f"{file.path} can't be read to its end: {file.problem}")
    if told.left_out:
        say(f"and {counted(told.left_out, 'more name')}")
    outcome = "It may be loaded" if permission.allowed else "It is not loaded"
    say(f"{found.model}@{found.number} is {told.level}. {outcome}: {permission.reason}")


@commands.command("allow-pickle")
def allow_pickle(
    model: Annotated[
        str, typer.Argument(help="One model; without it, every model of the project.")
    ] = "",
    *,
    project: Project = "default",
    dangerous: Annotated[
        bool, typer.Option("--dangerous", help="Even what starts processes or evaluates text.")
    ] = False,
    usual: Annotated[
        bool, typer.Option("--usual", help="Only what is made of usual parts.")
    ] = False,
    protected: Annotated[
        bool, typer.Option("--protected", help="Protected aliases may point at them, too.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why; recorded.")] = "",
    off: Annotated[bool, typer.Option("--off", help="Take the consent back.")] = False,
    json: Json = False,
) -> None:
    """Agree that models which run code when they are loaded may be loaded, in workers alone."""
    safety = SafetyClient(transport())
    about = model or f"every model of {project}"
    if off:
        safety.withdraw(project, model)
        if json:
            emit({"project": project, "model": model, "allowed": False})
            return
        say(f"Files of {about} that run code when they are loaded are not loaded any more")
        return
    found = safety.allow(
        NewConsent(
            project=project,
            model=model,
            level="dangerous" if dangerous else "usual" if usual else "unknown",
            protected=protected,
            reason=reason,
        )
    )
    if json:
        emit(found)
        return
    still = _still_refused(safety, model) if model else ""
    if still:
        say(f"It is noted, but {model}@latest is not loaded even so: {still}")
        say(f"What it would run: athanor model scan {model}@latest")
        return
    say(
        f"Files of {about} that run code when they are loaded (pickles, Python) may be loaded "
        f"from now on, in workers: {_REACH[found.level]}"
    )


def _still_refused(safety: SafetyClient, model: str) -> str:
    """Why a model's newest version is not loaded even so; "" where it is, or there is none."""
    try:
        permission = safety.permission(f"{model}@latest")
    except NotFound:
        return ""
    return "" if permission.allowed else permission.reason


@commands.command()
def consents(*, json: Json = False) -> None:
    """Print who agreed to load pickles of what."""
    found = SafetyClient(transport()).consents()
    if json:
        emit(found)
        return
    table(
        ("project", "model", "up to", "protected aliases", "by", "when", "why"),
        [
            (
                item.project,
                item.model or "all",
                item.level,
                "yes" if item.protected else "",
                item.granted_by,
                f"{item.granted_at:%Y-%m-%d %H:%M}",
                item.reason,
            )
            for item in found
        ],
        empty="No pickle is loaded. Agree to one model's: athanor model allow-pickle MODEL",
    )
