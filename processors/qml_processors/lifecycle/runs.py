"""The processor of runs: RunSilent.

Heartbeats are the sign of life: our emitters send one every 30 s from the thread that sends everything else, so a run
that sends anything sends these too, and the many metrics cost nothing here. A run is watched from its first live
heartbeat, or from the live `run.started` of one of our own emitters; one that never promised heartbeats is not. A run
that is over is remembered for a day, so that what was spooled before its end does not wake it.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from qml_processors.base import Finding, Forget, Output, unpack_state
from qml_processors.lifecycle.durations import duration_text
from quantum_mlops.clock import DAY, MINUTE, SECOND
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.rules import Rules
from quantum_mlops.config.rules.lifecycle import SilentRule
from quantum_mlops.events import Event, RunEnded, RunHeartbeat, RunStarted
from quantum_mlops.timestamps import format_time

RULE = "RunSilent"
LIVE_WITHIN = 5 * MINUTE
REMEMBERED = DAY
_OURS = "qml://"


class RunState(Struct, gc=False, omit_defaults=True):
    """One run.

    Attributes:
        run, project, host, title: Who it is; `title` is the name that the user gave.
        seen: The log's time of the last sign of life.
        live: Whether it is watched.
        look: When to look next; it trails `seen` + limit, so that a heartbeat moves no timer.
        over: The log's time of its end, or of when it was given up.
        ended: Whether it said so itself: then nothing wakes it.
        open: Whether RunSilent is open.

    """

    run: str = ""
    project: str = ""
    host: str = ""
    title: str = ""
    seen: int | None = None
    live: bool = False
    look: int | None = None
    over: int | None = None
    ended: bool = False
    open: bool = False
    evidence: tuple[str, str] = ("", "")


class RunsProcessor:
    """Runs that fell silent; see the module for what counts as a sign of life."""

    name = "lifecycle_runs"
    version = 1
    state = RunState
    takes = by_run = (RunHeartbeat, RunStarted, RunEnded)
    labels = ("run", "project")
    bundled = "timers"

    def keys(self, event: Event) -> Sequence[str]:
        """The run of a start, a heartbeat or an end; none for other events."""
        kind = event.data.__class__
        if kind is RunHeartbeat or kind is RunStarted or kind is RunEnded:
            run = event.context.runid
            return (run,) if run else ()
        return ()

    def open(self, key: str) -> RunState:
        """Know nothing."""
        return RunState(run=key)

    def apply(self, state: RunState, event: Event, rules: Rules) -> Iterable[Output]:
        """Note the sign of life; close what it refutes."""
        now = event.ingestedtime or 0
        data = event.data
        rule = rules.lifecycle.silent
        state.project = event.project
        if isinstance(data, RunStarted):
            state.title, state.host = data.name, data.host
        if isinstance(data, RunEnded):
            was_open, state.open = state.open, False
            state.over, state.ended, state.look, state.seen = now, True, None, now
            return (_close(state, rule, f"run ended: {data.status}"),) if was_open else ()
        state.seen, state.evidence = now, event.key
        if state.ended:
            return ()
        if not state.live or state.over is not None:
            promised = data.__class__ is RunHeartbeat or event.source.startswith(_OURS)
            if not promised or now - event.time > LIVE_WITHIN:
                return ()
            state.live, state.over = True, None
        if state.look is None or state.open:
            state.look = now + parse_duration(rule.after)
        if state.open:
            state.open = False
            return (_close(state, rule, "the run was heard of again"),)
        return ()

    def next_timer(self, state: RunState, rules: Rules) -> int | None:
        """Return when to look whether it is silent; later, when it is given up, then forgotten."""
        seen = state.seen
        if seen is None:
            return None
        if state.over is not None:
            return state.over + REMEMBERED
        rule = rules.lifecycle
        if not (rule.enabled and rule.silent.enabled):
            return 0 if state.open else seen + REMEMBERED
        if state.open or not state.live or state.look is None:
            return seen + max(parse_duration(rule.silent.give_up), parse_duration(rule.silent.after) + SECOND)
        return min(state.look, seen + parse_duration(rule.silent.after))

    def on_timer(self, state: RunState, due: int, rules: Rules) -> Iterable[Output]:
        """Open when the last sign of life is too long ago; give up, and forget, what is over."""
        seen = state.seen
        rule = rules.lifecycle
        if seen is None:
            return ()
        if state.over is not None:
            state.seen = None
            return (Forget(),)
        silent = rule.silent
        enabled = rule.enabled and silent.enabled
        if not enabled or state.open or not state.live or state.look is None:
            was_open, state.open = state.open, False
            state.over, state.look = due, None
            return (_close(state, silent, "given up" if enabled else "rule disabled"),) if was_open else ()
        after = parse_duration(silent.after)
        if seen + after > due:
            state.look = seen + after
            return ()
        state.open = True
        return (_open(state, silent, (due - seen) / SECOND),)

    def migrate(self, raw: bytes, from_version: int) -> RunState:
        """Decode a state; there is only this version so far.

        Raises:
            StateTooNewError: `from_version` is newer.

        """
        return unpack_state(self, raw, from_version)


def _open(state: RunState, rule: SilentRule, silent_seconds: float) -> Finding:
    where = f" on {state.host}" if state.host else ""
    return Finding(
        transition="opened",
        rule=RULE,
        severity=rule.severity,
        labels=_labels(state),
        annotations={
            "summary": f"{_name(state)}{where}: no heartbeat received for {duration_text(silent_seconds)}",
            "description": (
                f"Not received: a heartbeat, or an end, since {format_time(state.seen or 0)[:19]}Z (the log's clock); "
                f"heartbeats come every 30 s, the limit is {rule.after}. The process was killed, hangs, or cannot "
                f"reach the log. Look whether the process lives{where}, for out-of-memory kills or the scheduler's "
                f"time limit, and whether its spool grows."
            ),
            **({"host": state.host} if state.host else {}),
        },
        values={"silent_seconds": silent_seconds, "limit_seconds": parse_duration(rule.after) / SECOND},
        evidence=[state.evidence],
    )


def _close(state: RunState, rule: SilentRule, reason: str) -> Finding:
    return Finding(
        transition="closed",
        rule=RULE,
        severity=rule.severity,
        labels=_labels(state),
        annotations={"summary": f"{_name(state)}: {reason}"},
        reason=reason,
    )


def _labels(state: RunState) -> dict[str, str]:
    return {"run": state.run, "project": state.project} if state.project else {"run": state.run}


def _name(state: RunState) -> str:
    return f"run {state.title} ({state.run})" if state.title else f"run {state.run}"
