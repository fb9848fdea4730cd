"""Writes the recording: `python -m week FILE`, one CloudEvents JSON object a line, gzip, always the same bytes."""

import gzip
import sys
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from qml_processors.runner import tick_event
from quantum_mlops.codec import encode
from quantum_mlops.events import Event
from week.calendar import DAY, MINUTE, MONDAY, SECOND
from week.people import record_week

TICK = 5 * MINUTE


def deliver(events: list[Event]) -> list[Event]:
    """Return the events in the order of the log: each 0.1 to 3 s after it was emitted, and a tick every 5 minutes.

    A source's events keep their order, as in a spool.
    """
    random = np.random.default_rng(1)
    ticks = [tick_event("qml://service/000000000001/0", n, MONDAY + n * TICK) for n in range(7 * DAY // TICK)]
    lags = random.uniform(0.1, 3.0, size=len(events))
    latest: dict[str, int] = {}
    arrived: list[tuple[int, Event]] = []
    for event, lag in zip(events, lags, strict=True):
        time = latest[event.source] = max(latest.get(event.source, 0), event.time + int(lag * SECOND))
        arrived.append((time, event))
    arrived += [(tick.time, tick) for tick in ticks]
    arrived.sort(key=lambda pair: (pair[0], pair[1].source, pair[1].id))
    return [replace(event, ingestedtime=time) for time, event in arrived]


def main(path: Path) -> int:
    """Write the file and say how large it is."""
    lines = b"".join(encode(event) + b"\n" for event in deliver(record_week()))
    path.write_bytes(gzip.compress(lines, 9, mtime=0))
    print(f"{path}: {lines.count(bytes([10])):,} events, {path.stat().st_size / 1024:.0f} KiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
