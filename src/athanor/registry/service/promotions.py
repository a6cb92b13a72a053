"""Protected aliases: what they demand, what gates said, and who agrees to a move."""

from dataclasses import replace

from athanor.kernel import Event, Principal, Verdict, new_id
from athanor.registry.errors import (
    BadProtection,
    ProtectionNotFound,
    RequestClosed,
    RequestNotFound,
)
from athanor.registry.ground import Ground
from athanor.registry.guard import Guard
from athanor.registry.logic.references import CHAMPION, check_alias
from athanor.registry.protection import (
    CHALLENGER_REFUSED,
    Approval,
    ApprovalRequest,
    Judgement,
    NewProtection,
    Protection,
    RequestFilter,
    parse_rule,
)
from athanor.registry.service.models import Models
from athanor.registry.store.protection import ProtectionStore

MOST_APPROVALS = 10
_MOST_GATES = 50
_MOST = 1000


class Promotions:
    """Protections, judgements and approvals."""

    def __init__(
        self, store: ProtectionStore, guard: Guard, models: Models, ground: Ground
    ) -> None:
        self._store = store
        self._guard = guard
        self._models = models
        self._ground = ground
        self._access = ground.access

    def protect_alias(self, who: Principal, new: NewProtection) -> Protection:
        """Let an alias, of one model or of every model of a project, move past gates alone.

        In place of what protected it before. Where it points now, it stays.

        Raises: BadGate, BadProtection, BadAlias, ModelNotFound.
        """
        self._access.require(who, "registry.protect_alias", f"{new.model or '*'}@{new.alias}")
        check_alias(new.alias)
        project = self._models.model(who, new.model).project if new.model else new.project
        if not 0 <= new.approvals <= MOST_APPROVALS:
            raise BadProtection(f"{new.approvals} approvals can't be asked for")
        if not new.gates and not new.approvals:
            raise BadProtection("it names neither a gate nor approvals")
        if len(new.gates) > _MOST_GATES:
            raise BadProtection(f"it names {len(new.gates)} gates, more than {_MOST_GATES}")
        protection = Protection(
            id=new_id(),
            project=project,
            model=new.model or None,
            alias=new.alias,
            gates=tuple({rule.name: rule for rule in map(parse_rule, new.gates)}.values()),
            approvals=new.approvals,
            by_others=new.by_others,
            created_by=who.name,
            created_at=self._ground.clock.now(),
        )
        with self._ground.database.transaction():
            self._store.protect(protection)
            detail = {
                "model": new.model,
                "alias": new.alias,
                "gates": list(new.gates),
                "approvals": new.approvals,
                "by_others": new.by_others,
            }
            subject = f"{new.model or '*'}@{new.alias}"
            self._ground.events.tell(
                who, "registry.alias.protected", subject, detail, project=project
            )
        return protection

    def unprotect_alias(
        self, who: Principal, alias: str, *, model: str = "", project: str = "default"
    ) -> None:
        """Let an alias move freely again; requests that wait stay as they are.

        Raises: ProtectionNotFound, ModelNotFound.
        """
        self._access.require(who, "registry.unprotect_alias", f"{model or '*'}@{alias}")
        if model:
            project = self._models.model(who, model).project
        with self._ground.database.transaction():
            if not self._store.unprotect(project, model or None, alias):
                raise ProtectionNotFound(alias, model)
            detail = {"model": model, "alias": alias}
            self._ground.events.tell(
                who,
                "registry.alias.unprotected",
                f"{model or '*'}@{alias}",
                detail,
                project=project,
            )

    def protections(
        self, who: Principal, *, model: str | None = None, project: str | None = None
    ) -> list[Protection]:
        """What is protected: in a project, or for a model (its project's protections too).

        Raises: ModelNotFound.
        """
        self._access.require(who, "registry.protections", model or project or "*")
        if model is not None:
            project = self._models.model(who, model).project
        return self._store.protections(project, model)

    def judge(self, who: Principal, reference: str, alias: str) -> Judgement:
        """Have the gates of a protected alias judge a version now; the alias does not move.

        Raises: ModelNotFound, ModelVersionNotFound, ProtectionNotFound.
        """
        self._access.require(who, "registry.judge", reference)
        version = self._models.version(who, reference)
        protection = self._guard.protection(self._models.model(who, version.model), alias)
        if protection is None:
            raise ProtectionNotFound(alias, version.model)
        return self._guard.judge(who, protection, version, alias)

    def judgements(
        self, who: Principal, model: str, *, number: int | None = None, limit: int = 100
    ) -> list[Judgement]:
        """What gates said of a model's versions, newest first; `limit` is 1 to 1,000.

        With challengers that a pipeline's gate refused: they were not registered, and have the
        number 0. There may be such of a model that is not there yet.

        Raises: ModelNotFound.
        """
        self._access.require(who, "registry.judgements", model)
        refused = [
            _refusal(event) for event in self._ground.events.about(model, CHALLENGER_REFUSED)
        ]
        if not refused:
            self._models.model(who, model)
        limit = min(_MOST, max(1, limit))
        found = self._store.judgements(model, number, limit)
        if not number:
            found = sorted([*found, *refused], key=lambda item: item.judged_at, reverse=True)
        return found[:limit]

    def requests(self, who: Principal, query: RequestFilter) -> list[ApprovalRequest]:
        """Approval requests, newest first."""
        self._access.require(who, "registry.requests", query.model or "*")
        return self._store.requests(query)

    def request(self, who: Principal, request_id: str) -> ApprovalRequest:
        """One approval request.

        Raises: RequestNotFound.
        """
        self._access.require(who, "registry.request", request_id)
        return self._find(request_id)

    def approve(self, who: Principal, request_id: str, *, reason: str = "") -> ApprovalRequest:
        """Agree to a move. With the last approval that it needs, the alias moves.

        Raises: RequestNotFound, RequestClosed, AliasProtected (what a gate says now),
        AliasMovedMeanwhile.
        """
        self._access.require(who, "registry.approve", request_id)
        with self._ground.database.transaction():
            request = self._open(request_id)
            if any(item.who == who.name for item in request.approvals):
                raise RequestClosed(request_id, f"{who.name} has agreed to it already")
            if request.by_others and request.asked_by == who.name:
                raise RequestClosed(request_id, "somebody else than who asked has to agree")
            now = self._ground.clock.now()
            approval = Approval(who=who.name, at=now, reason=reason)
            request = replace(request, approvals=(*request.approvals, approval))
            complete = len(request.approvals) >= request.needed
            if complete:
                request = replace(
                    request,
                    state="approved",
                    decided_by=who.name,
                    decided_at=now,
                    decision=reason,
                )
            self._store.change_request(request)
            self._tell(who, "registry.approval.approved", request, reason)
        if complete:
            agreed = ", ".join(item.who for item in request.approvals)
            told = "; ".join(text for text in (request.reason, f"agreed to by {agreed}") if text)
            self._models.set_alias(who, request.model, request.alias, request.number, reason=told)
        return self._find(request_id)

    def reject(self, who: Principal, request_id: str, *, reason: str) -> ApprovalRequest:
        """Refuse a move; the reason stays on record.

        Raises: RequestNotFound, RequestClosed.
        """
        self._access.require(who, "registry.reject", request_id)
        with self._ground.database.transaction():
            request = replace(
                self._open(request_id),
                state="rejected",
                decided_by=who.name,
                decided_at=self._ground.clock.now(),
                decision=reason,
            )
            self._store.change_request(request)
            self._tell(who, "registry.approval.rejected", request, reason)
        return request

    def _open(self, request_id: str) -> ApprovalRequest:
        request = self._store.find_request(request_id, lock=True)
        if request is None:
            raise RequestNotFound(request_id)
        if request.state != "open":
            raise RequestClosed(request_id, f"it is {request.state}")
        return request

    def _find(self, request_id: str) -> ApprovalRequest:
        found = self._store.find_request(request_id)
        if found is None:
            raise RequestNotFound(request_id)
        return found

    def _tell(self, who: Principal, action: str, request: ApprovalRequest, reason: str) -> None:
        detail = {
            "request": request.id,
            "model": request.model,
            "alias": request.alias,
            "number": request.number,
            "state": request.state,
            "asked_by": request.asked_by,
            "reason": reason,
        }
        subject = f"{request.model}@{request.alias}"
        self._ground.events.tell(who, action, subject, detail, project=request.project)


def _refusal(event: Event) -> Judgement:
    """What a pipeline's gate said of a challenger that was not registered."""
    told = event.detail
    measured = {**(told.get("measured") or {}), "run": told.get("run")}
    verdict = Verdict(
        gate=str(told.get("gate")), passed=False, reason=str(told.get("reason")), measured=measured
    )
    return Judgement(
        id=event.id,
        model=event.subject,
        number=0,
        alias=CHAMPION,
        holder=None,
        passed=False,
        verdicts=(verdict,),
        judged_by=event.actor,
        judged_at=event.at,
    )
