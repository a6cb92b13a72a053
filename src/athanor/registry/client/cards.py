"""Model cards over a transport."""

from athanor.kernel import Transport
from athanor.kernel.transport import segment
from athanor.registry.cards import Card
from athanor.registry.client.places import version_path


class CardsClient:
    """Cards of model versions."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def card(self, reference: str) -> Card:
        """A version's card, with the sections that people wrote."""
        return self._transport.send("GET", f"{self._path(reference)}/contents").read(Card)

    def edit_card(self, reference: str, text: str) -> Card:
        """Take the sections of an edited card; what the platform fills is passed over."""
        return self._transport.send("PUT", self._path(reference), body={"text": text}).read(Card)

    def write_section(self, reference: str, title: str, text: str) -> Card:
        """Write a section of a version's card; "" removes it."""
        path = f"{self._path(reference)}/sections/{segment(title)}"
        return self._transport.send("PUT", path, body={"text": text}).read(Card)

    def _path(self, reference: str) -> str:
        return version_path(self._transport, reference) + "/card"
