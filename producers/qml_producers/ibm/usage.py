"""What a job's metrics say: the service's times, and the seconds of the device that it charges.

The keys changed with the SDK: `usage.qpu_charge_time_seconds` with a status since 0.50, `usage.quantum_seconds`,
`usage.seconds` and `bss.seconds` before. While the usage is pending a zero stands there, which is not "free".
"""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from quantum_mlops.events import ProviderTimes


class Usage(NamedTuple):
    """What the service said; None is what it did not say. `is_final`: the seconds will not change any more."""

    times: ProviderTimes | None
    qpu_seconds: float | None
    queue_seconds: float | None
    is_final: bool


def read_metrics(metrics: Mapping[str, Any]) -> Usage:
    """Return what the answer to GET /jobs/{id}/metrics says. Pure; what has another shape is not said.

    >>> read_metrics({"usage": {"qpu_charge_time_seconds": 0, "status": "pending"}}).qpu_seconds is None
    True
    """
    stamps = _mapping(metrics.get("timestamps"))
    created, started, ended = (instant(stamps.get(name)) for name in ("created", "running", "finished"))
    seconds, is_final = _charged(metrics, is_over=ended is not None)
    waited = None if created is None or started is None else (started - created).total_seconds()
    return Usage(
        times=ProviderTimes(created=created, started=started, ended=ended) if created or started or ended else None,
        qpu_seconds=seconds,
        queue_seconds=None if waited is None or waited < 0 else waited,
        is_final=is_final,
    )


def instant(value: Any) -> datetime | None:
    """Return a time of the service; None where it has no offset or is none."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    return value if isinstance(value, datetime) and value.tzinfo is not None else None


def _charged(metrics: Mapping[str, Any], *, is_over: bool) -> tuple[float | None, bool]:
    usage, bss = _mapping(metrics.get("usage")), _mapping(metrics.get("bss"))
    if "status" in usage:
        if str(usage["status"]).lower() == "pending":
            return None, False
        seconds = _seconds(usage.get("qpu_charge_time_seconds"))
        return seconds, seconds is not None
    found = [_seconds(usage.get(name)) for name in ("qpu_charge_time_seconds", "quantum_seconds", "seconds")]
    charged = next((each for each in [*found, _seconds(bss.get("seconds"))] if each), None)  # a zero may be pending
    return charged, charged is not None and is_over


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        return None
    return float(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
