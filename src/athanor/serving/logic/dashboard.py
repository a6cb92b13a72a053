"""A Grafana dashboard of endpoints, over the metrics that the data plane exposes."""

from typing import Any, TypeAlias

Panel: TypeAlias = dict[str, Any]

_SOURCE = {"type": "prometheus", "uid": "${source}"}
_WHERE = '{endpoint=~"$endpoint"}'
_RATE = "[$__rate_interval]"
_REQUESTS = f"rate(athanor_predict_requests_total{_WHERE}{_RATE})"
_FAILED = f'athanor_predict_requests_total{{endpoint=~"$endpoint",code=~"5.."}}{_RATE}'
_ROWS = f"rate(athanor_predict_rows_total{_WHERE}{_RATE})"
_TIMES = f"rate(athanor_predict_duration_seconds_bucket{_WHERE}{_RATE})"
_PANELS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Requests a second, by status",
        "reqps",
        ((f"sum by (endpoint, code) ({_REQUESTS})", "{{endpoint}} {{code}}"),),
    ),
    (
        "Rows predicted a second",
        "short",
        ((f"sum by (endpoint, deployment) ({_ROWS})", "{{endpoint}} {{deployment}}"),),
    ),
    (
        "Time to an answer",
        "s",
        tuple(
            (
                f"histogram_quantile({share}, sum by (le, endpoint) ({_TIMES}))",
                f"{{{{endpoint}}}} p{share * 100:g}",
            )
            for share in (0.5, 0.95, 0.99)
        ),
    ),
    (
        "Share of failed requests",
        "percentunit",
        (
            (
                f"sum by (endpoint) (rate({_FAILED})) / sum by (endpoint) ({_REQUESTS})",
                "{{endpoint}}",
            ),
        ),
    ),
    (
        "Requests without an answer yet",
        "short",
        (("sum(athanor_predict_in_flight)", "in flight"),),
    ),
    (
        "Lag of the prediction log",
        "s",
        (("max(athanor_prediction_log_oldest_unflushed_seconds)", "not synced yet"),),
    ),
)


def dashboard(endpoint: str) -> dict[str, Any]:
    """Grafana's JSON model (schema 39), to be imported; the data source is asked for."""
    return {
        "title": f"Athanor endpoint {endpoint}",
        "uid": f"athanor-{endpoint}"[:40],
        "tags": ["athanor"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "10s",
        "templating": {"list": [_source_variable(), _endpoint_variable(endpoint)]},
        "annotations": {"list": []},
        "panels": [
            _panel(number, title, unit, queries)
            for number, (title, unit, queries) in enumerate(_PANELS)
        ],
    }


def _source_variable() -> dict[str, Any]:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _endpoint_variable(endpoint: str) -> dict[str, Any]:
    query = "label_values(athanor_predict_requests_total, endpoint)"
    return {
        "name": "endpoint",
        "label": "Endpoint",
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": "endpoints"},
        "definition": query,
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": endpoint, "value": endpoint, "selected": True},
    }


def _panel(number: int, title: str, unit: str, queries: tuple[tuple[str, str], ...]) -> Panel:
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "datasource": _SOURCE,
        "gridPos": {"h": 8, "w": 12, "x": 12 * (number % 2), "y": 8 * (number // 2)},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}},
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": _SOURCE,
                "expr": query,
                "legendFormat": legend,
            }
            for place, (query, legend) in enumerate(queries)
        ],
    }
