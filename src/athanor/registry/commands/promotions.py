"""`athanor model`: protected aliases, what gates say, and approvals."""

from textwrap import shorten
from typing import Annotated

import typer

from athanor.kernel.console import Json, emit, say, table, transport
from athanor.kernel.wording import counted
from athanor.registry.client import PromotionsClient
from athanor.registry.commands.models import Reference, commands
from athanor.registry.protection import (
    ApprovalRequest,
    Judgement,
    NewProtection,
    Protection,
    RequestFilter,
)

Request = Annotated[str, typer.Argument(metavar="REQUEST", help="The id of an approval request.")]
Project = Annotated[str, typer.Option(help="Of a protection for every model of a project.")]
ModelOption = Annotated[str, typer.Option("--model", help="One model; without it, every model.")]


@commands.command("protect-alias")
def protect_alias(
    alias: Annotated[str, typer.Argument(help="Such as champion or prod.")],
    *,
    model: ModelOption = "",
    project: Project = "default",
    gate: Annotated[
        list[str] | None,
        typer.Option(
            help="'roc_auc>=0.8', 'not-worse roc_auc by 0.01', 'fairness <=0.1', "
            "'latency p95<=20ms', schema, pickle, quality. May be repeated."
        ),
    ] = None,
    approvals: Annotated[int, typer.Option(help="How many people must agree.")] = 0,
    by_others: Annotated[
        bool, typer.Option("--by-others", help="Others than who asks must agree.")
    ] = False,
    off: Annotated[bool, typer.Option("--off", help="Lift the protection.")] = False,
    json: Json = False,
) -> None:
    """Let an alias move past gates and approvals alone."""
    promotions = _promotions()
    if off:
        promotions.unprotect_alias(alias, model=model, project=project)
        if json:
            emit({"alias": alias, "model": model, "protected": False})
            return
        say(f"{alias} moves freely")
        return
    found = promotions.protect_alias(
        NewProtection(
            alias=alias,
            model=model,
            project=project,
            gates=tuple(gate or ()),
            approvals=approvals,
            by_others=by_others,
        )
    )
    if json:
        emit(found)
        return
    say(f"{_of(found)} is protected: {_demands(found)}")


@commands.command()
def protections(
    model: Annotated[str | None, typer.Argument(help="Those that hold for a model.")] = None,
    *,
    json: Json = False,
) -> None:
    """Print which aliases are protected, and by what."""
    found = _promotions().protections(model=model)
    if json:
        emit(found)
        return
    table(
        ("alias", "model", "demands", "by"),
        [
            (item.alias, item.model or f"all of {item.project}", _demands(item), item.created_by)
            for item in found
        ],
        empty="No alias is protected. Protect one: athanor model protect-alias champion --gate ...",
    )


@commands.command()
def judge(
    reference: Reference,
    *,
    alias: Annotated[str, typer.Option(help="The protected alias.")] = "champion",
    json: Json = False,
) -> None:
    """Have the gates of a protected alias judge a version; nothing moves."""
    found = _promotions().judge(reference, alias)
    if json:
        emit(found)
        return
    _show(found)


@commands.command()
def judgements(
    model: Annotated[str, typer.Argument(metavar="MODEL")],
    *,
    version: Annotated[int | None, typer.Option(help="One version alone.")] = None,
    json: Json = False,
) -> None:
    """Print what gates said, newest first."""
    found = _promotions().judgements(model, number=version)
    if json:
        emit(found)
        return
    table(
        ("version", "alias", "against", "outcome", "gates", "when", "by"),
        [
            (
                item.number or "(not registered)",
                item.alias,
                item.holder,
                "passed" if item.passed else "not passed",
                _gates(item),
                f"{item.judged_at:%Y-%m-%d %H:%M}",
                item.judged_by,
            )
            for item in found
        ],
        empty="No gate has judged a version of it.",
    )


@commands.command()
def requests(
    *,
    model: Annotated[str | None, typer.Option(help="Of one model.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Decided ones too.")] = False,
    json: Json = False,
) -> None:
    """Print which moves wait for people."""
    query = RequestFilter(state=None if all_ else "open", model=model)
    found = _promotions().requests(query)
    if json:
        emit(found)
        return
    table(
        ("request", "move", "state", "agreed", "asked by", "why"),
        [
            (
                item.id,
                f"{item.model}@{item.alias} to version {item.number}"
                + (f" (from {item.holder})" if item.holder else ""),
                item.state,
                f"{len(item.approvals)} of {item.needed}",
                item.asked_by,
                item.decision or item.reason,
            )
            for item in found
        ],
        empty="Nothing waits.",
    )


@commands.command()
def approve(
    request: Request,
    *,
    reason: Annotated[str, typer.Option(help="Why; recorded.")] = "",
    json: Json = False,
) -> None:
    """Agree to a move; with the last approval that it needs, the alias moves."""
    _decided(_promotions().approve(request, reason=reason), json=json)


@commands.command()
def reject(
    request: Request,
    *,
    reason: Annotated[str, typer.Option(help="Why; recorded.")],
    json: Json = False,
) -> None:
    """Refuse a move."""
    _decided(_promotions().reject(request, reason=reason), json=json)


def _promotions() -> PromotionsClient:
    return PromotionsClient(transport())


def _decided(request: ApprovalRequest, *, json: bool) -> None:
    if json:
        emit(request)
        return
    words = {"used": "approved, and the alias has moved", "open": "waits for more approvals"}
    say(f"{request.model}@{request.alias}: {words.get(request.state, request.state)}")


def _of(found: Protection) -> str:
    return f"{found.model or f'every model of {found.project}'}@{found.alias}"


def _demands(found: Protection) -> str:
    told = [rule.text for rule in found.gates]
    if found.approvals:
        told.append(
            f"{counted(found.approvals, 'approval')}{' of others' if found.by_others else ''}"
        )
    return ", ".join(told)


_REASON = 60
"""Characters of a reason in a list; --json has all of it."""


def _gates(found: Judgement) -> str:
    """Which gates judged; where one did not pass, which, and the beginning of why."""
    failed = [verdict for verdict in found.verdicts if not verdict.passed]
    if not failed:
        return ", ".join(verdict.gate for verdict in found.verdicts)
    return "; ".join(
        f"{verdict.gate}: {shorten(verdict.reason, _REASON, placeholder=' ...')}"
        for verdict in failed
    )


def _show(found: Judgement) -> None:
    table(
        ("gate", "outcome", "why"),
        [
            (item.gate, "passed" if item.passed else "not passed", item.reason)
            for item in found.verdicts
        ],
        title=f"{found.model}@{found.number} for {found.alias}",
    )
    say("It may take the alias." if found.passed else "It may not take the alias.", style="bold")
