"""The Grafana dashboard (classic JSON): a row of figures to glance at, then a panel for every metric of the list."""

from typing import Any

from qml_daemon.metrics.catalogue import METRICS, Metric

UID = "quantum-mlops"
DATASOURCE = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
WIDTH, HEIGHT, COLUMNS = 8, 7, 3
ROWS = {
    "jobs": "Jobs",
    "runs": "Runs",
    "findings": "Findings",
    "calibrations": "Calibrations",
    "events": "Events received",
    "log": "Log and disk",
    "runner": "Processing",
    "notifications": "Alerts and notifications",
    "service": "Service",
}
_UNITS = {"seconds": "s", "bytes": "bytes", "timestamp": "s", "": "short"}
_OURS = 'instance=~"$instance"'

GLANCE = (
    ("Daemons up", f'sum(up{{job="quantum-mlops", {_OURS}}})', "short"),
    ("Findings open", f"sum(qml_findings_open{{{_OURS}}})", "short"),
    ("Runs active", f"sum(qml_runs_active{{{_OURS}}})", "short"),
    ("Events per second", f"sum(rate(qml_events_total{{{_OURS}}}[$__rate_interval]))", "ops"),
    ("Records to process", f"sum(qml_runner_lag_records{{{_OURS}}})", "short"),
    ("Memory", f"max(process_resident_memory_bytes{{{_OURS}}})", "bytes"),
    ("CPU", f"sum(rate(process_cpu_seconds_total{{{_OURS}}}[$__rate_interval]))", "percentunit"),
    ("Disk free", f"min(qml_disk_free_bytes{{{_OURS}}})", "bytes"),
)


def build_dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    panels: list[dict[str, Any]] = []
    for number, (title, expr, unit) in enumerate(GLANCE):
        position = {"h": 4, "w": 3, "x": 3 * number, "y": 0}
        panels.append(_panel("stat", title, unit, position, [(expr, title)]))
    y = 4
    for group, title in ROWS.items():
        metrics = [metric for metric in METRICS if metric.group == group and not metric.name.endswith("_info")]
        panels.append(
            {
                "type": "row",
                "title": title,
                "collapsed": False,
                "panels": [],
                "gridPos": {"h": 1, "w": 24, "x": 0, "y": y},
            }
        )
        y += 1
        for number, metric in enumerate(metrics):
            column, line = number % COLUMNS, number // COLUMNS
            position = {"h": HEIGHT, "w": WIDTH, "x": WIDTH * column, "y": y + HEIGHT * line}
            panels.append(_show(metric, position))
        y += HEIGHT * -(-len(metrics) // COLUMNS)
    for number, panel in enumerate(panels, start=1):
        panel["id"] = number
    return {
        "uid": UID,
        "title": "quantum-mlops",
        "description": "Written by tools/write_monitoring.py from the list of metrics: change it there.",
        "tags": ["quantum-mlops"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": _variables()},
        "annotations": {"list": []},
        "links": [],
        "panels": panels,
    }


def _variables() -> list[dict[str, Any]]:
    return [
        {
            "name": "DS_PROMETHEUS",
            "label": "Prometheus",
            "type": "datasource",
            "query": "prometheus",
            "current": {},
            "hide": 0,
            "refresh": 1,
        },
        {
            "name": "instance",
            "label": "Daemon",
            "type": "query",
            "datasource": DATASOURCE,
            "query": {"query": "label_values(qml_build_info, instance)", "refId": "instance"},
            "refresh": 2,
            "includeAll": True,
            "multi": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        },
    ]


def _show(metric: Metric, position: dict[str, int]) -> dict[str, Any]:
    by = f"by ({', '.join(metric.labels)}) " if metric.labels else ""
    legend = " ".join(f"{{{{{label}}}}}" for label in metric.labels) or "{{instance}}"
    chosen = f"{metric.name}{{{_OURS}}}"
    unit = _UNITS[metric.unit]
    if metric.kind == "histogram":
        rate = f"sum by (le) (rate({metric.name}_bucket{{{_OURS}}}[$__rate_interval]))"
        targets = [(f"histogram_quantile({quantile}, {rate})", f"p{round(quantile * 100)}") for quantile in (0.5, 0.95)]
    elif metric.kind == "counter":
        targets = [(f"sum {by}(increase({chosen}[$__rate_interval]))", legend)]
    elif metric.unit == "timestamp":
        targets = [(f"time() - max {by}({chosen})", legend)]
    else:
        targets = [(f"max {by or 'by (instance) '}({chosen})", legend)]
    return _panel("timeseries", _title(metric), unit, position, targets, metric.help)


def _title(metric: Metric) -> str:
    words = metric.name.removeprefix("qml_").removesuffix("_total").replace("_timestamp_seconds", "_age").split("_")
    return " ".join([words[0].capitalize(), *words[1:]])


def _panel(
    kind: str, title: str, unit: str, position: dict[str, int], targets: list[tuple[str, str]], text: str = ""
) -> dict[str, Any]:
    return {
        "type": kind,
        "title": title,
        "description": text,
        "datasource": DATASOURCE,
        "gridPos": position,
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "options": {},
        "targets": [
            {"refId": chr(ord("A") + number), "datasource": DATASOURCE, "expr": expr, "legendFormat": legend}
            for number, (expr, legend) in enumerate(targets)
        ],
    }
