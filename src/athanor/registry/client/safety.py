"""Scans and consents over a transport."""

from athanor.kernel import Transport
from athanor.registry.client.places import version_path
from athanor.registry.scans import Consent, NewConsent, Permission, VersionScan


class SafetyClient:
    """What loading a model would run, and who agreed to that."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def scan(self, reference: str) -> VersionScan:
        """What loading a version would import and run."""
        return self._transport.send("GET", f"{self._path(reference)}/scan").read(VersionScan)

    def permission(self, reference: str) -> Permission:
        """Whether a version may be loaded, and why."""
        return self._transport.send("GET", f"{self._path(reference)}/permission").read(Permission)

    def allow(self, new: NewConsent) -> Consent:
        """Agree that models which run code when they are loaded may be loaded."""
        return self._transport.send("POST", "/pickle-consents", body=new).read(Consent)

    def withdraw(self, project: str = "default", model: str = "") -> None:
        """Take a consent back."""
        query = {"project": project, "model": model or None}
        self._transport.send("DELETE", "/pickle-consents", query=query)

    def consents(self, project: str | None = None) -> list[Consent]:
        """The consents in force."""
        answer = self._transport.send("GET", "/pickle-consents", query={"project": project})
        return answer.read(list[Consent])

    def _path(self, reference: str) -> str:
        return version_path(self._transport, reference)
