"""The checks: each compares a subject without and with the instrumentation; AssertionError where they differ.

They run in the process that calls them; the SDK is loaded there. Each needs an empty folder.
"""

import asyncio
import copy
import pickle
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from quantum_mlops.testing.conformance.attributes import attributes_of, changed
from quantum_mlops.testing.conformance.child import run_in_child
from quantum_mlops.testing.conformance.recording import Recording
from quantum_mlops.testing.conformance.subject import Subject

Check = Callable[[Subject, Path], None]

_ENDS = ("job.completed", "job.failed", "job.cancelled")
_THREADS = 4
_LEAST_P = 1e-9


def check_results(subject: Subject, folder: Path) -> None:
    """Results are those without us: the same values, or the same distribution where the SDK has no seed."""
    bare = subject.submit(subject.make())
    value, counts = subject.read(bare), _counts(subject, bare)
    with Recording(folder) as recording:
        watched = subject.submit(subject.make())
        _same(subject.read(watched), value, "the result")
        _same_distribution(_counts(subject, watched), counts)
        _check_jobs(subject, recording, 1)


def check_mistakes(subject: Subject, folder: Path) -> None:
    """What raises, raises the same type with the same message; it is at most one job, and no loss of ours."""
    bare = {name: _outcome(lambda call=call: call(subject.make())) for name, call in subject.mistakes.items()}  # type: ignore[misc]
    for name, (raised, _) in bare.items():
        if raised is None:
            raise AssertionError(f"{name}: no mistake, it raises nothing")
    with Recording(folder) as recording:
        for name, call in subject.mistakes.items():
            _same(_outcome(lambda call=call: call(subject.make())), bare[name], name)  # type: ignore[misc]
        recording.check_losses()
        ended = [event.data.job_id for event in recording.events(*_ENDS)]  # type: ignore[attr-defined]
        _same(len(set(ended)), len(ended), "the number of ends a job")


def check_generator(subject: Subject, folder: Path) -> None:
    """Circuits from a generator, which can be read only once, run as without us."""
    if subject.submit_generator is None:
        return
    value = subject.read(subject.submit_generator(subject.make()))
    with Recording(folder) as recording:
        _same(subject.read(subject.submit_generator(subject.make())), value, "the result")
        _check_jobs(subject, recording, 1)


def check_pickling(subject: Subject, folder: Path) -> None:
    """What can be pickled without us (the user's object, the job) can be with us, and comes back as the same type."""
    bare = _pickles(subject)
    with Recording(folder):
        _same(_pickles(subject), bare, "what pickling gives")


def check_copies(subject: Subject, folder: Path) -> None:
    """A copy and a deep copy of the user's object run as without us, and are observed too."""
    makers = [copy.copy, copy.deepcopy]
    bare = [_outcome(lambda make=make: subject.read(subject.submit(make(subject.make())))) for make in makers]  # type: ignore[misc]
    with Recording(folder) as recording:
        for make, expected in zip(makers, bare, strict=True):
            _same(_outcome(lambda make=make: subject.read(subject.submit(make(subject.make())))), expected, "a copy")  # type: ignore[misc]
        _check_jobs(subject, recording, sum(raised is None for raised, _ in bare))


def check_threads(subject: Subject, folder: Path) -> None:
    """Jobs of several threads at once: each as without us, each recorded once."""
    value = subject.run()
    with Recording(folder) as recording, ThreadPoolExecutor(_THREADS) as pool:
        for found in list(pool.map(lambda _: subject.run(), range(_THREADS))):
            _same(found, value, "the result in a thread")
        _check_jobs(subject, recording, _THREADS)


def check_asyncio(subject: Subject, folder: Path) -> None:
    """Inside a running event loop, and in its threads: as without us, in the run of the task."""

    async def work() -> list[Any]:
        return [subject.run(), *await asyncio.gather(asyncio.to_thread(subject.run), asyncio.to_thread(subject.run))]

    bare = asyncio.run(work())
    with Recording(folder) as recording:
        with recording.recorder.run("asyncio") as run:
            _same(asyncio.run(work()), bare, "the results")
        _check_jobs(subject, recording, 3)
        runs = {event.context.runid for event in recording.events("job.created")}
        _same(runs, {run.id} if subject.jobs else set(), "the run of the jobs")


