"""The door to Amazon Braket for those who ask with credentials of their own: the follower and the calibration poller.

It asks as AwsSession does, with two tries and no waiting inside; what is denied or throttled is the caller's to time.
boto3 takes the credentials where it always does. Imports no SDK until a door is opened.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Self

from msgspec.structs import replace

from qml_producers.braket.statuses import is_reserved, sight_of
from qml_producers.calibrations.braket import columns_of_device
from qml_producers.observing.door import Asked, Sight
from qml_producers.prices import Prices, Use, cost_of, open_for_host
from quantum_mlops.errors import ConfigError, PermanentError, RetryableError
from quantum_mlops.events import CalibrationColumn, Cost

_REGION = 3  # the place of the region in an ARN
_PERMANENT = range(400, 500)
_RETRYABLE_STATUSES = frozenset({408, 429})
_RETRYABLE_CODES = frozenset({"ThrottlingException", "RequestTimeout", "TooManyRequestsException", "SlowDown"})


class BraketDoor:
    """One client for each region, opened when it is first needed. For one thread; see `observing.door.Door`."""

    provider = "braket"

    def __init__(self, session: Any, prices: Prices, timeout_seconds: float, endpoint: str | None) -> None:
        self._session = session
        self._prices = prices
        self._timeout_seconds = timeout_seconds
        self._endpoint = endpoint
        self._clients: dict[str, Any] = {}

    @classmethod
    def open(cls, environ: Mapping[str, str], timeout_seconds: float) -> Self:
        """Return the door with the credentials that boto3 finds.

        Raises:
            ConfigError: there are none, or boto3 is not installed.

        """
        try:
            import boto3  # noqa: PLC0415 - 0.2 s, and only for those who follow Braket
            from botocore.exceptions import BotoCoreError  # noqa: PLC0415
        except ImportError as error:
            raise ConfigError("following Amazon Braket needs its SDK: pip install 'quantum-mlops[braket]'") from error
        try:
            session = boto3.Session(
                aws_access_key_id=environ.get("AWS_ACCESS_KEY_ID"),
                aws_secret_access_key=environ.get("AWS_SECRET_ACCESS_KEY"),
                aws_session_token=environ.get("AWS_SESSION_TOKEN"),
                profile_name=environ.get("AWS_PROFILE"),
                region_name=environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION"),
            )
            found = session.get_credentials()
        except (BotoCoreError, ValueError) as error:  # no such profile, half a key, a file that cannot be read
            raise ConfigError(f"AWS credentials: {error}") from error
        if found is None:
            raise ConfigError(
                "no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this "
                "machine a role; braket:GetQuantumTask and braket:GetDevice are all that is asked"
            )
        return cls(session, open_for_host(environ), timeout_seconds, environ.get("BRAKET_ENDPOINT"))

    @staticmethod
    def serves(job: Asked) -> bool:
        """Return whether a job is a task of the service, and not of a simulator on the user's machine."""
        return ":quantum-task/" in job.job_id

    @staticmethod
    def offers(backend: str) -> bool:
        """Return whether a backend is a device of the service, and not a simulator on the user's machine."""
        return backend.startswith("arn:")

    def look(self, job: Asked) -> Sight:
        """Return what Amazon Braket says of a task. Raises RetryableError or PermanentError."""
        if not self.serves(job):
            raise PermanentError(f"{job.job_id} is no quantum task of Amazon Braket")
        client = self._client(job.job_id)
        response = _ask(
            lambda: client.get_quantum_task(quantumTaskArn=job.job_id, additionalAttributeNames=["QueueInfo"])
        )
        if "status" not in response:  # botocore makes nothing of half a document, and does not say so
            raise RetryableError(f"Amazon Braket's answer about {job.job_id} cannot be read")
        sight = sight_of(response)
        cost = self._cost(response, sight)
        return sight if cost is None else replace(sight, cost=cost)

    def calibration(self, backend: str) -> Sequence[CalibrationColumn]:
        """Return the values that a device publishes, read anew; empty where it has none. Raises as `look`."""
        return columns_of_device(self._capabilities(backend))

    def close(self) -> None:
        """Let go of connections; idempotent."""
        while self._clients:
            self._clients.popitem()[1].close()

    def _capabilities(self, backend: str) -> dict[str, Any]:
        client = self._client(backend)
        response = _ask(lambda: client.get_device(deviceArn=backend))
        try:
            found = json.loads(response["deviceCapabilities"])
        except (KeyError, TypeError, ValueError) as error:
            raise RetryableError(f"Amazon Braket's answer about {backend} cannot be read") from error
        return found if isinstance(found, dict) else {}

    def _cost(self, response: Mapping[str, Any], sight: Sight) -> Cost | None:
        """What the books say; a simulator's seconds stand in its result, which is not ours to read."""
        shots, executed = response.get("shots"), response.get("numSuccessfulShots")
        if is_reserved(response) or sight.status == "unknown":
            return None
        use = Use(
            provider=self.provider,
            device=str(response.get("deviceArn")),
            at=datetime.now(UTC),
            shots=executed if sight.status == "completed" and isinstance(executed, int) else shots,
        )
        return cost_of(self._prices, use, sight.status)

    def _client(self, arn: str) -> Any:
        """The client of the region in which an ARN's resource lives; simulators have none of their own."""
        from botocore.config import Config  # noqa: PLC0415

        parts = arn.split(":")
        region = (parts[_REGION] if len(parts) > _REGION else "") or self._session.region_name or "us-east-1"
        known = self._clients.get(region)
        if known is None:
            config = Config(
                connect_timeout=self._timeout_seconds / 2,
                read_timeout=self._timeout_seconds / 2,
                retries={"total_max_attempts": 1, "mode": "standard"},
                user_agent_extra="quantum-mlops",
            )
            known = self._clients[region] = self._session.client(
                "braket", region_name=region, endpoint_url=self._endpoint, config=config
            )
        return known


def _ask(request: Any) -> Any:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        return request()
    except ClientError as error:
        raise _told(error) from error
    except BotoCoreError as error:  # no connection, no answer in time, half an answer
        raise RetryableError(f"Amazon Braket does not answer: {type(error).__name__}") from error


def _told(error: Any) -> RetryableError | PermanentError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    metadata = error.response.get("ResponseMetadata", {})
    status = metadata.get("HTTPStatusCode", 0)
    text = f"Amazon Braket answers {status} {code}".rstrip()
    if status in _PERMANENT and status not in _RETRYABLE_STATUSES and code not in _RETRYABLE_CODES:
        return PermanentError(text)
    return RetryableError(text, _seconds(metadata.get("HTTPHeaders", {}).get("retry-after")))


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() else None
