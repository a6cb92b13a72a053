"""What can go wrong in monitoring."""

from collections.abc import Iterable

from athanor.kernel import Conflict, Invalid, NotFound, Unavailable, nearest


class MonitorNotFound(NotFound):
    """No endpoint of this name is watched."""

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        near = nearest(name, known)
        super().__init__(
            f"There is no monitor {name!r}.",
            hint=near or "A monitor is made when a model is deployed: athanor monitor list",
        )


class WindowNotFound(NotFound):
    """The monitor has no window of this number."""

    def __init__(self, name: str, number: int) -> None:
        super().__init__(
            f"The monitor {name!r} has judged no window {number}.",
            hint=f"See those that it has: athanor monitor show {name}",
        )


class AlertNotFound(NotFound):
    """No alert has this id."""

    def __init__(self, alert_id: str) -> None:
        super().__init__(
            f"There is no alert {alert_id!r}.", hint="See what there is: athanor alert list --all"
        )


class NoReference(Conflict):
    """The lineage knows no table that the model was trained on."""

    def __init__(self, endpoint: str, version: str) -> None:
        super().__init__(
            f"The monitor {endpoint!r} has nothing to compare with: the lineage of {version} leads "
            "to no training table.",
            hint="Train in a pipeline or a recorded run whose input is a dataset, and deploy that. "
            "A graph itself is not watched: the endpoints that it asks are.",
        )


class ReferenceGone(Conflict):
    """The training table was removed before its summary was made."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The training table {name} is gone, such as erased for a person's rows in it.",
            hint="Train anew and deploy that version: it is compared with its own table.",
        )


class LogMoved(Unavailable):
    """A part of the log was moved, or written anew, while it was to be read."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"The part {path} of the log was moved while it was read.",
            hint="Look again: nothing is lost.",
        )


class BadMonitorSetting(Invalid):
    """A setting of a monitor that makes no sense."""

    def __init__(self, name: str, value: object, wanted: str) -> None:
        super().__init__(
            f"{name} can't be {value!r}.",
            hint=f"Give {wanted}.",
            details={"setting": name},
        )
