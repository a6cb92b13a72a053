"""What every store of monitoring keeps to, and a prediction log for tests."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy.exc import IntegrityError

from athanor.kernel import Database, new_id
from athanor.monitoring.store import AlertStore, MonitorStore
from athanor.monitoring.types import (
    Alert,
    AlertFilter,
    AlertKind,
    AlertState,
    Cursor,
    Monitor,
    MonitorSettings,
    Performance,
    Window,
    WindowVerdict,
)

_AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def a_monitor(endpoint: str = "churn", **fields: Any) -> Monitor:
    """A monitor that has judged nothing yet."""
    values: dict[str, Any] = {
        "id": new_id(),
        "project": "default",
        "endpoint": endpoint,
        "model": "churn",
        "version": 2,
        "deployment": new_id(),
        "reference_id": new_id(),
        "settings": MonitorSettings(window_rows=300, leave_out=("name",), block="day"),
        "read": Cursor(at=_AT),
        "created_at": _AT,
        "updated_at": _AT,
    }
    return Monitor(**(values | fields))


def a_window(number: int, endpoint: str = "churn", **fields: Any) -> Window:
    """A window that was judged healthy."""
    values: dict[str, Any] = {
        "id": new_id(),
        "endpoint": endpoint,
        "model": "churn",
        "version": 2,
        "number": number,
        "rows": 300,
        "first_at": _AT,
        "last_at": _AT + timedelta(seconds=9),
        "verdict": WindowVerdict.HEALTHY,
        "reason": "All 19 columns look like the training data.",
        "report_id": new_id(),
        "judged_at": _AT,
    }
    return Window(**(values | fields))


def an_alert(subject: str = "churn", **fields: Any) -> Alert:
    """An open drift alert."""
    values: dict[str, Any] = {
        "id": new_id(),
        "project": "default",
        "kind": AlertKind.DRIFT,
        "subject": subject,
        "explanation": "Customers are older.",
        "columns": ["Customer_Age"],
        "false_alarm_rate": 0.001,
        "detail": {"window": 3, "endpoint": subject},
        "raised_at": _AT,
        "updated_at": _AT,
    }
    return Alert(**(values | fields))


class MonitorStoreContract:
    """Run it with fixtures `store` and `database`, the store's own."""

    def test_a_monitor_comes_back_whole(self, store: MonitorStore) -> None:
        monitor = a_monitor(last_verdict=WindowVerdict.DRIFTED, last_run_at=_AT, sketch="sha256:aa")
        store.add(monitor)
        assert store.find("churn") == monitor
        assert store.list_monitors() == [monitor]
        assert store.find("fraud") is None

    def test_an_endpoint_has_one_monitor(self, store: MonitorStore) -> None:
        store.add(a_monitor())
        with pytest.raises(IntegrityError):
            store.add(a_monitor())

    def test_a_changed_monitor_stays_changed(self, store: MonitorStore, database: Database) -> None:
        store.add(a_monitor())
        with database.transaction():
            kept = store.lock("churn")
            assert kept is not None
            moved = replace(kept, read=Cursor(at=_AT + timedelta(seconds=1), id="ff"), windows=1)
            store.change(moved)
        assert store.find("churn") == moved

    def test_windows_come_newest_first(self, store: MonitorStore) -> None:
        store.add(a_monitor())
        store.add(a_monitor("fraud"))
        windows = [a_window(number) for number in (1, 2, 3)]
        for window in windows:
            store.add_window(window)
        store.add_window(a_window(1, "fraud"))
        assert store.windows("churn", 2) == windows[:0:-1]
        assert store.window("churn", 2) == windows[1]
        assert store.window("churn", 4) is None

    def test_two_windows_of_a_number_are_refused(self, store: MonitorStore) -> None:
        store.add(a_monitor())
        store.add_window(a_window(1))
        with pytest.raises(IntegrityError):
            store.add_window(a_window(1))

    def test_performance_is_noted_once_it_is_known(self, store: MonitorStore) -> None:
        store.add(a_monitor())
        first, second = a_window(1), a_window(2, drifted=["Customer_Age"])
        store.add_window(first)
        store.add_window(second)
        told = Performance(metric="roc_auc", labelled=290, rows=300, value=0.7, degraded=True)
        store.set_performance(first.id, told)
        assert store.window("churn", 1) == replace(first, performance=told)
        assert store.unlabelled("churn", 10) == [second]

    def test_a_removed_monitor_takes_its_windows_along(self, store: MonitorStore) -> None:
        store.add(a_monitor())
        store.add_window(a_window(1))
        store.remove("churn")
        assert store.find("churn") is None
        assert store.windows("churn", 10) == []


