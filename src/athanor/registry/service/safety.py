"""What loading a model would run, and who agreed to that."""

from athanor.kernel import Principal
from athanor.registry.errors import ConsentNotFound
from athanor.registry.ground import Ground
from athanor.registry.scanning import Scanner
from athanor.registry.scans import Consent, NewConsent, Permission, VersionScan
from athanor.registry.service.models import Models
from athanor.registry.store.safety import SafetyStore


class Safety:
    """Scans of model files, and consents to load those that run code."""

    def __init__(
        self, store: SafetyStore, scanner: Scanner, models: Models, ground: Ground
    ) -> None:
        self._store = store
        self._scanner = scanner
        self._models = models
        self._access = ground.access
        self._ground = ground

    def scan(self, who: Principal, reference: str) -> VersionScan:
        """What loading a version would import and run; nothing of it is loaded to find out.

        Kept from the registration, or made now.

        Raises: ModelNotFound, ModelVersionNotFound, BlobNotFound.
        """
        self._access.require(who, "registry.scan", reference)
        return self._scanner.scan(self._models.version(who, reference))

    def permission(self, who: Principal, reference: str) -> Permission:
        """Whether a version may be loaded in a worker, and why.

        Raises: ModelNotFound, ModelVersionNotFound, BlobNotFound.
        """
        self._access.require(who, "registry.permission", reference)
        return self._scanner.permission(self._models.version(who, reference))

    def allow(self, who: Principal, new: NewConsent) -> Consent:
        """Agree that models which run code when they are loaded may be loaded, in workers.

        Raises: ModelNotFound.
        """
        self._access.require(who, "registry.allow", new.model or new.project)
        project = self._models.model(who, new.model).project if new.model else new.project
        consent = Consent(
            project=project,
            model=new.model,
            level=new.level,
            protected=new.protected,
            reason=new.reason,
            granted_by=who.name,
            granted_at=self._ground.clock.now(),
        )
        with self._ground.database.transaction():
            self._store.grant(consent)
            detail = {
                "project": project,
                "model": new.model,
                "level": new.level,
                "protected": new.protected,
                "reason": new.reason,
            }
            self._ground.events.tell(
                who, "registry.pickle.allowed", new.model or project, detail, project=project
            )
        return consent

    def withdraw(self, who: Principal, project: str, model: str = "") -> None:
        """Take a consent back. What is loaded already goes on running.

        Raises: ConsentNotFound, ModelNotFound.
        """
        self._access.require(who, "registry.withdraw", model or project)
        if model:
            project = self._models.model(who, model).project
        with self._ground.database.transaction():
            if not self._store.withdraw(project, model):
                raise ConsentNotFound(project, model)
            detail = {"project": project, "model": model}
            self._ground.events.tell(
                who, "registry.pickle.refused", model or project, detail, project=project
            )

    def consents(self, who: Principal, project: str | None = None) -> list[Consent]:
        """The consents in force, by project and model; of every project without a name."""
        self._access.require(who, "registry.consents", project or "*")
        return self._store.list_consents(project)
