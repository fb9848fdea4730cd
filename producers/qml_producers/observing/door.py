"""The door to one provider: its jobs and calibrations, asked for with the service's own credentials.

Found through the entry point group `quantum_mlops.backends`. The follower asks for jobs whose trainer is gone, the
poller for calibrations; neither knows a provider. The module of a door is imported whether or not its SDK is
installed, and therefore imports none itself.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, Self

from msgspec import Struct

from quantum_mlops.events import CalibrationColumn, Cost, Failure, ProviderTimes

GROUP = "quantum_mlops.backends"


class Asked(Struct, frozen=True, kw_only=True):
    """A job as its provider knows it: `job_id` is the provider's own."""

    job_id: str
    backend: str | None = None
    shots_requested: int | None = None


class Sight(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a provider says of one job now.

    `status` is one of `quantum_mlops.events.job_status.STATUSES`; what the provider says in words that we do not
    know is "unknown", with its words in `status_text`. `is_billed` tells that `cost.final` or `qpu_seconds` will
    not change any more.
    """

    status: str
    status_text: str | None = None
    times: ProviderTimes | None = None
    shots_executed: int | None = None
    queue_position: int | None = None
    pending_jobs: int | None = None
    qpu_seconds: float | None = None
    queue_seconds: float | None = None
    predicted_queue_seconds: float | None = None
    predicted_execution_seconds: float | None = None
    cost: Cost | None = None
    failure: Failure | None = None
    is_billed: bool = False


class Door(Protocol):
    """One provider. Blocks for at most `timeout_seconds` a call; for one thread.

    A class may have `serves(job: Asked) -> bool`, a static method that asks nobody: whether a job is one of the
    service at all, and not of a simulator in the SDK. Without it all are. Likewise `offers(backend: str) -> bool`:
    whether a backend of a job is a device of the service, whose calibration can be asked for.
    """

    provider: str
    """What `Job.provider` says: "ibm", "braket", "ionq"."""

    @classmethod
    def open(cls, environ: Mapping[str, str], timeout_seconds: float) -> Self:
        """Return the door with the credentials that the provider's own SDK would take.

        Raises:
            ConfigError: there are none, or the SDK is not installed; the message names the mend and holds no secret.

        """
        ...

    def look(self, job: Asked) -> Sight:
        """Return what the provider says of a job. Never reads a result.

        Raises:
            RetryableError: later, with what Retry-After says.
            PermanentError: not with these credentials, or there is no such job.

        """
        ...

    def calibration(self, backend: str) -> Sequence[CalibrationColumn]:
        """Return the values in force now, read anew; empty where the provider publishes none. Raises as `look`."""
        ...

    def close(self) -> None:
        """Let go of connections; idempotent."""
        ...
