"""Which job is asked next, provider by provider, and what its answer changes.

Pure: time is handed in, doors are elsewhere. `now` is nanoseconds UTC, `at` seconds of a monotonic clock.
"""

from collections.abc import Collection

from qml_producers.following.followed import FollowedJob
from qml_producers.following.jobs import Jobs, Key
from qml_producers.following.pace import Pace, wait_seconds
from qml_producers.following.tellings import Telling, note, tell, tell_lost
from qml_producers.observing.door import Sight
from quantum_mlops.clock import SECOND

REFUSALS = 6
"""A job that was refused so often in a row (half an hour), while the provider answered for others, is unknown."""


class Plan:
    """The schedule of all providers' looks. Not thread-safe.

    Args:
        jobs: What is followed.
        providers: Whose pace is kept.
        interval_seconds: The least between two looks at one job.
        calls_per_minute: The most calls to one provider in a minute.

    """

    def __init__(self, jobs: Jobs, providers: Collection[str], interval_seconds: float, calls_per_minute: int) -> None:
        self._jobs = jobs
        self._interval = self._patience = interval_seconds
        self._paces = {provider: Pace(calls_per_minute) for provider in providers}
        self._due: dict[Key, float] = {}
        self._answered: dict[str, float] = {}

    def hurry(self) -> None:
        """Ask for new jobs at once from now on, and not after the interval: nobody will come back to them."""
        self._patience = 0.0

    def next_look(self, provider: str, now: int, at: float) -> tuple[float, Key] | None:
        """Return when which job of a provider is asked next; None where there is none.

        A job whose status is news waits for the interval: its trainer may tell more of it itself. Of those that are
        due, jobs that go on come before jobs that lack their bill, then the one due longest.
        """
        jobs = self._jobs.of(provider)
        if not jobs:
            return None
        for key, job in jobs.items():
            if key not in self._due:
                self._due[key] = at + min(self._patience, max(0.0, self._patience - (now - job.since) / SECOND))
        due = {key: self._due[key] for key in jobs}
        ready = [key for key in jobs if due[key] <= at]
        key = (
            min(ready, key=lambda one: (jobs[one].ended, due[one], one))
            if ready
            else min(due, key=lambda one: (due[one], one))
        )
        return max(due[key], self._paces[provider].next_call(at)), key

    def call(self, provider: str, key: Key, at: float) -> FollowedJob | None:
        """Note that a job is asked now, and return it; None where it is over meanwhile."""
        job = self._jobs.get(key)
        if job is None:
            return None
        self._paces[provider].call(at)
        return job

    def delay(self, key: Key, at: float, seconds: float) -> None:
        """Ask a job no earlier than in some seconds."""
        self._due[key] = at + seconds

    def judge(self, key: Key, sight: Sight) -> list[Telling]:
        """Return what of an answer is to be told."""
        job = self._jobs.get(key)
        return [] if job is None else tell(job, sight)

    def settle(self, key: Key, sight: Sight, tellings: list[Telling], now: int, at: float) -> None:
        """Note an answer whose events are safe."""
        job = self._jobs.get(key)
        if job is None:
            return
        self._paces[job.provider].succeed()
        self._answered[job.provider] = at
        if tellings or job.refusals:
            self._jobs.changed.add(key)
        job.refusals = 0
        note(job, tellings, sight, now)
        self._go_on(key, job, now, at)

    def refuse(self, key: Key, reason: str, now: int, at: float) -> list[Telling]:
        """Note that the provider does not know a job, or does not tell us; return what is to be told of it then.

        A job is lost only where the provider answers for others: else our credentials are at fault.
        """
        job = self._jobs.get(key)
        if job is None:
            return []
        self._paces[job.provider].succeed()
        job.refusals += 1
        self._jobs.changed.add(key)
        self._due[key] = at + wait_seconds(job, self._interval, now)
        return tell_lost(job, reason) if self._is_lost(job) else []

    def lose(self, key: Key, now: int) -> bool:
        """Follow a job no longer if it is lost; return whether."""
        job = self._jobs.get(key)
        if job is None or not self._is_lost(job):
            return False
        self._jobs.finish(key, now)
        self._due.pop(key, None)
        return True

    def fail(self, provider: str, key: Key | None, retry_after_seconds: float | None, at: float) -> float:
        """Note that a provider cannot answer now; return the seconds until it is asked again."""
        pace = self._paces[provider]
        pace.fail(at, retry_after_seconds)
        if key is not None:
            self._due[key] = max(at + self._interval, pace.paused_until)
        return pace.paused_until - at

    def prune(self) -> None:
        """Forget the times of jobs that are over."""
        for key in [key for key in self._due if self._jobs.get(key) is None]:
            del self._due[key]

    def _is_lost(self, job: FollowedJob) -> bool:
        return job.refusals >= REFUSALS and (job.ended or job.provider in self._answered)

    def _go_on(self, key: Key, job: FollowedJob, now: int, at: float) -> None:
        if job.ended and job.billed:
            self._jobs.finish(key, now)
            self._due.pop(key, None)
        else:
            self._due[key] = at + wait_seconds(job, self._interval, now)
