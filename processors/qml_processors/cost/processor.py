"""The cost processor: what jobs and sessions cost, in, CostCap, CostSpike, BudgetBurn and SpendForecast, out.

One event of a job touches up to five series: the job itself (its cap), its run (cap, unknown costs), the project
(day's cap, budgets, forecast), its backend (spikes) and its session (idle). Each merges what events say of a cost on
its own, free of their order: a final cost beats a reserved one, that beats an estimate, and of two of a kind the later
one by the provider's time holds. Amounts of different currencies never meet; an unknown cost is none, not 0.
"""

from collections.abc import Iterable, Sequence

from qml_processors.base import Output, unpack_state
from qml_processors.cost.idle import apply_session, on_session_timer, session_due
from qml_processors.cost.job import apply_job, job_due, on_job_timer
from qml_processors.cost.pace import LEAST_HOURS
from qml_processors.cost.run import apply_run, on_run_timer, run_due
from qml_processors.cost.spend import apply_spend, on_spend_timer, spend_due
from qml_processors.cost.spikes import apply_backend, backend_due, on_backend_timer
from qml_processors.cost.state import CostState, open_state
from quantum_mlops.config.rules import Rules
from quantum_mlops.events import Cost, Event, Job, Session, type_name

_COMPLETED = type_name("job.completed")
_COUNTED = frozenset(map(type_name, ("job.created", "job.queued", "job.running", "job.failed")))
_USING = frozenset(map(type_name, ("job.created", "job.running")))


class CostProcessor:
    """Caps, spikes, budgets and forecasts; see the module for its series."""

    name = "cost"
    version = 1
    state = CostState
    takes = (Job, Session)
    by_run = (Job,)
    labels = ("project", "run", "backend", "session", "cause", "budget", "currency")

    def keys(self, event: Event) -> Sequence[str]:
        """The job, its run, the project, the backend and the session, as far as the event speaks of their cost."""
        data = event.data
        kind = data.__class__
        if kind is Job:
            return _keys_of_job(event, data)  # type: ignore[arg-type]  # the class was looked at
        if kind is Session:
            return _keys_of_session(event, data)  # type: ignore[arg-type]
        return ()

    def open(self, key: str) -> CostState:
        """Know nothing."""
        return open_state(key)

    def apply(self, state: CostState, event: Event, rules: Rules) -> Iterable[Output]:
        """Take one event, unless the rule is switched off."""
        rule = rules.cost
        if not rule.enabled:
            return ()
        if state.job is not None:
            return apply_job(state.job, event, rule)
        if state.backend is not None:
            return apply_backend(state.backend, event, rule)
        if state.run is not None:
            return apply_run(state.run, event, rule)
        if state.spend is not None:
            return apply_spend(state.spend, event, rule)
        return apply_session(state.session, event, rule) if state.session is not None else ()

    def opens(self, state: CostState, event: Event, rules: Rules) -> bool:  # noqa: ARG002 - rules only forbid
        """Whether the event tells a cost, or the backend's hours are known well enough to call one too busy."""
        data = event.data
        if data.__class__ is Job and data.cost is None:
            return state.backend is not None and len(state.backend.pace.history) >= LEAST_HOURS - 1
        return True

    def next_timer(self, state: CostState, rules: Rules) -> int | None:
        """Return when something closes, is found missing, or is forgotten."""
        rule = rules.cost
        if state.job is not None:
            return job_due(state.job, rule)
        if state.backend is not None:
            return backend_due(state.backend, rule)
        if state.run is not None:
            return run_due(state.run, rule)
        if state.spend is not None:
            return spend_due(state.spend, rule)
        return session_due(state.session, rule) if state.session is not None else None

    def on_timer(self, state: CostState, due: int, rules: Rules) -> Iterable[Output]:
        """Do what is due."""
        rule = rules.cost
        if state.job is not None:
            return on_job_timer(state.job, due, rule)
        if state.backend is not None:
            return on_backend_timer(state.backend, due, rule)
        if state.run is not None:
            return on_run_timer(state.run, due, rule)
        if state.spend is not None:
            return on_spend_timer(state.spend, due, rule)
        return on_session_timer(state.session, due, rule) if state.session is not None else ()

    def migrate(self, raw: bytes, from_version: int) -> CostState:
        """Decode a state; there is only this version so far.

        Raises:
            StateTooNewError: `from_version` is newer.

        """
        return unpack_state(self, raw, from_version)


def _keys_of_job(event: Event, data: Job) -> list[str]:
    kind = event.type
    keys: list[str] = []
    if _is_known(data.cost):
        keys += (f"job/{data.job_id}", f"run/{event.context.runid or ''}", "spend")
        if data.backend:
            keys.append(f"backend/{data.backend}")
    else:
        if kind == _COMPLETED:
            keys.append(f"run/{event.context.runid or ''}")
        if data.backend and kind in _COUNTED:
            keys.append(f"backend/{data.backend}")
    if data.session_id and kind in _USING:
        keys.append(f"session/{data.session_id}")
    return keys


def _keys_of_session(event: Event, data: Session) -> list[str]:
    keys = [f"session/{data.session_id}"]
    if _is_known(data.cost):
        keys += (f"run/{event.context.runid or ''}", "spend")
    return keys


def _is_known(cost: Cost | None) -> bool:
    return cost is not None and (cost.final or cost.reserved or cost.estimated) is not None