def check_fork(subject: Subject, folder: Path) -> None:
    """A forked child runs as without us, and its job is recorded, in a stream of its own."""
    if not subject.forks:
        return
    subject.run()  # the SDK's own threads are there before the fork, as they are below
    value = run_in_child(subject.run)
    with Recording(folder) as recording:
        subject.run()
        _same(run_in_child(subject.run, recording.recorder.close), value, "the result in a child")
        _check_jobs(subject, recording, 2)
        sources = {event.source.rpartition("/")[0] for event in recording.events("job.created")}
        _same(len(sources), 2 if subject.jobs else 0, "the number of emitters")


def check_undo(subject: Subject, folder: Path) -> None:
    """`autolog` on and off leaves every attribute of every class as it was, and records nothing any more."""
    subject.run()  # loads all there is
    before = attributes_of(subject.packages)
    with Recording(folder) as recording:
        subject.run()
        while_on = changed(before, attributes_of(subject.packages))
        recording.undo()
        _same(changed(before, attributes_of(subject.packages)), [], "the attributes that changed")
        if not while_on:
            raise AssertionError("autolog hooked nothing: are these the packages?")
        recorded = len(recording.events("job.created"))
        subject.run()
        _same(len(recording.events("job.created")), recorded, "the number of jobs recorded")


CHECKS: tuple[Check, ...] = (
    check_results,
    check_mistakes,
    check_generator,
    check_pickling,
    check_copies,
    check_threads,
    check_asyncio,
    check_fork,
    check_undo,
)


def _check_jobs(subject: Subject, recording: Recording, calls: int) -> None:
    """Each job is created once and ends once, however many layers it went through; nothing was lost."""
    created = [event.data.job_id for event in recording.events("job.created")]  # type: ignore[attr-defined]
    ended = [event.data.job_id for event in recording.events(*_ENDS)]  # type: ignore[attr-defined]
    _same(
        (len(created), len(set(created))), (calls * subject.jobs,) * 2, "the number of jobs created, and of their ids"
    )
    _same(sorted(ended), sorted(created), "the jobs that ended")
    recording.check_losses()


def _same(found: object, expected: object, what: str) -> None:
    if found != expected:
        raise AssertionError(f"{what}: {found!r}, without the instrumentation or as it should be: {expected!r}")


def _outcome(call: Callable[[], Any]) -> tuple[Any, Any]:
    """Return (None, value), or the type and the message of what it raised."""
    try:
        return None, call()
    except Exception as error:  # noqa: BLE001 - any: it is compared
        return type(error), str(error)


def _pickles(subject: Subject) -> list[tuple[Any, Any]]:
    held = subject.make()
    before, job = _pickled(held), subject.submit(held)
    return [before, _pickled(job), _pickled(held)]


def _pickled(value: object) -> tuple[Any, Any]:
    raised, found = _outcome(lambda: type(pickle.loads(pickle.dumps(value))))  # noqa: S301 - our own bytes
    return raised, found if raised is None else None  # messages hold addresses


def _counts(subject: Subject, job: Any) -> Mapping[str, int] | None:
    return None if subject.counts is None else subject.counts(job)


def _same_distribution(found: Mapping[str, int] | None, expected: Mapping[str, int] | None) -> None:
    """Pearson's test of homogeneity on outcomes seen at least ten times; wrong once in 10⁹."""
    if found is None or expected is None:
        return
    from scipy.stats import chi2_contingency  # noqa: PLC0415 - scipy is needed for this one only

    common = [key for key in found.keys() | expected.keys() if found.get(key, 0) + expected.get(key, 0) >= 10]  # noqa: PLR2004
    if len(common) < 2:  # noqa: PLR2004 - nothing to compare
        _same(set(found), set(expected), "the outcomes")
        return
    table = [[counts.get(key, 0) for key in common] for counts in (found, expected)]
    p = float(chi2_contingency(table).pvalue)
    if p < _LEAST_P:
        raise AssertionError(f"the counts differ beyond chance (p = {p:.1e}): {dict(found)} and {dict(expected)}")
