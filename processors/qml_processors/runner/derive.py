"""From what a processor says to derived events, with their ids, transitions and evidence.

This is rare beside the events themselves, so it checks everything: what leaves here is an event that
the codec reads back, within the size limit.
"""

import math
from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from qml_processors.base import Finding, Forget, Output, Summary
from qml_processors.runner import bundle
from qml_processors.runner.cause import Cause
from qml_processors.runner.identity import derived_source, finding_id, summary_id
from qml_processors.runner.series import OpenFinding, Series
from quantum_mlops.codec import MAX_EVENT_BYTES, decode, encode
from quantum_mlops.errors import DecodeError, QuantumMlopsError
from quantum_mlops.events import Event, Evidence, FindingChanged, SummaryMade, type_name

_OPENING = ("opened", "notice")


class OutputError(QuantumMlopsError):
    """A processor said something that cannot be: an error of the processor."""


class Derived(Struct, gc=False):
    """What one step of one series derived, not yet in force."""

    findings: list[Event]
    summaries: list[Event]
    open: dict[str, OpenFinding]
    openings: int
    forget: bool = False


def derive(series: Series, outputs: Iterable[Output], cause: Cause) -> Derived:
    """Return the events that `outputs` make, and the series' open findings after them.

    Changes nothing.

    Raises:
        OutputError: an output is impossible (opened twice, not finite, too large, after a Forget).

    """
    derived = Derived([], [], dict(series.open), series.openings)
    for output in outputs:
        if derived.forget:
            raise OutputError("an output after Forget")
        if isinstance(output, Finding):
            _find(series, output, cause, derived)
        elif isinstance(output, Summary):
            derived.summaries.append(_summarise(series, output, cause))
        elif isinstance(output, Forget):
            if any(not is_error(rule) for rule in derived.open):
                raise OutputError("Forget while a finding is open")
            derived.forget = True
        else:
            raise OutputError(f"{type(output).__name__} is no output")
    return derived


def error_rule(processor: str) -> str:
    """Return the rule of the finding on a processor's errors."""
    return f"ProcessorError/{processor}"


def is_error(rule: str) -> bool:
    """Whether a rule is that of the runner's own finding on a processor's errors."""
    return rule.startswith("ProcessorError/")


def transition(series: Series, finding: Finding, cause: Cause, derived: Derived) -> None:
    """Add one transition of a finding to `derived`, without asking whether it may be."""
    known = derived.open.get(finding.rule)
    if known is None:
        identity = finding_id(finding.rule, series.name, cause.source, cause.id, derived.openings)
        number, late = 0, cause.late
        derived.openings += 1
    else:
        identity, number, late = known.finding_id, known.transition + 1, known.late
    data = FindingChanged(
        finding_id=identity,
        transition=number,
        rule=finding.rule,
        series=series.name,
        severity=finding.severity,
        labels=finding.labels,
        annotations=finding.annotations,
        values=finding.values,
        details=finding.details,
        evidence=_evidence(series, finding, cause, derived.openings - 1),
        late=late,
        reason=finding.reason,
    )
    event = finding_event(series.slot.name, series.partitionkey, series.project, finding.transition, data, cause.time)
    derived.findings.append(event)
    if finding.transition in {"opened", "updated"} and isinstance(event.data, FindingChanged):
        said = event.data
        derived.open[finding.rule] = OpenFinding(
            identity, number, late, said.severity, said.labels, said.annotations, said.values, series.project
        )
    elif finding.transition == "closed":
        del derived.open[finding.rule]


def finding_event(
    processor: str, partitionkey: str, project: str, change: str, data: FindingChanged, time: int
) -> Event:
    """Return the derived event of a transition, as the codec reads it back: it shares nothing with the state.

    Raises:
        OutputError: the codec refuses it, or it is over the size limit.

    """
    event = Event(
        id=f"{data.finding_id}-{data.transition}",
        source=derived_source(processor),
        type=type_name(f"finding.{change}"),
        time=time,
        partitionkey=partitionkey,
        project=project,
        data=data,
    )
    evidence = data.evidence
    if evidence.bundle is not None and len(encode(event)) > MAX_EVENT_BYTES:
        evidence = msgspec.structs.replace(evidence, bundle=None)
        data = msgspec.structs.replace(data, evidence=evidence)
        event = msgspec.structs.replace(event, data=data)
    return _checked(event)


def _find(series: Series, finding: Finding, cause: Cause, derived: Derived) -> None:
    is_open = finding.rule in derived.open
    if finding.transition in _OPENING and is_open:
        raise OutputError(f"{finding.rule} {finding.transition} while it is open")
    if finding.transition not in _OPENING and not is_open:
        raise OutputError(f"{finding.rule} {finding.transition} while it is not open")
    if is_error(finding.rule):
        raise OutputError("ProcessorError is the runner's own rule")
    _refuse_nonfinite(finding.rule, finding.values)
    transition(series, finding, cause, derived)


def _summarise(series: Series, summary: Summary, cause: Cause) -> Event:
    _refuse_nonfinite("summary", summary.values)
    return _checked(
        Event(
            id=summary_id(summary.kind, series.name, summary.end),
            source=derived_source(series.slot.name),
            type=type_name(f"summary.{summary.kind}"),
            time=cause.time,
            partitionkey=series.partitionkey,
            project=series.project,
            data=SummaryMade(
                series=series.name,
                start=summary.start,
                end=summary.end,
                labels=summary.labels,
                counts=summary.counts,
                values=summary.values,
            ),
        )
    )


def _refuse_nonfinite(rule: str, values: Mapping[str, float]) -> None:
    for name, value in values.items():
        if not math.isfinite(value):
            raise OutputError(f"{rule}: value {name} is {value}, not a finite number")


def _evidence(series: Series, finding: Finding, cause: Cause, opening: int) -> Evidence:
    wanted = finding.transition in _OPENING and not is_error(finding.rule)
    return Evidence(
        events=finding.evidence or [(cause.source, cause.id)],
        config_hash=cause.config.hash,
        processor=series.slot.name,
        processor_version=series.slot.version,
        bundle=bundle.pack(series, cause, opening) if wanted else None,
    )


def _checked(event: Event) -> Event:
    try:
        data = encode(event)
        if len(data) > MAX_EVENT_BYTES:
            raise OutputError(f"{event.type} of {len(data)} bytes is over {MAX_EVENT_BYTES}")
        return decode(data)
    except (DecodeError, TypeError, ValueError) as error:
        raise OutputError(f"{event.type}: {error}") from error
