"""Failure of a processor: the series starts anew, its findings close, one finding says so.

Whatever a processor raises discards its step; the stream never stops. A ProcessorError finding is open
at most once per series and closes an hour of the log's clock after the last error.
"""

from typing import TYPE_CHECKING

from qml_processors.base import Finding
from qml_processors.runner.cause import Cause
from qml_processors.runner.derive import Derived, error_rule, is_error, transition
from qml_processors.runner.series import ERROR_QUIET, Series, Slot
from quantum_mlops.codec import encode
from quantum_mlops.errors import QuantumMlopsError
from quantum_mlops.events import Event
from quantum_mlops.transports.base import DeadLetter

if TYPE_CHECKING:
    from qml_processors.runner.partition import Partition

_TEXT_LENGTH = 300


class KilledError(QuantumMlopsError):
    """The process ended again and again at this step; it is not tried once more."""

    def __init__(self) -> None:
        super().__init__("the process ended at this step again and again")


def refuse(partition: "Partition", slot: Slot, event: Event, error: Exception) -> None:
    """`keys` raised: dead-letter the event for this processor; no series is known to fail."""
    _count(partition, slot)
    _bury(partition, slot, event, (event.source, event.id), f"keys: {_text(error)}")


def fail(partition: "Partition", series: Series, cause: Cause, error: Exception) -> None:
    """Reset the series: close its findings, open or count its ProcessorError, dead-letter the event."""
    slot = series.slot
    _count(partition, slot)
    derived = Derived([], [], dict(series.open), series.openings)
    for rule in sorted(series.open):
        if not is_error(rule):
            transition(series, _closed(series, rule, "reset"), cause, derived)
    try:
        series.state = slot.open(series.key)
    except Exception:  # noqa: BLE001 - counted above; the next event tries again
        series.state = None
    series.timer = None
    series.errors += 1
    series.error_last = cause.time
    rule = error_rule(slot.name)
    if rule not in series.open:
        finding = Finding(
            transition="opened",
            rule=rule,
            labels={"processor": slot.name, "error": type(error).__name__},
            annotations={"summary": f"Processor {slot.name} failed and starts anew: {_text(error)}"},
        )
        transition(series, finding, cause, derived)
    partition.outputs.adopt(series, derived)
    _bury(partition, slot, cause.event, (cause.source, cause.id), _text(error))
    partition.timers.arm(series, earlier(None, series))


def close(partition: "Partition", series: Series, cause: Cause, reason: str) -> None:
    """Close the ProcessorError finding of a series."""
    derived = Derived([], [], dict(series.open), series.openings)
    rule = error_rule(series.slot.name)
    finding = _closed(series, rule, reason, {"errors": float(series.errors)})
    transition(series, finding, cause, derived)
    series.errors = 0
    series.error_last = 0
    partition.outputs.adopt(series, derived)


def forget(partition: "Partition", series: Series, cause: Cause) -> None:
    """The series ended: nothing of it is remembered, and nothing of it stays open."""
    if series.errors:
        close(partition, series, cause, "forgotten")
    series.state = None
    series.timer = None
    partition.timers.arm(series, None)


def earlier(timer: int | None, series: Series) -> int:
    """Return the earlier of a timer and the end of the series' ProcessorError."""
    quiet = series.error_last + ERROR_QUIET
    return quiet if timer is None or quiet < timer else timer


def _closed(series: Series, rule: str, reason: str, values: dict[str, float] | None = None) -> Finding:
    known = series.open[rule]
    return Finding(
        transition="closed",
        rule=rule,
        severity=known.severity,
        labels=known.labels,
        annotations=known.annotations,
        values=values or known.values,
        reason=reason,
    )


def _count(partition: "Partition", slot: Slot) -> None:
    errors = partition.counts.processor_errors
    errors[slot.name] = errors.get(slot.name, 0) + 1


def _bury(partition: "Partition", slot: Slot, event: Event | None, key: tuple[str, str], reason: str) -> None:
    letter = DeadLetter(
        data=b"" if event is None else encode(event),
        reason=reason,
        origin=f"processor:{slot.name}",
        time=partition.now,
        partition=partition.number,
        key=key,
    )
    partition.outputs.bury(letter)


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:_TEXT_LENGTH]
