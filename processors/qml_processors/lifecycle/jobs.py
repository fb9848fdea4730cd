"""The processor of jobs: JobStuck, JobFailureRate and QueueTimeSLO.

One series a backend, and one for the project. Canaries count for their backend alone: they spend no failure budget and
no queue objective of a user. A job event without a backend belongs to the backend `unknown`.
"""

from collections.abc import Iterable, Sequence
from copy import copy

from qml_processors.base import Finding, Forget, Output, unpack_state
from qml_processors.lifecycle import stuck
from qml_processors.lifecycle.failures import calm_down, chart_job, chart_jobs, is_near_alarm
from qml_processors.lifecycle.objectives import Budget, burn_of, burning, count, is_near_burning, next_check, wait_of
from qml_processors.lifecycle.state import JobsState
from qml_processors.lifecycle.table import Change, is_last, note_live, ordered, take
from qml_processors.lifecycle.wording import FAILING, SLO, STUCK, budget_burns, closed, failing_opened, stuck_opened
from quantum_mlops.clock import DAY, MINUTE
from quantum_mlops.config.rules import Rules
from quantum_mlops.config.rules.lifecycle import LifecycleRule, QueueObjective
from quantum_mlops.events import Event, Job, type_name
from quantum_mlops.events.job_status import STATUS_RANKS, TERMINAL_STATUSES

LIVE_WITHIN = 5 * MINUTE
QUIET_AFTER = DAY
"""An open JobFailureRate closes when no job ended for so long."""
FORGOTTEN_AFTER = 30 * DAY
_PROJECT = "project"
_CANCELLED, _FAILED = STATUS_RANKS["cancelled"], STATUS_RANKS["failed"]
_ENDS = {type_name(f"job.{status}"): STATUS_RANKS[status] for status in TERMINAL_STATUSES}
_PLACED = frozenset((*_ENDS, type_name("job.running")))
"""Events by which a wait can become known."""


class JobsProcessor:
    """What goes wrong with jobs; see the module for its series."""

    name = "lifecycle_jobs"
    version = 1
    state = JobsState
    takes = by_run = (Job,)
    labels = ("backend", "project", "status", "objective")

    def keys(self, event: Event) -> Sequence[str]:
        """The job's backend and, unless it is a canary, the project; none for other events."""
        data = event.data
        if data.__class__ is not Job:
            return ()
        backend = f"backend/{data.backend or 'unknown'}"
        return (backend,) if data.role == "canary" else (backend, _PROJECT)

    def open(self, key: str) -> JobsState:
        """Know nothing."""
        return JobsState(key=key)

    def apply(self, state: JobsState, event: Event, rules: Rules) -> Iterable[Output]:
        """Merge the event into its job and look at what that changes."""
        rule = rules.lifecycle
        data = event.data
        objectives = _objectives(state, rule) if rule.queue else ()
        if not rule.enabled or not isinstance(data, Job) or not (objectives or _is_watched(state, rule)):
            return ()
        now = event.ingestedtime or 0
        state.seen, state.project = now, event.project
        if now - event.time <= LIVE_WITHIN:
            note_live(state.table, event.source, now)
        change = take(state.table, event, data)
        if change is None:
            return ()
        found: tuple[Output, ...] = ()
        if state.key != _PROJECT:
            stuck.arm(change.after, rule.stuck)
            stuck.note_look(state.table, rule.stuck, change.after, enabled=rule.stuck.enabled)
            if state.stuck:
                known = change.before is not None and change.before.stuck
                reason = f"job {change.job} is {change.after.status}" if known else "given up for want of room"
                found = (*_release_stuck(state, rule, reason),)
        if _is_charted(state, rule) and (change.after.ended or change.left is not None):
            found = (*found, *_chart(state, change, rule, now))
        for objective in objectives:
            found = (*found, *_spend(state, objective, change, now))
        return found

    def opens(self, state: JobsState, event: Event, rules: Rules) -> bool:
        """Whether the event may bring a chart over its limit, or a budget to burn.

        A full state takes 50 µs to encode, three times as long as all the rest, so this is asked narrowly: 1 µs, and
        where a queue objective is watched a sixth of what the event takes.
        """
        rule = rules.lifecycle
        rank = _ENDS.get(event.type)
        if rank is not None and _may_alarm(state, event, rank, rule) and _is_charted(state, rule):
            return True
        return bool(rule.queue) and rule.enabled and _may_burn(state, event, rule)

    def next_timer(self, state: JobsState, rules: Rules) -> int | None:
        """Return the earliest instant at which the log's clock alone decides something."""
        if state.seen is None:
            return None
        rule = rules.lifecycle
        due = state.seen + FORGOTTEN_AFTER
        if state.table.open:
            looking = rule.enabled and rule.stuck.enabled and state.key != _PROJECT
            look = stuck.next_look(state.table, rule.stuck, enabled=looking)
            if look is not None and look < due:
                due = look
        if state.stuck and not (rule.enabled and rule.stuck.enabled):
            return 0
        if state.failing:
            due = min(due, (state.heard or 0) + QUIET_AFTER) if _is_charted(state, rule) else 0
        for name, budget in state.budgets.items():
            if budget.pair is not None:
                check = budget.check if _objective(state, name, rule) is not None else 0
                due = min(due, check or 0)
        return due

    def on_timer(self, state: JobsState, due: int, rules: Rules) -> Iterable[Output]:
        """Find what is stuck, close what is over or whose rule is gone; forget a series of 30 quiet days."""
        rule = rules.lifecycle
        found: list[Output] = [*_look(state, due, rule), *_calm(state, due, rule)]
        for name in list(state.budgets):
            objective = _objective(state, name, rule)
            budget = state.budgets[name]
            if objective is None:
                if budget.pair is not None:
                    found.append(_gone(state, name))
                del state.budgets[name]
            elif budget.pair is not None:
                found += _judge(state, objective, budget, due)
        if state.seen is not None and state.seen + FORGOTTEN_AFTER <= due:
            state.seen = None
            state.table.open.clear()
            found += [*_release_stuck(state, rule, "nothing received for 30 days"), Forget()]
        return found

    def migrate(self, raw: bytes, from_version: int) -> JobsState:
        """Decode a state; there is only this version so far.

        Raises:
            StateTooNewError: `from_version` is newer.

        """
        return unpack_state(self, raw, from_version)


