"""The entry point `quantum_mlops.backends`: ionq. Jobs and characterizations of one account, by API v0.4 or v0.3."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

from msgspec.structs import replace

from qml_producers.calibrations.ionq import columns_of_characterization
from qml_producers.ionq.documents import cost_of, is_billed, sight_of
from qml_producers.observing.door import Asked, Sight
from quantum_mlops.errors import ConfigError, PermanentError, RetryableError
from quantum_mlops.events import CalibrationColumn
from quantum_mlops.events.job_status import TERMINAL_STATUSES

if TYPE_CHECKING:
    from qml_producers.ionq.api import Api

KEYS = ("QISKIT_IONQ_API_TOKEN", "IONQ_API_KEY", "IONQ_API_TOKEN")
URLS = ("QISKIT_IONQ_API_URL", "IONQ_API_URL")
DEFAULT_URL = "https://api.ionq.co/v0.4"
_MOST_ESTIMATED = 10_000


class IonqDoor:
    """See `qml_producers.observing.door.Door`. For one thread; `Asked.backend` needs not be known."""

    provider = "ionq"

    def __init__(self, api: "Api", *, is_v03: bool = False) -> None:
        self._api = api
        self._is_v03 = is_v03
        self._estimated: dict[str, None] = {}

    @classmethod
    def open(cls, environ: Mapping[str, str], timeout_seconds: float) -> Self:
        """Return the door with the key and the address that qiskit-ionq takes from the environment (not from .env).

        Raises:
            ConfigError: there is no key, the address is none, or httpx is not installed.

        """
        key = next((environ[name] for name in KEYS if environ.get(name)), None)
        if key is None:
            raise ConfigError("ionq: no API key; set IONQ_API_KEY to one of cloud.ionq.com")
        url = next((environ[name] for name in URLS if environ.get(name)), DEFAULT_URL).rstrip("/")
        if not url.startswith(("https://", "http://")):
            raise ConfigError(f"ionq: IONQ_API_URL is no http address; leave it out or write it like {DEFAULT_URL}")
        if not (key.isascii() and key.isprintable()):
            raise ConfigError("ionq: the API key holds characters that none has; set IONQ_API_KEY anew")
        try:
            from qml_producers.ionq.api import Api  # noqa: PLC0415 - loads httpx
        except ModuleNotFoundError as error:
            raise ConfigError(f'ionq: {error.name} is not installed; pip install "quantum-mlops[daemon]"') from error
        return cls(Api(url, key, timeout_seconds), is_v03=url.endswith("/v0.3"))

    def look(self, job: Asked) -> Sight:
        """Return what IonQ says of a job; of its cost once while it goes on, and at each look when it has ended."""
        document = self._api.get("jobs", job.job_id)
        sight = sight_of(document)
        has_ended = sight.status in TERMINAL_STATUSES
        if self._is_v03:
            return replace(sight, is_billed=sight.cost is not None)
        if not has_ended and job.job_id in self._estimated:
            return sight
        try:
            said = self._api.get("jobs", job.job_id, "cost")
        except PermanentError:  # a key may read jobs and not costs: then they are unknown
            said = {}
        except RetryableError as error:
            if error.retry_after_seconds is not None:
                raise
            return sight  # the cost does not stand in the way of the status
        self._note(job.job_id)
        billed = has_ended and is_billed(document, said, sight.status)
        return replace(sight, cost=cost_of(said, sight.status), is_billed=billed)

    def calibration(self, backend: str) -> Sequence[CalibrationColumn]:
        """Return the newest characterization; none of a simulator."""
        name = backend.removeprefix("ionq_")
        if not name.startswith("qpu"):
            return []
        if self._is_v03:
            return columns_of_characterization(self._api.get("characterizations", "backends", name, "current"))
        found = self._api.get("backends", name, "characterizations", limit="1").get("characterizations")
        newest = found[0] if isinstance(found, list) and found else None
        return columns_of_characterization(newest) if isinstance(newest, Mapping) else []

    def close(self) -> None:
        """Let go of the connection; idempotent."""
        self._api.close()

    def _note(self, job_id: str) -> None:
        self._estimated[job_id] = None
        if len(self._estimated) > _MOST_ESTIMATED:
            del self._estimated[next(iter(self._estimated))]
