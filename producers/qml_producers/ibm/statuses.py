"""What the words for a job's status mean: those of IBM's API, of the SDK, and of Qiskit's JobStatus."""

from typing import Any, Final

_STATUSES: Final = {
    "INITIALIZING": "created",
    "QUEUED": "queued",
    "RUNNING": "running",
    "DONE": "completed",
    "COMPLETED": "completed",
    "ERROR": "failed",
    "FAILED": "failed",
    "CANCELLED - RAN TOO LONG": "failed",
    "CANCELLED": "cancelled",
}
TIME_LIMIT_CODE: Final = 1305
"""IBM's reason code of a job that was cancelled because it ran longer than was allowed."""


def status_of(word: Any) -> str:
    """Return the status of a job as events name it; "unknown" for words that we do not know.

    >>> status_of("Queued"), status_of("CANCELLED - RAN TOO LONG"), status_of("Paused")
    ('queued', 'failed', 'unknown')
    """
    return _STATUSES.get(text_of(word).upper(), "unknown")


def text_of(word: Any) -> str:
    """Return a status as text: the SDK's jobs say words, local jobs members of an enum."""
    return str(getattr(word, "name", word))


def failure_code(word: Any, reason_code: Any = None) -> str:
    """Return the name of the exception that the SDK raises for a failed job, so that all emitters say the same."""
    is_over_time = reason_code == TIME_LIMIT_CODE or "RAN TOO LONG" in text_of(word).upper()
    return "RuntimeJobMaxTimeoutError" if is_over_time else "RuntimeJobFailureError"