def _is_charted(state: JobsState, rule: LifecycleRule) -> bool:
    scope = _PROJECT if state.key == _PROJECT else "backend"
    return rule.enabled and rule.failures.enabled and scope in rule.failures.scopes


def _is_watched(state: JobsState, rule: LifecycleRule) -> bool:
    return _is_charted(state, rule) or (state.key != _PROJECT and rule.stuck.enabled)


def _may_alarm(state: JobsState, event: Event, rank: int, rule: LifecycleRule) -> bool:
    """Whether an event of an end may open JobFailureRate: by the next failure, or by charting the kept jobs anew."""
    data = event.data
    if state.failing or not isinstance(data, Job):
        return False
    ended, job = state.table.ended, data.job_id
    known = ended.get(job)
    if known is not None:
        return rank > known.rank or (rank == known.rank and event.time < known.end)
    last = next(reversed(ended), None)
    if last is not None and (event.time, job) < (ended[last].end, last):
        return True
    if rank == _FAILED or (state.tip.rise and rank > _CANCELLED):
        return is_near_alarm(state.tip, rule.failures, failed=rank == _FAILED)
    return False


def _may_burn(state: JobsState, event: Event, rule: LifecycleRule) -> bool:
    """Whether an event may open QueueTimeSLO: it tells a wait, and the budget is close to burning."""
    data = event.data
    if not isinstance(data, Job):
        return False
    record = state.table.open.get(data.job_id) or state.table.ended.get(data.job_id)
    if record is None or (record.running is None and not record.ended):
        if event.type not in _PLACED:
            return False
    elif data.times is None and record.running is not None and event.type in _ENDS:
        return False
    now = event.ingestedtime or 0
    for objective in rule.queue:
        if _is_for(objective, state) and is_near_burning(state.budgets.get(objective.name), objective, now):
            return True
    return False


def _objectives(state: JobsState, rule: LifecycleRule) -> list[QueueObjective]:
    return [objective for objective in rule.queue if _is_for(objective, state)]


def _is_for(objective: QueueObjective, state: JobsState) -> bool:
    if (objective.scope == _PROJECT) != (state.key == _PROJECT):
        return False
    return (objective.backend is None or objective.backend == state.backend) and (
        objective.project is None or not state.project or objective.project == state.project
    )


def _objective(state: JobsState, name: str, rule: LifecycleRule) -> QueueObjective | None:
    if not rule.enabled:
        return None
    return next((each for each in rule.queue if each.name == name and _is_for(each, state)), None)