class AlertStoreContract:
    """Run it with a fixture `alerts`."""

    def test_an_alert_comes_back_whole(self, alerts: AlertStore) -> None:
        alert = an_alert()
        alerts.add_alert(alert)
        assert alerts.find_alert(alert.id) == alert
        assert alerts.find_alert(new_id()) is None

    def test_one_alert_is_open_for_each_kind_and_subject(self, alerts: AlertStore) -> None:
        alert = an_alert()
        alerts.add_alert(alert)
        alerts.add_alert(an_alert("fraud"))
        alerts.add_alert(an_alert(kind=AlertKind.QUALITY))
        assert alerts.find_open("default", AlertKind.DRIFT, "churn") == alert
        with pytest.raises(IntegrityError):
            alerts.add_alert(an_alert())

    def test_a_closed_alert_makes_room_for_another(self, alerts: AlertStore) -> None:
        alert = an_alert()
        alerts.add_alert(alert)
        closed = replace(
            alert, state=AlertState.CLOSED, closed_at=_AT, closed_by="ann", closed_because="seen"
        )
        alerts.change_alert(closed)
        assert alerts.find_open("default", AlertKind.DRIFT, "churn") is None
        alerts.add_alert(an_alert())
        assert alerts.find_alert(alert.id) == closed

    def test_alerts_are_listed_newest_first_and_filtered(self, alerts: AlertStore) -> None:
        kinds = (AlertKind.DRIFT, AlertKind.DATA, AlertKind.QUALITY)
        made = [
            an_alert(kind=kind, raised_at=_AT + timedelta(seconds=place))
            for place, kind in enumerate(kinds)
        ]
        for alert in made:
            alerts.add_alert(alert)
        assert alerts.list_alerts(AlertFilter()) == made[::-1]
        assert alerts.list_alerts(AlertFilter(kind=AlertKind.DATA)) == [made[1]]
        assert alerts.list_alerts(AlertFilter(limit=1)) == [made[2]]
        assert alerts.list_alerts(AlertFilter(state=AlertState.CLOSED)) == []
        assert alerts.list_alerts(AlertFilter(subject="fraud")) == []


class FakeLog:
    """A prediction log and a label log of JSON lines, as serving's planes write them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._files = {name: folder / f"{name}.open" for name in ("predictions", "labels")}
        for path in self._files.values():
            path.touch()
        self._torn = folder / "torn.open"
        self._torn.touch()

    def sources(self) -> dict[str, dict[str, list[str]]]:
        """Where the rows lie."""
        return {name: {"parquet": [], "jsonl": [str(path)]} for name, path in self._files.items()}

    def predict(
        self,
        endpoint: str,
        version: int,
        records: Iterable[Mapping[str, Any]],
        *,
        at: datetime,
        scores: Iterable[float] | None = None,
    ) -> list[str]:
        """Log predictions, a millisecond apart; their ids."""
        kept = list(records)
        given = list(scores) if scores is not None else [0.3] * len(kept)
        rows = [
            {
                "id": new_id(),
                "request": new_id(),
                "predicted_at": (at + timedelta(milliseconds=place)).isoformat(),
                "endpoint": endpoint,
                "deployment": "d",
                "model": endpoint,
                "version": version,
                "latency": 0.001,
                "key": None,
                "features": record,
                "label": "yes" if score > 0.5 else "no",
                "score": score,
                "probabilities": None,
            }
            for place, (record, score) in enumerate(zip(kept, given, strict=True))
        ]
        self._append("predictions", rows)
        return [str(row["id"]) for row in rows]

    def label(self, endpoint: str, labels: Mapping[str, str], *, at: datetime) -> None:
        """Log labels by prediction id."""
        rows = [
            {
                "endpoint": endpoint,
                "id": prediction,
                "key": None,
                "label": label,
                "happened_at": at.isoformat(),
                "received_at": at.isoformat(),
            }
            for prediction, label in labels.items()
        ]
        self._append("labels", rows)

    def tear(self) -> None:
        """Leave a segment with a torn last line, as a killed plane does."""
        self._torn.write_bytes(b'{"id": "torn", "predicted_at": "20')

    def _append(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        with self._files[name].open("ab") as file:
            file.writelines(orjson.dumps(row) + b"\n" for row in rows)
