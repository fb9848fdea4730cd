"""What Amazon Braket's GetQuantumTask says, in the words of events. Loads no SDK: the door reads with it, too.

Braket tells when a task was created and when it ended, and never when it started.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from qml_producers.observing.door import Sight
from quantum_mlops.events import Failure, ProviderTimes

_STATUSES = {
    "CREATED": "created",
    "QUEUED": "queued",
    "RUNNING": "running",
    "COMPLETED": "completed",
    "FAILED": "failed",
    "CANCELLED": "cancelled",
    # Asked for and not done: it may still run and is charged, so this is no end.
    "CANCELLING": "queued",
}
ENDS = frozenset({"completed", "failed", "cancelled"})
_PLAIN = frozenset(_STATUSES) - {"CANCELLING"}
_MAX_LABEL = 512
_MAX_MESSAGE = 2000


def sight_of(task: Mapping[str, Any], executions: int | None = None) -> Sight:
    """Return what a response of GetQuantumTask says, without money; `executions` where the response does not tell.

    >>> sight_of({"status": "QUEUED", "queueInfo": {"position": "2"}}).queue_position
    2
    >>> sight_of({"status": "QUEUED", "queueInfo": {"position": ">2000"}}).status_text
    'queue position >2000'
    """
    word = str(task.get("status"))
    status = _STATUSES.get(word, "unknown")
    position, told = queue_of(task) if word == "QUEUED" else (None, None)
    return Sight(
        status=status,
        status_text=told if word in _PLAIN else word[:_MAX_LABEL],
        times=_times(task),
        shots_executed=_executed(task, executions or 1) if status == "completed" else None,
        queue_position=position,
        failure=_failure(task) if status == "failed" else None,
        is_billed=status in ENDS,
    )


def queue_of(task: Mapping[str, Any]) -> tuple[int | None, str | None]:
    """Return the position in the queue where it is a number, else a text that tells it; both None where it is unknown.

    Positions of thousands are told as ">2000".
    """
    text = str((task.get("queueInfo") or {}).get("position"))
    if text.isdecimal():
        return int(text), None
    return None, None if text == "None" else f"queue position {text}"[:_MAX_LABEL]


def executables_of(task: Mapping[str, Any]) -> int | None:
    """Return how many executables a program set has; None for every other task."""
    count = (task.get("actionMetadata") or {}).get("executableCount")
    return count if isinstance(count, int) and count > 0 else None


def is_reserved(task: Mapping[str, Any]) -> bool:
    """Tell whether the task runs in a reservation, which is billed by the hour instead."""
    return any(each.get("type") == "RESERVATION_TIME_WINDOW_ARN" for each in task.get("associations") or ())


def _executed(task: Mapping[str, Any], executions: int) -> int | None:
    """The successful shots of one execution; None where they are not the same for all."""
    shots = task.get("numSuccessfulShots")
    executables = executables_of(task) or executions
    return shots // executables if isinstance(shots, int) and shots % executables == 0 else None


def _times(task: Mapping[str, Any]) -> ProviderTimes | None:
    created, ended = (_aware(task.get(name)) for name in ("createdAt", "endedAt"))
    return None if created is None and ended is None else ProviderTimes(created=created, ended=ended)


def _aware(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) and value.tzinfo is not None else None


def _failure(task: Mapping[str, Any]) -> Failure:
    reason = task.get("failureReason") or "Amazon Braket gives no reason"
    return Failure(code="FAILED", message=str(reason)[:_MAX_MESSAGE])