def _look(state: JobsState, due: int, rule: LifecycleRule) -> list[Finding]:
    """Find the jobs that are over their limits; drop those of which nothing came for very long."""
    enabled = rule.enabled and rule.stuck.enabled and state.backend is not None
    limits = stuck.look(state.table, due, rule.stuck, enabled=enabled)
    if not enabled:
        stuck.release(state.table, rule.stuck)
    found = _release_stuck(state, rule, "given up" if enabled else "rule disabled")
    stuck.note_look(state.table, rule.stuck, None, enabled=enabled)
    for status, limit in limits.items():
        again = status in state.stuck
        if not again:
            state.stuck.append(status)
        found.append(stuck_opened(state, status, limit, due, rule.stuck, again=again))
    return found


def _release_stuck(state: JobsState, rule: LifecycleRule, reason: str) -> list[Finding]:
    """Close the findings of which no job is left."""
    over = [status for status in state.stuck if not stuck.stuck_jobs(state.table, status)]
    state.stuck = [status for status in state.stuck if status not in over]
    return [
        closed(
            state, f"{STUCK}/{status}", rule.stuck.severity, {"status": status}, reason,
            f"no job hangs in status {status} any more ({reason})",
        )
        for status in over
    ]  # fmt: skip


def _chart(state: JobsState, change: Change, rule: LifecycleRule, now: int) -> list[Finding]:
    """Chart an ended job in its place in the order of ends; a correction charts the kept jobs anew."""
    before, after, left = change.before, change.after, change.left
    floor = state.floor
    if left is not None and (floor is None or left.end > floor):
        chart_job(state.base, left, rule.failures)
    if before is not None and before.ended and (before.rank, before.end) == (after.rank, after.end):
        return []
    if after.counts:
        state.heard = now
    if (before is None or not before.ended) and is_last(state.table, after):
        chart_job(state.tip, after, rule.failures)
    else:
        kept = [record for record in ordered(state.table) if floor is None or record.end > floor]
        state.tip = chart_jobs(copy(state.base), kept, rule.failures)
    if state.tip.open == state.failing:
        return []
    state.failing = state.tip.open
    if state.failing:
        return [failing_opened(state, rule.failures)]
    return [_recovered(state, rule, "recovered", "jobs fail no more often than before")]


def _calm(state: JobsState, due: int, rule: LifecycleRule) -> list[Finding]:
    """Close JobFailureRate where no job ended for a day, or the rule is gone; the history stays."""
    charted = _is_charted(state, rule)
    if not state.failing or (charted and (state.heard or 0) + QUIET_AFTER > due):
        return []
    calm_down(state.tip)
    state.base, state.failing = copy(state.tip), False
    kept = ordered(state.table)
    state.floor = kept[-1].end if kept else state.floor
    reason = "no job ended for a day" if charted else "rule disabled"
    return [_recovered(state, rule, reason, f"job failures are no longer watched: {reason}")]


def _recovered(state: JobsState, rule: LifecycleRule, reason: str, text: str) -> Finding:
    return closed(state, FAILING, rule.failures.severity, {}, reason, text)


def _spend(state: JobsState, objective: QueueObjective, change: Change, now: int) -> list[Finding]:
    """Count the job's wait, and judge the budget."""
    before, after = wait_of(change.before), wait_of(change.after)
    if before == after:
        return []
    budget = state.budgets.get(objective.name)
    if budget is None:
        budget = state.budgets[objective.name] = Budget()
    count(budget, objective, before, after, now)
    return _judge(state, objective, budget, now)


def _judge(state: JobsState, objective: QueueObjective, budget: Budget, now: int) -> list[Finding]:
    """Open, escalate or close by how fast the budget burns now."""
    burn, last = burning(budget, objective, now), budget.pair
    budget.pair = None if burn is None else burn.pair
    budget.check = None if burn is None else next_check(burn.pair, now)
    if burn is not None:
        if last is None or burn.pair < last:
            return [budget_burns(state, objective, burn, "opened" if last is None else "updated")]
        return []
    return [] if last is None else [budget_burns(state, objective, burn_of(budget, objective, last, now), "closed")]


def _gone(state: JobsState, name: str) -> Finding:
    return closed(
        state,
        f"{SLO}/{name}",
        "info",
        {"objective": name},
        "rule removed",
        f"the objective {name} is no longer watched",
    )
