"""One finding with its life, folded from its transitions."""

from msgspec import Struct

from qml_daemon.dispatch.book import alert_labels
from quantum_mlops.events import Event, Evidence, FindingChanged, Severity, short_name


class FindingHistory(Struct, kw_only=True, omit_defaults=True):
    """One finding. `status` is firing, resolved or notice; times are nanoseconds UTC of the log's clock."""

    finding_id: str
    rule: str
    status: str
    severity: Severity
    opened: int
    closed: int | None = None
    transitions: int = 0
    series: str = ""
    labels: dict[str, str]
    annotations: dict[str, str]
    values: dict[str, float]
    details: dict[str, list[dict[str, str]]]
    evidence: Evidence
    reason: str | None = None
    late: bool = False
    at_close: dict[str, float] = {}


def fold_finding(known: FindingHistory | None, event: Event, data: FindingChanged) -> FindingHistory:
    """Return what is known of a finding after one more transition; `known` may be changed."""
    change = short_name(event.type)
    if known is None or change != "finding.closed":
        known = FindingHistory(
            finding_id=data.finding_id,
            rule=data.rule,
            status="notice" if change == "finding.notice" else "firing",
            severity=data.severity,
            opened=event.time if known is None else known.opened,
            transitions=0 if known is None else known.transitions,
            series=data.series,
            labels=alert_labels(event, data),
            annotations=data.annotations,
            values=data.values,
            details=data.details,
            evidence=data.evidence if known is None else known.evidence,
            late=data.late,
        )
    known.transitions += 1
    if change == "finding.closed":
        known.status, known.closed, known.reason, known.at_close = "resolved", event.time, data.reason, data.values
    return known
