"""Protected aliases, gates and approvals over HTTP."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query

from athanor.kernel.http import Caller, provide, room_router
from athanor.registry.protection import (
    ApprovalRequest,
    Judgement,
    NewProtection,
    Protection,
    RequestFilter,
    RequestState,
)
from athanor.registry.service.promotions import Promotions

router = room_router("registry")
ThePromotions = Annotated[Promotions, provide(Promotions)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What somebody says to a request."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request is refused."""

    reason: str


@router.post("/alias-protections", status_code=201)
def protect_alias(new: NewProtection, who: Caller, promotions: ThePromotions) -> Protection:
    """Let an alias move past gates alone."""
    return promotions.protect_alias(who, new)


@router.get("/alias-protections")
def protections(
    who: Caller, promotions: ThePromotions, *, model: str | None = None, project: str | None = None
) -> list[Protection]:
    """What is protected."""
    return promotions.protections(who, model=model, project=project)


@router.delete("/alias-protections/{alias}", status_code=204)
def unprotect_alias(
    alias: str, who: Caller, promotions: ThePromotions, *, model: str = "", project: str = "default"
) -> None:
    """Let an alias move freely again."""
    promotions.unprotect_alias(who, alias, model=model, project=project)


@router.post("/models/{name}/versions/{version}/judgements", status_code=201)
def judge(
    name: str, version: str, who: Caller, promotions: ThePromotions, *, alias: str = "champion"
) -> Judgement:
    """Have the gates of a protected alias judge a version."""
    return promotions.judge(who, f"{name}@{version}", alias)


@router.get("/models/{name}/judgements")
def judgements(
    name: str,
    who: Caller,
    promotions: ThePromotions,
    *,
    number: int | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[Judgement]:
    """What gates said, newest first."""
    return promotions.judgements(who, name, number=number, limit=limit)


@router.get("/approval-requests")
def requests(
    who: Caller,
    promotions: ThePromotions,
    *,
    state: RequestState | None = None,
    model: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[ApprovalRequest]:
    """Approval requests, newest first."""
    return promotions.requests(who, RequestFilter(state=state, model=model, limit=limit))


@router.get("/approval-requests/{request_id}")
def request(request_id: str, who: Caller, promotions: ThePromotions) -> ApprovalRequest:
    """One approval request."""
    return promotions.request(who, request_id)


@router.post("/approval-requests/{request_id}/approve")
def approve(request_id: str, word: Word, who: Caller, promotions: ThePromotions) -> ApprovalRequest:
    """Agree to a move."""
    return promotions.approve(who, request_id, reason=word.reason)


@router.post("/approval-requests/{request_id}/reject")
def reject(
    request_id: str, word: Refusal, who: Caller, promotions: ThePromotions
) -> ApprovalRequest:
    """Refuse a move."""
    return promotions.reject(who, request_id, reason=word.reason)
