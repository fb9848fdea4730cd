"""One finding run again from its evidence bundle: does the same finding come out, under the same id?

Needs nothing of the log but the finding's opening, so it also works where retention removed the events
that led to it. Sends and writes nothing.
"""

from typing import Any, Literal

from msgspec import Struct, structs

from qml_daemon.history import LogReader, read_records
from qml_processors.base import Finding, Processor
from qml_processors.runner import load_processors
from qml_processors.runner.bundle import Bundle, identify, reproduce, unpack
from qml_processors.runner.derive import is_error
from qml_processors.runner.runner import own_processors
from quantum_mlops.errors import QuantumMlopsError, UserError
from quantum_mlops.events import Event, FindingChanged, short_name
from quantum_mlops.transports.base import Stream

TOO_LARGE = "too large"
_COMPARED = ("rule", "severity", "labels", "annotations", "values", "details", "reason")


class Reproduction(Struct, frozen=True, kw_only=True):
    """What came of running one finding again.

    `identical` means the same id and the same words and numbers; `reproduced_id` is None where nothing
    came out. `reason` says why there is no bundle, or what differs.
    """

    finding_id: str
    rule: str
    verdict: Literal["identical", "different", "no bundle"]
    processor: str | None
    processor_version: int | None
    reproduced_id: str | None = None
    installed_version: int | None = None
    reason: str | None = None


def reproduce_finding(reader: LogReader, prefix: str) -> Reproduction:
    """Run the step that opened a finding again, with the installed processor.

    `prefix` is the finding's id, or its first digits.

    Raises:
        UserError: no finding has that id, more than one has, or its processor is not installed.
        DecodeError: the bundle cannot be read.
        StateTooNewError: the bundle is of a newer version of the processor than is installed.
        LogError: the log fails.

    """
    opening, data = _read_opening(reader, prefix)
    evidence = data.evidence
    found = Reproduction(
        finding_id=data.finding_id,
        rule=data.rule,
        verdict="no bundle",
        processor=evidence.processor,
        processor_version=evidence.processor_version,
    )
    if data.transition > 0:
        return structs.replace(found, reason="the opening of this finding is no longer in the log")
    if evidence.bundle is None:
        return structs.replace(found, reason=bundle_absence(data.rule, evidence.processor))
    processor = _installed(evidence.processor)
    if processor is None:
        raise UserError(
            f"processor {evidence.processor!r} is not installed or cannot be imported; "
            f"mend that to run {data.finding_id} again"
        )
    bundle = unpack(evidence.bundle)
    found = structs.replace(found, verdict="different", installed_version=processor.version)
    try:
        again = _openings(bundle, processor)
    except QuantumMlopsError:
        raise
    except Exception as error:  # noqa: BLE001 - any bug of a plugin; it is the verdict that the caller shows
        return structs.replace(found, reason=f"{processor.name} raised {type(error).__name__}: {error}")
    return _judge(found, opening, data, again)


def bundle_absence(rule: str, processor: str | None) -> str:
    """Say why the opening of a finding of `rule` carries no bundle."""
    if is_error(rule):
        return "a finding on a processor's errors has none"
    own = {one.name: one for one in own_processors()}
    known = own.get(processor or "") or _installed(processor)
    if known is None:
        return f"none, or too large (processor {processor or 'unknown'} is not installed or cannot be imported)"
    return TOO_LARGE if getattr(known, "bundled", True) else f"findings of {processor} have none"


def _installed(name: str | None) -> Processor[Any] | None:
    try:
        return next((one for one in load_processors() if one.name == name), None)
    except ImportError:
        return None


def _read_opening(reader: LogReader, prefix: str) -> tuple[Event, FindingChanged]:
    """Return the first transition that the log holds of the one finding whose id starts with `prefix`."""
    first: dict[str, tuple[Event, FindingChanged]] = {}
    for record in read_records(reader, Stream.FINDINGS):
        event = record.event
        if isinstance(event, Event) and isinstance(event.data, FindingChanged):
            identity = event.data.finding_id
            if identity.startswith(prefix):
                first.setdefault(identity, (event, event.data))
    if not first:
        raise UserError(f"no finding in the log has an id that starts with {prefix!r}; see: quantum-mlops alerts")
    if len(first) > 1:
        raise UserError(f"{len(first)} findings start with {prefix!r}; give more digits")
    return next(iter(first.values()))


def _openings(bundle: Bundle, processor: Processor[Any]) -> list[tuple[str, Finding]]:
    """Return what the step opens, each with its id.

    An event counts its openings from 0. A timer counts on from those of the event that armed it, which
    only the bundle knows.
    """
    said = [output for output in reproduce(bundle, processor) if isinstance(output, Finding)]
    opened = [output for output in said if output.transition in {"opened", "notice"}]
    is_timer = bytes(bundle.event) == b"null"
    return [
        (identify(bundle if is_timer else structs.replace(bundle, opening=number), output.rule), output)
        for number, output in enumerate(opened)
    ]


def _judge(found: Reproduction, opening: Event, data: FindingChanged, again: list[tuple[str, Finding]]) -> Reproduction:
    same = [output for identity, output in again if identity == data.finding_id]
    if not same:
        like = next((identity for identity, output in again if output.rule == data.rule), None)
        reason = "another id" if like else "the step opens no such finding"
        return structs.replace(found, reproduced_id=like, reason=reason)
    found = structs.replace(found, reproduced_id=data.finding_id)
    differing = min((_differences(opening, data, output) for output in same), key=len)
    if differing:
        return structs.replace(found, reason=f"same id, other {', '.join(differing)}")
    return structs.replace(found, verdict="identical")


def _differences(opening: Event, data: FindingChanged, output: Finding) -> list[str]:
    names = [name for name in _COMPARED if getattr(data, name) != getattr(output, name)]
    if short_name(opening.type) != f"finding.{output.transition}":
        names.append("transition")
    if output.evidence and data.evidence.events != output.evidence:
        names.append("evidence")
    return names
