"""Posts to one receiver by HTTP: bounded in time and size, and without a trace in memory."""

import logging
import time
from collections.abc import Mapping

import httpx
from msgspec import Struct

from quantum_mlops.errors import RetryableError

# At INFO httpx writes the address of every request, which may be a secret.
logging.getLogger("httpx").setLevel(logging.WARNING)


class Answer(Struct, frozen=True):
    """What a receiver said: at most `most_bytes` of it and a little. Names of `headers` are in lower case."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


class Poster:
    """One connection that stays open. Redirects are not followed: they would carry the message elsewhere.

    Not thread-safe; blocks at most about `timeout_seconds`.
    """

    def __init__(self, timeout_seconds: float, most_bytes: int = 1024) -> None:
        self._timeout_seconds = timeout_seconds
        self._most_bytes = most_bytes
        self._client: httpx.Client | None = None

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send and return the answer, whatever its status.

        Raises:
            RetryableError: there was none in time, or no connection; the address is not in the message.

        """
        if self._client is None:
            self._client = httpx.Client(timeout=self._timeout_seconds, follow_redirects=False)
        try:
            return self._exchange(self._client, url, body, headers)
        except httpx.TimeoutException:
            raise RetryableError(f"no answer within {self._timeout_seconds:g} s") from None
        except httpx.HTTPError as error:
            raise RetryableError(f"no connection ({type(error).__name__})") from None

    def close(self) -> None:
        """Close the connection; idempotent."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _exchange(self, client: httpx.Client, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        deadline = time.monotonic() + self._timeout_seconds
        read = b""
        with client.stream("POST", url, content=body, headers=dict(headers)) as response:
            for chunk in response.iter_raw(self._most_bytes):
                read += chunk
                if len(read) >= self._most_bytes or time.monotonic() > deadline:
                    break
        # Response and stream hold each other, and the daemon's collector looks seldom: 8 KiB a message until then.
        response.stream = httpx.ByteStream(b"")
        return Answer(response.status_code, response.reason_phrase, dict(response.headers), read)
