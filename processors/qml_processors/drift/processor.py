"""The drift processor: reference executions in, CircuitDrift out.

Each execution gets one score against the pooled reference under the minimum-effect null (see
`quantum_mlops.stats`), and the score goes into one chart, whose limit follows from the declared
false-alarm rate.

- Opens when the chart's upper arm passes the limit with at least two executions behind it: one alone may be a
  spoilt job, and a score of 8 passes every limit up to one in 10,000 by itself.
- The reference pools executions in control. Those that the chart has doubts about wait apart, and
  join it only if the arm returns to zero. It is frozen while a finding is open, and at 500.
- Closes when the lower arm of the same chart, started anew at the opening, passes the same limit: as
  long as the effect is at least the minimum, a false "recovered" is as rare as a false alarm. Also
  closes when no execution came for a day; a series of which none came for 30 days is forgotten.
- Recalibrations do not reset it: one that made things worse is what must be found. While a finding
  is open, one that did not mend it updates the finding.
"""

from collections.abc import Iterable, Sequence

from qml_processors.base import Finding, Forget, Output, unpack_state
from qml_processors.drift.observation import Counts, counts_of, series_of
from qml_processors.drift.state import DriftState, Suspects, pack_columns
from qml_processors.drift.wording import RULE, drift_finding, not_charted
from quantum_mlops.clock import DAY
from quantum_mlops.config.rules import DriftRule, Rules
from quantum_mlops.events import Event, ShotsMeasured
from quantum_mlops.stats import (
    REFERENCE_VALUE,
    Cells,
    Cusum,
    add_observation,
    homogeneity,
    null_effect,
    pair,
    parse_rate,
    score,
    threshold,
    update,
)

REFERENCE_LIMIT = 500
LEAST_EXECUTIONS = 2
"""Executions that must speak for an opening, and for a closing."""
UNOBSERVED_AFTER = DAY
FORGOTTEN_AFTER = 30 * DAY
UPDATE_AFTER = 3
"""Executions under a new calibration before an open finding says how it looks there."""


class DriftProcessor:
    """CircuitDrift on canaries and frozen executions; see the module for its rules."""

    name = "drift"
    version = 1
    state = DriftState
    takes = (ShotsMeasured,)
    labels = ("backend", "qubits", "circuit", "project")

    def keys(self, event: Event) -> Sequence[str]:
        """One series for each circuit with its parameters on its physical qubits; none for other events."""
        if event.data.__class__ is not ShotsMeasured:
            return ()
        series = series_of(event)
        return () if series is None else (series,)

    def open(self, key: str) -> DriftState:  # noqa: ARG002 - the contract's signature
        """Know nothing."""
        return DriftState()

    def apply(self, state: DriftState, event: Event, rules: Rules) -> Iterable[Output]:
        """Score the execution against the reference, then pool it or doubt it."""
        data = event.data
        if not isinstance(data, ShotsMeasured) or not rules.drift.enabled:
            return ()
        counts, rest = counts_of(data)
        if sum(counts.values()) + rest < 1:
            return ()
        state.seen = event.ingestedtime
        _note_calibration(state, data)
        if state.reference.samples < min(rules.drift.warmup, REFERENCE_LIMIT):
            _pool(state, counts, rest)
            return ()
        cells = pair(state.reference, counts, rest)
        if cells.df == 0:
            return _leave_out(state, event, data)
        null = null_effect(state.epochs, rules.drift.minimum_effect)
        step = _watch_open if state.open else _watch
        finding = step(state, event, data, rules.drift, cells, null, (counts, rest))
        return () if finding is None else (finding,)

    def next_timer(self, state: DriftState, rules: Rules) -> int | None:
        """Ask at once where the rule was switched off with a finding open; else when executions stay away."""
        if state.open and not rules.drift.enabled:
            return 0
        return None if state.seen is None else state.seen + (UNOBSERVED_AFTER if state.open else FORGOTTEN_AFTER)

    def on_timer(self, state: DriftState, due: int, rules: Rules) -> Iterable[Output]:
        """Close the finding of a rule that is gone, or that nothing speaks for any more; forget what is over."""
        found: list[Output] = []
        silent = 0 if state.seen is None else due - state.seen
        if state.open and (silent >= UNOBSERVED_AFTER or not rules.drift.enabled):
            reason = "not observed for a day" if rules.drift.enabled else "rule disabled"
            found.append(Finding(transition="closed", rule=RULE, severity=rules.drift.severity, reason=reason))
            _calm_down(state)
        if silent >= FORGOTTEN_AFTER:
            state.seen = None
            found.append(Forget())
        return found

    def migrate(self, raw: bytes, from_version: int) -> DriftState:
        """Decode a state; there is only this version so far.

        Raises:
            StateTooNewError: `from_version` is newer.

        """
        return unpack_state(self, raw, from_version)


