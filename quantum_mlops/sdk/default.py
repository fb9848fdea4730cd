"""The public functions, all of them on the one default recorder.

They never raise into user code and, but for `flush`, never block. `QML_DISABLED=1` makes every one
of them a no-op.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from quantum_mlops.sdk.expectation import Expectation
from quantum_mlops.sdk.notice import say
from quantum_mlops.sdk.recorder import EXIT_SECONDS, Recorder, Stats
from quantum_mlops.sdk.run import Run
from quantum_mlops.sdk.step import Step, named, take_step

if TYPE_CHECKING:
    from quantum_mlops.sdk.autolog import Autolog
    from quantum_mlops.sdk.instrumentation import Canary

recorder = Recorder()
Primitive = TypeVar("Primitive")


class GuardedCanary:
    """A canary whose failures stay away from user code. Without an instrumentation it does nothing."""

    def __init__(self, canary: "Canary | None") -> None:
        self._canary = canary

    def run(self) -> object:
        """Run now, in the caller's thread; None where it could not. Blocks as long as the circuit runs."""
        return self._guard(lambda canary: canary.run())

    def cancel(self) -> None:
        """Stop running it; idempotent, and done by itself when its run ends."""
        self._guard(lambda canary: canary.cancel())
        self._canary = None

    def _guard(self, action: "Callable[[Canary], object]") -> object:
        if self._canary is None:
            return None
        try:
            return action(self._canary)
        except Exception as error:  # noqa: BLE001 - a canary's failure never reaches the user: counted
            recorder.report("canary_failed", "canary.measured", error, each=True)
            return None


def autolog(project: str | None = None, target: str | None = None) -> "Callable[[], None] | Autolog":
    """Record every quantum job of this process from now on; return what undoes it.

    Idempotent: a second call returns the same handle. `project` owns the events (else `QML_PROJECT`,
    else "default"); `target` says where they go: `spool:` (the default folder), `spool:/path`, a
    service at `https://host` (its token comes from `QML_TOKEN` or `QML_TOKEN_FILE`), Kafka at
    `kafka://host:9092` or an MQTT broker at `mqtts://host` (what these need besides comes from `QML_KAFKA_...` and
    `QML_MQTT_...`).
    The handle is called, or used as a context manager. Loads the instrumentations that are installed;
    imports no quantum SDK.
    """
    current = recorder.autolog
    if current is not None and current.active:
        if project is not None and project != recorder.project:
            say(f"autolog is already on for project {recorder.project!r}; it stays so")
        return current
    if project is not None or target is not None:
        recorder.destination.choose(project, target)
    from quantum_mlops.sdk.autolog import Autolog  # noqa: PLC0415 - wrapt and entry points cost 0.1 s

    handle = Autolog(recorder)
    if not recorder.start():
        handle.active = False
        return handle
    recorder.autolog = handle
    handle.load()
    return handle


def run(
    name: str,
    *,
    experiment: str | None = None,
    variant: str | None = None,
    tags: Mapping[str, Any] | None = None,
    mlflow_run: str | None = None,
) -> Run:
    """Return a run: a context manager, a decorator, or a handle with `.start()` and `.end()`.

    `with run("vqc-1"):` for scripts, `@run("train")` for functions, coroutine functions and
    generators (each call is a run; a generator's is current in its body only),
    `r = run("cell-1").start()` … `r.end()` for notebooks, where it stays current for later cells.
    An exception that passes through ends the run as failed, and is not changed. `experiment` and
    `variant` name the side of an A/B test that the run is on.
    """
    return recorder.run(name, experiment=experiment, variant=variant, tags=tags, mlflow_run=mlflow_run)


def log_metrics(
    values: Mapping[str, Any],
    step: int | None = None,
    phase: Literal["train", "validate", "serve"] | None = None,
) -> bool:
    """Log numbers by name, at a step; return whether they were queued.

    The mapping is copied. NaN and infinities are kept by name. NumPy scalars and 0-d arrays are
    numbers; what is none is left out, counted and said once. `step` None is the run's `step`.
    """
    return recorder.log_metrics(values, step, phase)


