"""The jobs that are followed, as the log tells them: which begin, which are over, bounded.

A job that is over is remembered by its key for a day, so what its trainer spooled meanwhile does not open it again.
"""

from collections.abc import Callable, Collection, Iterator

from qml_producers.following.followed import FollowedJob, begin
from qml_producers.following.tellings import SOURCE
from qml_producers.observing.door import Asked
from quantum_mlops.clock import DAY
from quantum_mlops.events import Event, Job

Key = tuple[str, str]
"""(partition key, job id)."""

Serves = Callable[[str, Asked], bool]
"""(provider, job): whether the job is one of its service."""

MAX_JOBS = 1000
MAX_OVER = 10_000
OVER_KEPT = DAY
FOLLOWED_FOR = 14 * DAY
"""A job that has not ended after so long is given up."""
BILLED_WITHIN = 2 * DAY
"""A job that ended is asked on for so long until it is billed."""


def serve_all(provider: str, job: Asked) -> bool:  # noqa: ARG001 - the signature of `Serves`
    """Return True."""
    return True


class Jobs:
    """The open jobs by key. `changed` gathers the keys to be stored; whoever stores them clears it.

    Args:
        providers: Whose jobs are followed.
        limit: The most that are followed at one time; then the least urgent one is given up.
        serves: Whether a job is one of its provider's service, and not of a simulator on the user's machine.

    """

    def __init__(self, providers: Collection[str], limit: int = MAX_JOBS, serves: Serves = serve_all) -> None:
        self._providers = frozenset(providers)
        self._serves = serves
        self._limit = limit
        self._open: dict[Key, FollowedJob] = {}
        self.over: dict[Key, int] = {}
        self.changed: set[Key] = set()
        self.given_up = 0

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._open)

    def get(self, key: Key) -> FollowedJob | None:
        """Return a job that is followed."""
        return self._open.get(key)

    def of(self, provider: str) -> dict[Key, FollowedJob]:
        """Return the jobs of one provider."""
        return {key: job for key, job in self._open.items() if job.provider == provider}

    def restore(self, key: Key, job: FollowedJob | int) -> None:
        """Take back what was stored: a job, or when one was over."""
        if isinstance(job, int):
            self.over[key] = job
        elif job.provider in self._providers:
            self._open[key] = job

    def take(self, event: Event, now: int) -> None:
        """Take one event of the log, `now` the log's time of it; all but those of jobs pass by."""
        data = event.data
        if not isinstance(data, Job):
            return
        key = (event.partitionkey, data.job_id)
        if key in self.over:
            return
        job = self._open.get(key)
        if job is not None:
            job.take(event, data, now)
        elif self._is_ours(event, data):
            job = self._open[key] = begin(event, data, now)
        else:
            return
        self.changed.add(key)
        if job.ended and job.billed:
            self.finish(key, now)
        elif len(self._open) > self._limit:
            self._give_up(self._least_urgent(), now)

    def finish(self, key: Key, now: int) -> None:
        """Follow a job no longer: all is known of it, or nobody knows more."""
        self._open.pop(key, None)
        self.over[key] = now
        self.changed.add(key)

    def expire(self, now: int) -> None:
        """Give up what took too long, and forget what was over long ago."""
        for key, job in list(self._open.items()):
            if job.ended and now - job.since >= BILLED_WITHIN:
                self.finish(key, now)
            elif now - job.first >= FOLLOWED_FOR:
                self._give_up(key, now)
        surplus = len(self.over) - MAX_OVER
        for key, since in list(self.over.items()):
            if surplus <= 0 and now - since < OVER_KEPT:
                break
            surplus -= 1
            del self.over[key]
            self.changed.add(key)

    def _is_ours(self, event: Event, data: Job) -> bool:
        return (
            data.provider in self._providers
            and data.provider_job_id is not None
            and not event.source.startswith(SOURCE)
            and self._serves(data.provider, Asked(job_id=data.provider_job_id, backend=data.backend))
        )

    def _least_urgent(self) -> Key:
        return min(self._open, key=lambda key: (not self._open[key].ended, self._open[key].first, key))

    def _give_up(self, key: Key, now: int) -> None:
        self.given_up += 1
        self.finish(key, now)
