"""The vocabulary of events: every type of the contract, its data, and the envelope.

`DATA_TYPES` maps a CloudEvents `type` to the struct of its `data`; it is the one list from which
the codec, the JSON Schemas and the golden files are made.
"""

from msgspec import Struct

from quantum_mlops.config.matcher import Matcher
from quantum_mlops.config.rules import Severity
from quantum_mlops.events.calibration import CalibrationColumn, CalibrationSnapshot
from quantum_mlops.events.derived import Evidence, FindingChanged, SummaryMade
from quantum_mlops.events.envelope import Context, Event, UnknownData
from quantum_mlops.events.experiment import ExperimentEnded, ExperimentObserved, ExperimentStarted
from quantum_mlops.events.job import Circuit, Cost, Footprint, Job, Money, ProviderTimes, Session
from quantum_mlops.events.metric import GradientStatistics, MetricLogged
from quantum_mlops.events.run import Failure, RunEnded, RunHeartbeat, RunStarted
from quantum_mlops.events.service import ConfigApplied, EmitterDropped, Silence, Tick
from quantum_mlops.events.shots import Expectation, Outcomes, Register, ShotsMeasured, ShotStatistics

_DATA: dict[str, type[Struct]] = {
    "run.started": RunStarted,
    "run.heartbeat": RunHeartbeat,
    "run.ended": RunEnded,
    "job.created": Job,
    "job.queued": Job,
    "job.running": Job,
    "job.completed": Job,
    "job.failed": Job,
    "job.cancelled": Job,
    "job.billed": Job,
    "job.unknown": Job,
    "session.opened": Session,
    "session.idle": Session,
    "session.closed": Session,
    "shots.measured": ShotsMeasured,
    "canary.measured": ShotsMeasured,
    "calibration.snapshot": CalibrationSnapshot,
    "metric.logged": MetricLogged,
    "experiment.started": ExperimentStarted,
    "experiment.observed": ExperimentObserved,
    "experiment.ended": ExperimentEnded,
    "tick": Tick,
    "config.applied": ConfigApplied,
    "emitter.dropped": EmitterDropped,
    "silence.created": Silence,
    "silence.expired": Silence,
    "finding.opened": FindingChanged,
    "finding.updated": FindingChanged,
    "finding.closed": FindingChanged,
    "finding.notice": FindingChanged,
    "summary.run": SummaryMade,
    "summary.window": SummaryMade,
}

VERSION = 1


def type_name(short: str) -> str:
    """Return the CloudEvents `type` of a short name.

    >>> type_name("job.completed")
    'quantum_mlops.job.completed.v1'
    """
    return f"quantum_mlops.{short}.v{VERSION}"


def short_name(event_type: str) -> str | None:
    """Return the short name of a known type, else None.

    >>> short_name("quantum_mlops.job.completed.v1"), short_name("com.example.other")
    ('job.completed', None)
    """
    return _SHORT.get(event_type)


DATA_TYPES: dict[str, type[Struct]] = {type_name(short): data for short, data in _DATA.items()}
SHORT_NAMES: tuple[str, ...] = tuple(_DATA)
_SHORT = {type_name(short): short for short in _DATA}

SERVICE_TYPES: frozenset[str] = frozenset(
    type_name(short)
    for short in _DATA
    if short in {"tick", "config.applied"} or short.startswith(("finding.", "summary.", "silence."))
)
"""Types that only the service itself makes: an emitter that sends one is refused."""

__all__ = [
    "DATA_TYPES",
    "SERVICE_TYPES",
    "SHORT_NAMES",
    "VERSION",
    "CalibrationColumn",
    "CalibrationSnapshot",
    "Circuit",
    "ConfigApplied",
    "Context",
    "Cost",
    "EmitterDropped",
    "Event",
    "Evidence",
    "Expectation",
    "ExperimentEnded",
    "ExperimentObserved",
    "ExperimentStarted",
    "Failure",
    "FindingChanged",
    "Footprint",
    "GradientStatistics",
    "Job",
    "Matcher",
    "MetricLogged",
    "Money",
    "Outcomes",
    "ProviderTimes",
    "Register",
    "RunEnded",
    "RunHeartbeat",
    "RunStarted",
    "Session",
    "Severity",
    "ShotStatistics",
    "ShotsMeasured",
    "Silence",
    "SummaryMade",
    "Tick",
    "UnknownData",
    "short_name",
    "type_name",
]
