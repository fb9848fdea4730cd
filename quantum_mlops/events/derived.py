"""What processors derive: findings and summaries. Derived events are never fed to processors."""

from msgspec import Struct, field

from quantum_mlops.config.rules import Severity
from quantum_mlops.events.envelope import Name
from quantum_mlops.events.job import Count


class Evidence(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a finding stands on: events by (source, id), and what reproduces it.

    `bundle` holds the state before (`state`), the events and the config hash as JSON text, within
    the size limit; null when they do not fit.
    """

    events: list[tuple[str, str]] = field(default_factory=list)
    config_hash: str | None = None
    processor: str | None = None
    processor_version: Count | None = None
    bundle: str | None = None


class FindingChanged(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One transition of a finding: the data of `finding.opened|updated|closed|notice`.

    `finding_id` is 32 hex digits and the same on every replay; `transition` counts from 0 within the
    finding. `series` starts with the partition key. `labels` identify the alert (Alertmanager's
    sense), `annotations` are text for people, `values` the numbers behind them, `details` lists
    for machines. `late` marks a finding on data that came more than five minutes late. `reason` says
    why a finding was closed.
    """

    finding_id: Name
    transition: Count
    rule: Name
    series: str
    severity: Severity
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    details: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    evidence: Evidence = Evidence()
    late: bool = False
    reason: str | None = None


class SummaryMade(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A run's or a window's summary: the data of `summary.run` and `summary.window`.

    `start` and `end` are nanoseconds UTC; `values` maps `<name>.<statistic>` to its number.
    """

    series: str
    start: int
    end: int
    labels: dict[str, str] = field(default_factory=dict)
    counts: dict[str, Count] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
