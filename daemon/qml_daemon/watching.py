"""What is being watched: whether a daemon works, which runs run, which canaries come. Read beside the daemon."""

import time
from typing import Literal

import msgspec
from msgspec import Struct

from qml_daemon.places import STATUS
from qml_daemon.status import STALE_SECONDS, read_status
from qml_daemon.views.backends import BackendRow
from qml_daemon.views.canaries import CanaryCount
from qml_daemon.views.reader import ViewReader, Window
from qml_daemon.views.schema import BACKENDS, RUNS
from qml_daemon.views.store import FILE
from qml_processors.drift.processor import FORGOTTEN_AFTER
from quantum_mlops.clock import SECOND
from quantum_mlops.config.load import is_file
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import LogError
from quantum_mlops.timestamps import format_time

MOST_BACKENDS = 1000
MOST_NAMED = 3


class WatchedCanary(Struct, kw_only=True, omit_defaults=True):
    """One canary: how many of its executions the log holds, and how many go into the first reference.

    `warmup` is absent where the drift rule is switched off. What the drift processor itself has counted is not
    known here: a store that dropped old records holds fewer.
    """

    project: str
    backend: str
    circuit: str
    qubits: list[int] | None = None
    executions_seen: int
    warmup: int | None = None
    last: str


class Watching(Struct, kw_only=True):
    """`daemon` is None where no status of one can be read. `canaries`: the one that was executed last comes first."""

    daemon: Literal["ready", "stopped", "silent"] | None
    running: int
    canaries: list[WatchedCanary]


def read_watching(config: Config, now: int | None = None) -> Watching | None:
    """Return what is watched, None where there are no views to tell it. `now` is in nanoseconds UTC."""
    path = config.state_dir / FILE
    now = time.time_ns() if now is None else now
    try:
        if not is_file(path):
            return None
        views = ViewReader(path)
        try:
            running = views.count(RUNS, {"status": "running"})
            rows = views.page(BACKENDS, {}, Window(limit=MOST_BACKENDS))
        finally:
            views.close()
    except LogError:  # views of another version, or damaged: the daemon makes them anew
        return None
    backends = [msgspec.msgpack.decode(body, type=BackendRow) for _, body in rows]
    found = [(one, row) for row in backends for one in row.executed.series.values() if now - one.last < FORGOTTEN_AFTER]
    found.sort(key=lambda pair: pair[0].last, reverse=True)
    drift = config.rules.drift
    warmup = drift.warmup if drift.enabled else None
    canaries = [_canary(one, row, warmup) for one, row in found]
    return Watching(daemon=_daemon(config, now), running=running, canaries=canaries)


def watching_line(watching: Watching | None) -> str:
    """Return one line for people.

    >>> watching_line(None)
    'what is watched is not known here: no views yet; start `quantum-mlops daemon` once, it makes them'
    >>> bell = WatchedCanary(
    ...     project="", backend="hanoi", circuit="c1:a", qubits=[0, 1], executions_seen=7, warmup=10, last=""
    ... )
    >>> watching_line(Watching(daemon="ready", running=3, canaries=[bell]))
    'watching 3 runs; canary c1:a on hanoi 0-1: warming up, 7 of 10 executions seen'
    """
    if watching is None:
        return "what is watched is not known here: no views yet; start `quantum-mlops daemon` once, it makes them"
    parts = [f"watching {watching.running} run{'' if watching.running == 1 else 's'}"]
    if watching.daemon != "ready":
        how = {"stopped": "the daemon is stopped", "silent": "the daemon is not heard of (quantum-mlops doctor)"}
        parts[0] = f"nothing is watched now, {how.get(watching.daemon or '', 'no daemon is known here')}"
    parts += [_say(one) for one in watching.canaries[:MOST_NAMED]]
    more = len(watching.canaries) - MOST_NAMED
    parts += [f"and {more} more canaries (--json)"] if more > 0 else []
    return "; ".join(parts if watching.canaries else [*parts, "no canary was executed in 30 days"])


def _canary(count: CanaryCount, row: BackendRow, warmup: int | None) -> WatchedCanary:
    return WatchedCanary(
        project=row.project, backend=row.backend, circuit=count.circuit, qubits=count.qubits,
        executions_seen=count.executions, warmup=warmup, last=format_time(count.last),
    )  # fmt: skip


def _say(canary: WatchedCanary) -> str:
    qubits = "" if canary.qubits is None else " " + "-".join(map(str, canary.qubits))
    seen, warmup = canary.executions_seen, canary.warmup
    if warmup is None:
        how = f"{seen} executions seen, the drift rule is off"
    elif seen < warmup:
        how = f"warming up, {seen} of {warmup} executions seen"
    else:
        how = f"{seen} executions seen, the first {warmup} to warm up"
    return f"canary {canary.circuit} on {canary.backend}{qubits}: {how}"


def _daemon(config: Config, now: int) -> Literal["ready", "stopped", "silent"] | None:
    status = read_status(config.state_dir / STATUS)
    if status is None or status.state == "stopped":
        return None if status is None else "stopped"
    return "silent" if now - status.written > STALE_SECONDS * SECOND else "ready"
