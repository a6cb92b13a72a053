"""Model cards: filled by the platform, completed by people."""

from collections.abc import Mapping

from athanor.kernel import SYSTEM, AthanorError, Principal
from athanor.lineage import Run
from athanor.registry.cards import Card, Section
from athanor.registry.errors import BadSection, NoSuchSection
from athanor.registry.evaluations import Evaluations
from athanor.registry.ground import Ground
from athanor.registry.logic import card
from athanor.registry.scanning import Scanner
from athanor.registry.service.comparisons import Figures
from athanor.registry.service.models import Models
from athanor.registry.store.cards import CardStore
from athanor.registry.store.protection import ProtectionStore
from athanor.registry.types import ModelVersion

LONGEST_TEXT = 100_000
_LONGEST_TITLE = 100
_MOST_SECTIONS = 50
_JUDGEMENTS = 1


class Cards:
    """Cards of model versions."""

    def __init__(
        self,
        stores: tuple[CardStore, ProtectionStore],
        models: Models,
        ground: Ground,
        *,
        scanner: Scanner,
        figures: Figures,
    ) -> None:
        self._store, self._protections = stores
        self._models = models
        self._ground = ground
        self._access = ground.access
        self._scanner = scanner
        self._figures = figures
        self._evaluations = Evaluations(ground.lineage, ground.storage)

    def card(self, who: Principal, reference: str) -> Card:
        """A version's card, in Markdown without HTML.

        Raises: ModelNotFound, ModelVersionNotFound.
        """
        self._access.require(who, "registry.card", reference)
        return self._card(who, self._models.version(who, reference))

    def write_section(self, who: Principal, reference: str, title: str, text: str) -> Card:
        """Write a section of a version's card, in place of what stood there; "" removes it.

        Raises: ModelNotFound, ModelVersionNotFound, BadSection, NoSuchSection.
        """
        self._access.require(who, "registry.write_section", reference)
        version = self._models.version(who, reference)
        return self._write(who, version, {title: text})

    def edit_card(self, who: Principal, reference: str, text: str) -> Card:
        """Take the sections of an edited card; what the platform fills is passed over.

        Sections that the text leaves out stay.

        Raises: ModelNotFound, ModelVersionNotFound, BadSection (there is no section in it).
        """
        self._access.require(who, "registry.edit_card", reference)
        version = self._models.version(who, reference)
        if len(text) > 2 * LONGEST_TEXT:
            raise BadSection(f"the card has {len(text):,} characters")
        found = card.sections_of(text)
        if not found:
            raise BadSection("there is no section of yours in it; begin one with '## Title'")
        return self._write(who, version, found)

    def _write(self, who: Principal, version: ModelVersion, told: Mapping[str, str]) -> Card:
        now = self._ground.clock.now()
        with self._ground.database.transaction():
            kept = {item.title for item in self._store.sections(version.model, version.number)}
            for title, text in told.items():
                _check(title, text)
                if not text.strip():
                    if not self._store.erase(version.model, version.number, title):
                        raise NoSuchSection(title, sorted(kept))
                    continue
                section = Section(title=title, text=text, written_by=who.name, written_at=now)
                self._store.write(version.model, version.number, section)
                kept.add(title)
            if len(kept) > _MOST_SECTIONS:
                raise BadSection(f"a card has at most {_MOST_SECTIONS} sections")
            detail = {"model": version.model, "number": version.number, "sections": sorted(told)}
            project = self._models.model(who, version.model).project
            self._ground.events.tell(
                who, "registry.card.written", version.reference, detail, project=project
            )
        return self._card(who, version)

    def _card(self, who: Principal, version: ModelVersion) -> Card:
        sections = self._store.sections(version.model, version.number)
        ancestors, run = [], None
        if version.artifact_id is not None:
            graph = self._ground.lineage.trace(SYSTEM, version.artifact_id, "up")
            ancestors = [node for node in graph.nodes if node.id != version.artifact_id]
        maker = next((node.id for node in ancestors if node.kind == "run"), version.run_id)
        if maker:
            run = self._run(maker)
        facts = card.Facts(
            model=self._models.model(who, version.model),
            version=version,
            ancestors=ancestors,
            run=run,
            params=self._figures.params(version),
            metrics=self._figures.metrics(version),
            evaluation=self._evaluations.holdout(version),
            judgements=self._protections.judgements(version.model, version.number, _JUDGEMENTS),
            scan=self._scanner.scan(version).scan,
            sections=sections,
        )
        written = {section.title for section in sections}
        return Card(
            model=version.model,
            number=version.number,
            text=card.compose(facts),
            sections=sections,
            suggested=[title for title in card.SUGGESTED if title not in written],
        )

    def _run(self, run: str) -> Run | None:
        try:
            return self._ground.lineage.run(SYSTEM, run)
        except AthanorError:
            return None  # of another server, or gone


def _check(title: str, text: str) -> None:
    if not title.strip() or len(title) > _LONGEST_TITLE or len(title.splitlines()) != 1:
        raise BadSection("its title is empty, too long, or more than one line")
    if title in {*card.FILLED, card.UNKNOWN}:
        raise BadSection(f"{title!r} is filled by the platform")
    if len(text) > LONGEST_TEXT:
        raise BadSection(f"its text has {len(text):,} characters")
    if "\0" in text or "\0" in title:
        raise BadSection("it holds a NUL character")
