"""IonQ's job and cost documents, v0.4 and v0.3, as a `Sight`. Pure; knows neither HTTP nor an SDK.

What a document lacks, or says in a way that is none of its shapes, is unknown: never 0, never an error.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from typing import Any, Final

from qml_producers.observing.door import Sight
from quantum_mlops.events import Cost, Failure, Money, ProviderTimes
from quantum_mlops.events.job_status import TERMINAL_STATUSES

STATUSES: Final = {
    "submitted": "created",
    "ready": "queued",
    "started": "running",
    "running": "running",  # v0.3; the SDK refuses this word
    "completed": "completed",
    "failed": "failed",
    "canceled": "cancelled",
}
SOURCE: Final = "IonQ API"
_RELEASED = frozenset({"failed", "cancelled"})
_MAX_LABEL = 512
_MAX_MESSAGE = 2000
_MAX_COUNT = 2**53
_LONGEST = 1e15  # 30,000 years
_LARGEST = 1e20
_DIGITS = 40
_STEP = Decimal("1e-12")
_CURRENCY_LETTERS = 3


def sight_of(document: Mapping[str, Any]) -> Sight:
    """Return what a job's document says.

    >>> sight_of({"status": "ready", "predicted_wait_time_ms": 5000}).predicted_queue_seconds
    5.0
    """
    word = document.get("status")
    status = STATUSES.get(word, "unknown") if isinstance(word, str) else "unknown"
    times = ProviderTimes(
        created=_time(document, "submitted_at", "request"),
        started=_time(document, "started_at", "start"),
        ended=_time(document, "completed_at", "response"),
    )
    price = _money(document.get("cost_usd"), "usd")
    return Sight(
        status=status,
        status_text=str(word)[:_MAX_LABEL] if status == "unknown" else None,
        times=times if times != ProviderTimes() else None,
        shots_executed=_count(document.get("shots")) if status == "completed" else None,
        qpu_seconds=_qpu_seconds(document) if status in TERMINAL_STATUSES else None,
        queue_seconds=_between(times.created, times.started),
        predicted_queue_seconds=_seconds(document.get("predicted_wait_time_ms")),
        predicted_execution_seconds=_first(
            _seconds(document.get("predicted_execution_duration_ms")),
            _seconds(document.get("predicted_execution_time")),
        ),
        cost=None if price is None or status != "completed" else Cost(final=price),
        failure=_failure(document.get("failure"), status),
    )


def cost_of(document: Mapping[str, Any], status: str) -> Cost | None:
    """Return what a cost document says of a job in `status`; None where it says no amount of money.

    IonQ reserves the estimate at submission, charges when the job ran, and releases what it reserved for a job that
    failed or was cancelled, which then costs nothing. Credits are no currency: they are unknown here.
    """
    estimated = _priced(document.get("estimated_cost"))
    final = _priced(document.get("cost")) if status in TERMINAL_STATUSES else None
    if status in _RELEASED and document.get("cost") is None and estimated is not None:
        final = Money(amount="0", currency=estimated.currency, source=SOURCE)
    reserved = None if status in TERMINAL_STATUSES else estimated
    cost = Cost(estimated=estimated, reserved=reserved, final=final)
    return cost if cost != Cost() else None


def is_billed(document: Mapping[str, Any], cost: Mapping[str, Any], status: str) -> bool:
    """Tell whether the cost of an ended job will not change any more: it is charged, released, or never asked."""
    return cost.get("cost") is not None or status in _RELEASED or document.get("backend") == "simulator"


def _qpu_seconds(document: Mapping[str, Any]) -> float | None:
    """How long a QPU executed, of a simulator nothing."""
    if not str(document.get("backend") or document.get("target") or "").startswith("qpu"):
        return None
    return _first(_seconds(document.get("execution_duration_ms")), _seconds(document.get("execution_time")))


def _failure(said: Any, status: str) -> Failure | None:
    if not isinstance(said, Mapping):
        return Failure(code="unknown", message="IonQ gave no reason") if status == "failed" else None
    message = said.get("message") or said.get("error") or ""  # the API's description, and its older answers
    return Failure(code=str(said.get("code") or "")[:_MAX_LABEL], message=str(message)[:_MAX_MESSAGE])


def _priced(said: Any) -> Money | None:
    return _money(said.get("value"), said.get("unit")) if isinstance(said, Mapping) else None


def _money(value: Any, unit: Any) -> Money | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not isinstance(unit, str):
        return None
    currency = unit.upper()
    if len(currency) != _CURRENCY_LETTERS or not (currency.isascii() and currency.isalpha()):
        return None
    if not abs(value) < _LARGEST:  # not a number, too
        return None
    with localcontext() as context:
        context.prec = _DIGITS
        amount = Decimal(str(value)).quantize(_STEP)
        return Money(amount=format(amount.normalize() + 0, "f"), currency=currency, source=SOURCE)


def _time(document: Mapping[str, Any], name: str, epoch: str) -> datetime | None:
    """A time as text (v0.4) or as seconds since 1970 (v0.3)."""
    said = document.get(name)
    try:
        if isinstance(said, str):
            found = datetime.fromisoformat(said)
            return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
        seconds = document.get(epoch)
        if isinstance(seconds, (int, float)) and not isinstance(seconds, bool):
            return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):  # a text or a number that is no time
        return None
    return None


def _between(first: datetime | None, second: datetime | None) -> float | None:
    if first is None or second is None or second < first:
        return None
    return (second - first).total_seconds()


def _seconds(milliseconds: Any) -> float | None:
    if not isinstance(milliseconds, (int, float)) or isinstance(milliseconds, bool):
        return None
    return milliseconds / 1000 if 0 <= milliseconds < _LONGEST else None


def _count(value: Any) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= _MAX_COUNT else None


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)
