"""Model cards over HTTP."""

from dataclasses import dataclass
from typing import Annotated

from fastapi.responses import PlainTextResponse

from athanor.kernel.http import Caller, provide, room_router
from athanor.registry.cards import Card
from athanor.registry.service.cards import Cards

router = room_router("registry")
TheCards = Annotated[Cards, provide(Cards)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """What somebody writes."""

    text: str
    """Markdown; "" removes a section."""


@router.get("/models/{name}/versions/{version}/card", response_class=PlainTextResponse)
def card_text(name: str, version: str, who: Caller, cards: TheCards) -> PlainTextResponse:
    """A version's card as a file, in Markdown without HTML."""
    found = cards.card(who, f"{name}@{version}")
    return PlainTextResponse(
        found.text,
        media_type="text/markdown; charset=utf-8",
        headers={
            "content-disposition": f'attachment; filename="card-{found.number}.md"',
            "x-content-type-options": "nosniff",
        },
    )


@router.get("/models/{name}/versions/{version}/card/contents")
def card(name: str, version: str, who: Caller, cards: TheCards) -> Card:
    """A version's card, with the sections that people wrote."""
    return cards.card(who, f"{name}@{version}")


@router.put("/models/{name}/versions/{version}/card")
def edit_card(name: str, version: str, body: Writing, who: Caller, cards: TheCards) -> Card:
    """Take the sections of an edited card."""
    return cards.edit_card(who, f"{name}@{version}", body.text)


@router.put("/models/{name}/versions/{version}/card/sections/{title}")
def write_section(
    name: str, version: str, title: str, body: Writing, who: Caller, cards: TheCards
) -> Card:
    """Write one section."""
    return cards.write_section(who, f"{name}@{version}", title, body.text)