def step(
    number: int | None = None,
    *,
    loss: object = None,
    gradient: object = None,
    parameters: object = None,
    method: str = "parameter-shift",
    circuits: int = 1,
    **values: object,
) -> Step:
    """Begin a step of the current run, or end the one at hand with what it gave; return it. Never raises or blocks.

    Without a loss, a gradient or other values a step begins: the jobs and metrics from now on carry its number
    (that of `number`, else the next of the run). It lasts until its `with` is left or another step begins:

        with quantum_mlops.step() as s:
            loss, gradient = train(batch)
            s.log(loss=loss, gradient=gradient)

    With them the step at hand ends, for loops that call once at the end of each turn:

        quantum_mlops.step(loss=loss, gradient=gradient, parameters=len(weights))

    What ends is told: the loss and the other values, the norm and variance of the gradient, and the executions, jobs,
    shots and estimated cost that the instrumentations saw in the step. `parameters` (a number, or the parameters
    themselves), `method` and `circuits` say how many executions to expect; see `docs/training.md`.
    """
    return take_step(recorder, number, named(loss, values), gradient, Expectation(parameters, method, circuits))


def emit(type: str, data: object, **context: Any) -> bool:  # noqa: A002 - the word of the contract
    """Send an event of your own, or of a type of the contract; return whether it was queued.

    `data` is a struct or a mapping and is checked later, in the recorder's thread: what does not fit
    its type is counted and said once. `context` are further attributes: `subject`, `step`,
    `experimentid`, `variant`, `blockid`, `mlflowrunid`, `traceparent`.
    """
    return recorder.emit(type, data, context=context or None)


def canary(circuit: object, every: int = 1, shots: int = 4096, name: str | None = None) -> GuardedCanary:
    """Run a fixed circuit before every `every`-th job of the current run, as a reference for drift.

    `circuit` is an ISA circuit with bound parameters, run on the user's own sampler, in the caller's
    thread. It is a job of its own: counted, priced, tagged. Call `.run()` for one more now, `.cancel()`
    to stop; the end of the run stops it too. Needs `autolog()`.
    """
    if not recorder.start():
        return GuardedCanary(None)
    try:
        made = None if recorder.autolog is None else recorder.autolog.make_canary(circuit, every, shots, name)
    except Exception as error:  # noqa: BLE001 - an instrumentation's or the circuit's fault: counted
        recorder.report("canary_failed", "canary.measured", error, each=True)
        return GuardedCanary(None)
    if made is None:
        why = "call autolog() first" if recorder.autolog is None else "no instrumentation takes it"
        say(f"no canary for a circuit of type {circuit.__class__.__qualname__}: {why}")
    guarded = GuardedCanary(made)
    current = recorder.current_run() or recorder.runs.implicit(recorder)
    current.canaries.append(guarded)
    return guarded


def wrap(primitive: Primitive) -> Primitive:
    """Record the jobs of one sampler or estimator only; return a stand-in for it, of the same type to `isinstance`.

    The alternative to `autolog()`, which hooks the classes. What no instrumentation knows is returned
    as it is, with one line on stderr. Never raises.
    """
    if not recorder.start():
        return primitive
    from quantum_mlops.sdk.autolog import Autolog  # noqa: PLC0415 - wrapt and entry points cost 0.1 s

    if recorder.autolog is None:
        recorder.autolog = Autolog(recorder)
        recorder.autolog.active = False
        recorder.autolog.load(hook=False)
    try:
        stand_in = recorder.autolog.wrap(primitive)
    except Exception as error:  # noqa: BLE001 - an instrumentation's fault: counted
        recorder.report("instrumentation_failed", "job.created", error)
        return primitive
    if stand_in is None:
        say(f"nothing to wrap in an object of type {primitive.__class__.__qualname__}: no instrumentation takes it")
        return primitive
    return cast("Primitive", stand_in)


def flush(deadline_seconds: float = EXIT_SECONDS) -> bool:
    """Block until everything sent before is in the spool; False where that failed or took too long.

    With a service as target: until the service has it. On a machine that is taken away without notice
    (a hosted notebook), call it with a minute or so after what must not be lost.
    """
    return recorder.flush(deadline_seconds)


def stats() -> Stats:
    """Return how many events were written, wait, or were lost, and why."""
    return recorder.stats()


def current_run() -> Run | None:
    """Return the run that an event of the caller would belong to, or None where none was begun."""
    return recorder.current_run()


def current_step() -> int | None:
    """Return the step of the current run: what was last set as `run.step`."""
    current = recorder.current_run()
    return None if current is None else current.step
