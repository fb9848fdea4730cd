"""The results processor: says once for each run and backend that what its jobs return is wrong.

Emitters warn in `Job.warnings`, "code: of what". One series a run, backend and warning, so that a training of a
thousand jobs is one notice; it is forgotten two days after its last such job. A warning whose code is not
known here is passed over: newer emitters may warn of what is no wrong result.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from qml_processors.base import Finding, Forget, Output, unpack_state
from quantum_mlops.clock import DAY
from quantum_mlops.config.rules import ResultsRule, Rules
from quantum_mlops.events import Event, Job

RULE: Final = "ResultsWrong"
REMEMBERED: Final = 2 * DAY
MENDS: Final = {
    "wrong-bits": (
        "The bits of these results are not those that were measured, and nothing else says so. Do not use them. Take "
        "the counts of the backend's own job instead: backend.run(circuits, shots=...).result().get_counts()."
    ),
}
"""By code: what it means for the results, and what to do."""

_MOST = 8  # warnings of one event


class ResultsState(Struct, array_like=True, gc=False):
    """One warning of the jobs of one run on one backend.

    Attributes:
        warning: As the emitter wrote it.
        seen: The log's time of the last job with it; None before any and after it was forgotten.
        said: Whether the notice was given.

    """

    warning: str
    seen: int | None = None
    said: bool = False


class ResultsProcessor:
    """ResultsWrong; see the module."""

    name = "results"
    version = 1
    state = ResultsState
    bundled = False
    takes = (Job,)
    labels = ("run", "project", "backend", "provider")

    def keys(self, event: Event) -> Sequence[str]:
        """One series for each known warning, with its run and backend."""
        data = event.data
        if not isinstance(data, Job) or not data.warnings:
            return ()
        place = f"{event.context.runid or ''}/{data.backend or ''}"
        known = [warning for warning in data.warnings if _code(warning) in MENDS]
        return tuple(dict.fromkeys(f"{place}\n{warning}" for warning in known[:_MOST]))

    def open(self, key: str) -> ResultsState:
        """Know the warning."""
        return ResultsState(warning=key.rpartition("\n")[2])

    def apply(self, state: ResultsState, event: Event, rules: Rules) -> Iterable[Output]:
        """Say it the first time."""
        data = event.data
        rule = rules.results
        if not isinstance(data, Job) or not rule.enabled:
            return ()
        state.seen = event.ingestedtime
        if state.said:
            return ()
        state.said = True
        return (_wrong(state, event, data, rule),)

    def next_timer(self, state: ResultsState, rules: Rules) -> int | None:  # noqa: ARG002
        """When it is forgotten."""
        return None if state.seen is None else state.seen + REMEMBERED

    def on_timer(self, state: ResultsState, due: int, rules: Rules) -> Iterable[Output]:  # noqa: ARG002
        """Forget it."""
        state.seen, state.said = None, False
        return (Forget(),)

    def migrate(self, raw: bytes, from_version: int) -> ResultsState:
        """Decode a state; there is only this version so far.

        Raises:
            StateTooNewError: `from_version` is newer.

        """
        return unpack_state(self, raw, from_version)


def _code(warning: str) -> str:
    return warning.partition(":")[0].strip()


def _wrong(state: ResultsState, event: Event, data: Job, rule: ResultsRule) -> Finding:
    run = event.context.runid
    backend = data.backend or "a backend without a name"
    code = _code(state.warning)
    what = state.warning.partition(":")[2].strip() or code
    labels = {"run": run, "project": event.project, "backend": data.backend, "provider": data.provider}
    return Finding(
        transition="notice",
        rule=RULE,
        severity=rule.severity,
        labels={name: value for name, value in labels.items() if value},
        annotations={
            "summary": f"{f'run {run}' if run else 'jobs without a run'}: results of {backend} are wrong ({what})",
            "description": f"{state.warning}, job {data.job_id}. {MENDS[code]}",
        },
        evidence=[event.key],
    )
