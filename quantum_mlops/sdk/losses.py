"""Counts what was lost before it had an id, by reason and type, from any thread and without a lock.

Each thread counts into its own `_Tally`; the writer thread compares them with what it reported last.
"""

import threading
import time
from collections import Counter
from datetime import UTC, datetime

from quantum_mlops.events import EmitterDropped
from quantum_mlops.sdk.notice import Notices, describe


class _Tally:
    """The counts of one thread; only that thread writes them."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}
        self.window = -1
        self.first = 0
        self.last = 0


class Losses:
    """What an emitter lost. `count` may be called from any thread, `take` from one."""

    def __init__(self) -> None:
        self._local = threading.local()
        self._tallies: list[_Tally] = []
        self._reported: Counter[tuple[str, str]] = Counter()
        self._window = 0

    def count(self, reason: object, event_type: object, number: int = 1) -> None:
        """Count `number` lost events of a type, now."""
        tally: _Tally | None = getattr(self._local, "tally", None)
        if tally is None:
            tally = self._local.tally = _Tally()
            self._tallies.append(tally)
        tally.last = time.time_ns()
        if tally.window != self._window:
            tally.window, tally.first = self._window, tally.last
        key = (_text(reason), _text(event_type))
        tally.counts[key] = tally.counts.get(key, 0) + number

    def total(self) -> Counter[tuple[str, str]]:
        """Return all counts since the start, by (reason, type)."""
        total: Counter[tuple[str, str]] = Counter()
        for tally in self._tallies.copy():
            total.update(tally.counts.copy())
        return total

    def take(self) -> EmitterDropped | None:
        """Return what was lost since the last call, or None."""
        window = self._window
        total = self.total()
        new = total - self._reported
        if not new:
            return None
        self._reported = total
        self._window += 1
        touched = [tally for tally in self._tallies.copy() if tally.window == window]
        reasons: Counter[str] = Counter()
        types: Counter[str] = Counter()
        for (reason, event_type), number in new.items():
            reasons[reason] += number
            types[event_type] += number
        return EmitterDropped(
            count=reasons.total(),
            reasons=dict(reasons),
            types=dict(types.most_common(50)),
            first_time=_utc(min((tally.first for tally in touched), default=time.time_ns())),
            last_time=_utc(max((tally.last for tally in touched), default=time.time_ns())),
        )


def tell_loss(
    losses: Losses, notices: Notices, reason: str, event_type: str, error: BaseException | None, *, each: bool = False
) -> None:
    """Count one loss, and say why once a reason and type; with `each` once a different error."""
    losses.count(reason, event_type)
    reason, event_type = _text(reason), _text(event_type)
    why = "" if error is None else f": {describe(error)}"
    say_it = notices.each if each else notices.once
    say_it(f"{reason} {event_type}", f"event {event_type} not sent ({reason}){why}")


def _text(value: object) -> str:
    """Return a text that is fit for an event, whatever a caller passed as one."""
    return value[:100].encode(errors="replace").decode() if type(value) is str else "unknown"


def _utc(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns // 1000 / 1_000_000, UTC)
