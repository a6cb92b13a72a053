"""What every `EventStore` must do."""

from dataclasses import replace
from datetime import UTC, datetime

from athanor.kernel.events import Event, EventStore
from athanor.kernel.ids import new_id
from athanor.kernel.sought import Sought

_AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def an_event(action: str = "data.version.created", *, project: str = "default") -> Event:
    """An event that has no number yet."""
    return Event(
        seq=0,
        id=new_id(),
        project=project,
        at=_AT,
        actor="ann",
        action=action,
        subject="churn",
        detail={"number": 3, "share": 0.25, "names": ["ä", None]},
    )


class EventStoreContract:
    """Subclass it with a fixture `store`, an empty store."""

    def test_nothing_happened_yet(self, store: EventStore) -> None:
        assert store.since(0, 10) == []
        assert store.latest(10) == []
        assert store.last() == 0

    def test_an_event_comes_back_whole(self, store: EventStore) -> None:
        event = an_event()
        store.append(event)
        (found,) = store.since(0, 10)
        assert found.seq > 0
        assert (found.id, found.at, found.detail) == (event.id, event.at, event.detail)
        assert (found.project, found.actor, found.action, found.subject) == (
            *("default", "ann", "data.version.created", "churn"),
        )

    def test_numbers_rise(self, store: EventStore) -> None:
        events = [an_event() for _ in range(5)]
        store.append(*events[:3])
        for event in events[3:]:
            store.append(event)
        found = store.since(0, 10)
        assert [event.id for event in found] == [event.id for event in events]
        assert [event.seq for event in found] == sorted({event.seq for event in found})
        assert store.last() == found[-1].seq
        assert [event.id for event in store.latest(2)] == [events[4].id, events[3].id]

    def test_pages_follow_each_other(self, store: EventStore) -> None:
        for _ in range(5):
            store.append(an_event())
        seen: list[int] = []
        while page := store.since(seen[-1] if seen else 0, 2):
            assert len(page) <= 2
            seen += [event.seq for event in page]
        assert seen == [event.seq for event in store.since(0, 10)]

    def test_only_the_actions_asked_for(self, store: EventStore) -> None:
        for action in ("a.b.made", "a.b.gone", "a.c.made", "a.b.made"):
            store.append(an_event(action))
        found = store.since(0, 10, ("a.b.made", "a.c.made"))
        assert [event.action for event in found] == ["a.b.made", "a.c.made", "a.b.made"]
        behind = store.since(found[0].seq, 10, ("a.b.made",))
        assert [event.seq for event in behind] == [found[2].seq]

    def test_what_is_told_about_one_subject(self, store: EventStore) -> None:
        for action, subject in (("a", "churn"), ("b", "churn"), ("a", "fraud"), ("a", "churn")):
            store.append(replace(an_event(action), subject=subject))
        first, _, third, fourth = store.since(0, 10)
        assert store.about("churn", ("a",)) == [fourth, first]
        assert store.about(None, ("a",)) == [fourth, third, first]

    def test_the_newest_of_an_action_or_a_subject(self, store: EventStore) -> None:
        for action, subject in (("a.b", "x"), ("a.bc", "x@1"), ("a.b.c", "xy"), ("ab", "x@1@2")):
            store.append(replace(an_event(action), subject=subject))
        first, second, third, fourth = store.since(0, 10)
        for action, found in (("a", [third, second, first]), ("a.b", [third, first]), ("b", [])):
            assert store.latest(10, None, Sought(action=action)) == found
        assert store.latest(10, None, Sought(subject="x")) == [fourth, second, first]
        assert store.latest(10, None, Sought(action="a.b", subject="x")) == [first]
        assert store.latest(1, None, Sought(subject="x@1")) == [fourth]

    def test_only_the_project_asked_for(self, store: EventStore) -> None:
        for project in ("one", "two", "one"):
            store.append(an_event(project=project))
        assert [event.project for event in store.latest(10, "one")] == ["one", "one"]

    def test_subscribers_have_offsets_of_their_own(self, store: EventStore) -> None:
        assert store.offset("audit") is None
        assert store.position("audit") is None
        store.move("audit", 3)
        store.move("page", 1)
        store.move("audit", 7)
        assert store.offset("audit") == store.position("audit") == 7
        assert store.offset("page") == 1
