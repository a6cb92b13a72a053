"""Scans and consents over HTTP."""

from typing import Annotated

from athanor.kernel.http import Caller, provide, room_router
from athanor.registry.scans import Consent, NewConsent, Permission, VersionScan
from athanor.registry.service.safety import Safety

router = room_router("registry")
TheSafety = Annotated[Safety, provide(Safety)]


@router.get("/models/{name}/versions/{version}/scan")
def scan(name: str, version: str, who: Caller, safety: TheSafety) -> VersionScan:
    """What loading a version would import and run."""
    return safety.scan(who, f"{name}@{version}")


@router.get("/models/{name}/versions/{version}/permission")
def permission(name: str, version: str, who: Caller, safety: TheSafety) -> Permission:
    """Whether a version may be loaded."""
    return safety.permission(who, f"{name}@{version}")


@router.get("/pickle-consents")
def consents(who: Caller, safety: TheSafety, *, project: str | None = None) -> list[Consent]:
    """Who agreed to load what."""
    return safety.consents(who, project)


@router.post("/pickle-consents", status_code=201)
def allow(new: NewConsent, who: Caller, safety: TheSafety) -> Consent:
    """Agree that models which run code when they are loaded may be loaded."""
    return safety.allow(who, new)


@router.delete("/pickle-consents", status_code=204)
def withdraw(who: Caller, safety: TheSafety, *, project: str = "default", model: str = "") -> None:
    """Take a consent back."""
    safety.withdraw(who, project, model)