def _watch(
    state: DriftState,
    event: Event,
    data: ShotsMeasured,
    rule: DriftRule,
    cells: Cells,
    null: float,
    observed: tuple[Counts, int],
) -> Finding | None:
    """Chart an execution while nothing is open."""
    counts, rest = observed
    _learn_epoch(state, cells)
    arm = update(state.chart, score(cells, null, floor=REFERENCE_VALUE - state.chart.upper))
    if arm <= 0.0:
        _acquit(state, counts, rest)
        return None
    state.suspects.add(counts, rest, event.key)
    if arm <= _limit(rule) or state.suspects.pool.samples < LEAST_EXECUTIONS:
        return None
    finding = drift_finding("opened", state, event, data, rule, null)
    state.open, state.chart = True, Cusum()
    state.suspects = Suspects()
    return finding


def _watch_open(
    state: DriftState,
    event: Event,
    data: ShotsMeasured,
    rule: DriftRule,
    cells: Cells,
    null: float,
    observed: tuple[Counts, int],
) -> Finding | None:
    """Chart an execution while a finding is open: has it recovered, or was the device recalibrated?"""
    counts, rest = observed
    before = state.chart.lower
    update(state.chart, score(cells, null), sided="two")
    if before <= 0.0 < state.chart.lower:
        state.suspects = Suspects()  # what may be the recovery is told apart from the incident
    state.suspects.add(counts, rest, event.key)
    if state.chart.lower > _limit(rule) and state.suspects.pool.samples >= LEAST_EXECUTIONS:
        finding = drift_finding("closed", state, event, data, rule, null)
        _calm_down(state)
        return finding
    if state.update_due and state.chart.lower <= 0.0 and state.suspects.pool.samples >= UPDATE_AFTER:
        state.update_due = False
        return drift_finding("updated", state, event, data, rule, null)
    return None


def _note_calibration(state: DriftState, data: ShotsMeasured) -> None:
    """Follow the footprint's calibration; its values come with the first execution under it."""
    current = (data.footprint.calibration_id if data.footprint else None) or ""
    if current != state.current:
        state.current, state.values = current, b""
        if state.open:
            state.suspects, state.update_due = Suspects(), True
    if data.calibration is not None:
        state.values = pack_columns(data.calibration)


def _learn_epoch(state: DriftState, cells: Cells) -> None:
    add_observation(
        state.epochs, state.current, statistic=homogeneity(cells), df=cells.df, effective_shots=cells.effective_shots
    )


def _acquit(state: DriftState, counts: Counts, rest: int) -> None:
    """Take the suspects and this execution into the reference: the chart has no doubt left."""
    suspects = state.suspects.pool
    if suspects.samples:
        if state.reference.samples < REFERENCE_LIMIT:
            samples = state.reference.samples + suspects.samples
            state.reference.add(dict(zip(suspects.outcomes, suspects.counts, strict=True)), suspects.rest)
            state.reference.samples = samples
        state.suspects = Suspects()
    _pool(state, counts, rest)


def _pool(state: DriftState, counts: Counts, rest: int) -> None:
    if state.reference.samples < REFERENCE_LIMIT:
        state.reference.add(counts, rest)
    if state.calm != state.current or not state.calm_values:
        state.calm, state.calm_values = state.current, state.values


def _calm_down(state: DriftState) -> None:
    state.open, state.update_due = False, False
    state.chart, state.suspects = Cusum(), Suspects()


def _leave_out(state: DriftState, event: Event, data: ShotsMeasured) -> tuple[Finding, ...]:
    state.uncharted += 1
    return (not_charted(state, event, data),) if state.uncharted == 1 else ()


def _limit(rule: DriftRule) -> float:
    return threshold(parse_rate(rule.false_alarms))
