"""Protected aliases, gates and approvals over a transport."""

from athanor.kernel import Transport
from athanor.kernel.transport import segment
from athanor.registry.client.places import version_path
from athanor.registry.protection import (
    ApprovalRequest,
    Judgement,
    NewProtection,
    Protection,
    RequestFilter,
)


class PromotionsClient:
    """What aliases demand before they move, and who agrees."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def protect_alias(self, new: NewProtection) -> Protection:
        """Let an alias move past gates alone."""
        return self._transport.send("POST", "/alias-protections", body=new).read(Protection)

    def unprotect_alias(self, alias: str, *, model: str = "", project: str = "default") -> None:
        """Let an alias move freely again."""
        query = {"model": model or None, "project": project}
        self._transport.send("DELETE", f"/alias-protections/{segment(alias)}", query=query)

    def protections(
        self, *, model: str | None = None, project: str | None = None
    ) -> list[Protection]:
        """What is protected."""
        query = {"model": model, "project": project}
        return self._transport.send("GET", "/alias-protections", query=query).read(list[Protection])

    def judge(self, reference: str, alias: str = "champion") -> Judgement:
        """Have the gates of a protected alias judge a version; the alias does not move."""
        path = f"{version_path(self._transport, reference)}/judgements"
        return self._transport.send("POST", path, query={"alias": alias}).read(Judgement)

    def judgements(
        self, model: str, *, number: int | None = None, limit: int = 100
    ) -> list[Judgement]:
        """What gates said, newest first."""
        query = {"number": number, "limit": limit}
        path = f"/models/{segment(model)}/judgements"
        return self._transport.send("GET", path, query=query).read(list[Judgement])

    def requests(self, query: RequestFilter | None = None) -> list[ApprovalRequest]:
        """Approval requests, newest first."""
        asked = query or RequestFilter()
        told = {"state": asked.state, "model": asked.model, "limit": asked.limit}
        answer = self._transport.send("GET", "/approval-requests", query=told)
        return answer.read(list[ApprovalRequest])

    def request(self, request_id: str) -> ApprovalRequest:
        """One approval request."""
        return self._transport.send("GET", _path(request_id)).read(ApprovalRequest)

    def approve(self, request_id: str, *, reason: str = "") -> ApprovalRequest:
        """Agree to a move."""
        body = {"reason": reason}
        answer = self._transport.send("POST", f"{_path(request_id)}/approve", body=body)
        return answer.read(ApprovalRequest)

    def reject(self, request_id: str, *, reason: str) -> ApprovalRequest:
        """Refuse a move."""
        body = {"reason": reason}
        answer = self._transport.send("POST", f"{_path(request_id)}/reject", body=body)
        return answer.read(ApprovalRequest)


def _path(request_id: str) -> str:
    return f"/approval-requests/{segment(request_id)}"
