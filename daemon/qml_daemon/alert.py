"""An alert: a finding on its way to people. Labels identify it, annotations and values tell of it.

Source: Alertmanager documentation, "Alerts"; unlike there, the processor that owns the finding says
when it ends.
"""

from typing import Literal

from msgspec import Struct, field

from quantum_mlops.events import Severity

Status = Literal["firing", "resolved", "notice"]


class Alert(Struct, kw_only=True, omit_defaults=True):
    """What is known of one alert.

    `key` is the fingerprint, or the finding's id for a one-shot notice. `finding_id` is the latest
    finding's; `open` are those that hold it firing (two series with the same labels are one alert).
    Times are nanoseconds UTC of the log's clock. `link` is the address of the page on its rule, set when it is told.
    """

    key: str
    fingerprint: str
    finding_id: str
    status: Status
    rule: str
    severity: Severity
    starts: int
    updated: int
    ends: int | None = None
    open: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    details: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    late: bool = False
    reason: str | None = None
    link: str | None = None

    @property
    def routing_labels(self) -> dict[str, str]:
        """The labels that routes see: those of the alert and its severity, which may change while it fires."""
        return {**self.labels, "severity": self.severity}


SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info")


def worst_first(alerts: list[Alert]) -> list[Alert]:
    """Return the alerts: firing before notices before resolved, then by severity, then the newest."""
    order = {"firing": 0, "notice": 1, "resolved": 2}
    return sorted(
        alerts, key=lambda alert: (order[alert.status], SEVERITIES.index(alert.severity), -alert.starts, alert.key)
    )
