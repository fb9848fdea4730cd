"""What the follower counts of one provider."""

from msgspec import Struct

from qml_daemon.following.status import ProviderStatus
from qml_producers.following.followed import FollowedJob
from quantum_mlops.clock import SECOND


class ProviderTally(Struct):
    """Counts since the start; see `ProviderStatus`. `abandoned` counts calls that did not return."""

    looks: int = 0
    refusals: int = 0
    errors: int = 0
    abandoned: int = 0
    last_look: int | None = None
    last_error: str | None = None
    last_error_time: int | None = None
    asked_again: int | None = None
    closed: str | None = None

    def answered(self, now: int) -> None:
        """Note an answer."""
        self.looks += 1
        self.last_look, self.closed, self.asked_again = now, None, None

    def refused(self, reason: str, now: int) -> bool:
        """Note that a job is not known, or not told of; return whether the reason is another than last time."""
        self.answered(now)
        self.refusals += 1
        return self._blame(reason, now)

    def failed(self, reason: str, now: int, pause_seconds: float) -> bool:
        """Note a call that failed; return whether the reason is another than last time."""
        self.errors += 1
        self.asked_again = now + round(pause_seconds * SECOND)
        return self._blame(reason, now)

    def status(self, jobs: list[FollowedJob]) -> ProviderStatus:
        """Return the figures of this moment."""
        return ProviderStatus(
            open_jobs=sum(not job.ended for job in jobs),
            unbilled_jobs=sum(job.ended for job in jobs),
            looks=self.looks,
            refusals=self.refusals,
            errors=self.errors,
            last_look=self.last_look,
            last_error=self.last_error,
            last_error_time=self.last_error_time,
            asked_again=self.asked_again,
            closed=self.closed,
        )

    def _blame(self, reason: str, now: int) -> bool:
        is_new = reason != self.last_error
        self.last_error, self.last_error_time = reason, now
        return is_new
