"""A finding as lines of text."""

import shlex
from collections.abc import Iterator

from qml_daemon.cli.terminal import SEVERITY_COLOURS, paint
from qml_daemon.deliveries import Delivery
from qml_daemon.finding import FindingHistory
from qml_daemon.plain_text import safe
from qml_daemon.reproduction import bundle_absence
from qml_daemon.rows import annotation_rows, detail_row, title, value_rows
from quantum_mlops.clock import SECOND
from quantum_mlops.config.matcher import Matcher, format_matcher
from quantum_mlops.timestamps import format_time


def utc(time_ns: int) -> str:
    """Return a time to the second.

    >>> utc(1_700_000_000_000_000_001)
    '2023-11-14 22:13:20 UTC'
    """
    return f"{format_time(time_ns)[:19].replace('T', ' ')} UTC"


def finding_lines(finding: FindingHistory) -> Iterator[str]:
    """Yield headline, summary, numbers and the place to look further."""
    colour = "green" if finding.status == "resolved" else SEVERITY_COLOURS[finding.severity]
    labels = " ".join(f"{name}={safe(text)}" for name, text in sorted(finding.labels.items()) if name != "rule")
    yield f"{paint(finding.status.upper(), colour)} {finding.severity} {paint(safe(finding.rule), 'bold')} {labels}"
    summary = finding.annotations.get("summary")
    if summary:
        yield f"  {safe(summary)}"
    end = (
        ""
        if finding.closed is None
        else f" to {utc(finding.closed)} ({span((finding.closed - finding.opened) / SECOND)})"
    )
    notes = [f"{'since' if finding.status == 'firing' else 'from' if end else 'at'} {utc(finding.opened)}{end}"]
    notes += [f"closed: {safe(finding.reason)}"] if finding.reason else []
    notes += ["late"] if finding.late else []
    yield f"  {' · '.join(notes)}"
    values = [f"{name} {text}" for name, text in value_rows(finding.values)]
    if values:
        yield f"  {' · '.join(map(safe, values))}"
    yield f"  id {finding.finding_id}"


def silence_command(finding: FindingHistory) -> str:
    """Return the command that makes this alert quiet, and no other one, for two hours."""
    labels = sorted((name, text) for name, text in finding.labels.items() if name.isidentifier())
    matchers = [format_matcher(Matcher(name=name, operator="=", value=text)) for name, text in labels]
    return f"quantum-mlops silence add {' '.join(map(shlex.quote, matchers))} --for 2h"


def evidence_lines(finding: FindingHistory) -> Iterator[str]:
    """Yield everything else: description, annotations, lists, the events it stands on."""
    if finding.annotations.get("description"):
        yield f"description: {safe(finding.annotations['description'])}"
    for name, text in annotation_rows(finding.annotations):
        yield f"{safe(name)}: {safe(text)}"
    if finding.at_close:
        yield "at its end: " + " · ".join(f"{name} {text}" for name, text in value_rows(finding.at_close))
    for name, items in finding.details.items():
        yield f"{title(safe(name))}:"
        yield from (f"  {safe(detail_row(row))}" for row in items)
    evidence = finding.evidence
    if evidence.processor is None:
        yield "evidence: no longer in the log ([log] retention)"
        return
    yield f"series: {safe(finding.series)}"
    yield f"rules: {evidence.config_hash or 'unknown'}, processor {evidence.processor} {evidence.processor_version}"
    if evidence.bundle is None:
        yield f"no bundle: {safe(bundle_absence(finding.rule, evidence.processor))}"
    else:
        yield f"bundle: in --json; run it again: quantum-mlops replay --finding {finding.finding_id[:12]}"
    yield f"events ({len(evidence.events)}):"
    yield from (f"  {safe(source)} {safe(number)}" for source, number in evidence.events)


def delivery_line(delivery: Delivery) -> str:
    """Return what became of one notification."""
    when = f" at {utc(delivery.settled)}" if delivery.settled is not None else f" since {utc(delivery.created)}"
    attempts = "attempt" if delivery.attempts == 1 else "attempts"
    error = f": {safe(delivery.error)}" if delivery.error else ""
    return f"{delivery.receiver} ({delivery.kind}) {delivery.status}{when}, {delivery.attempts} {attempts}{error}"


def span(seconds: float) -> str:
    """Return a duration as people say it.

    >>> span(11.25), span(5400.0), span(200_000.0)
    ('11.2 s', '90 min', '55.6 h')
    """
    if seconds < 120:  # noqa: PLR2004 - two minutes read as seconds
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"  # noqa: PLR2004 - two hours, as minutes
