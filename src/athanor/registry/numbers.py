"""Numbers of versions that are gone: what referred to them must not find others in their place."""

from athanor.kernel import Events

DELETED = "registry.model.deleted"
RENAMED = "registry.model.renamed"


def last_under(events: Events, name: str) -> int:
    """The greatest number that a version had under a name that was given up; 0 if none had."""
    gone = events.about(name, DELETED, RENAMED)
    return max((int(event.detail.get("latest", 0)) for event in gone), default=0)
