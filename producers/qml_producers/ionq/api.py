"""IonQ's API by HTTP, read only: bounded in time and size, whatever the other side does.

Every timeout of an HTTP client is for one operation: who sends a byte now and then holds it forever. So each exchange
runs in an event loop of its own and is cancelled as a whole. Redirects are not followed: they would carry the key
elsewhere.
"""

import asyncio
import json
import logging
import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import httpx

from quantum_mlops.errors import PermanentError, RetryableError

# At INFO httpx writes the address of every request.
logging.getLogger("httpx").setLevel(logging.WARNING)

MOST_BYTES = 4 * 1024 * 1024
_LONGEST_RETRY_SECONDS = 3600.0
_LATER = frozenset({408, 409, 425, 429})
_REDIRECT, _REFUSED, _FAILED = 300, 400, 500
_CREDENTIALS = frozenset({401, 403})


class Api:
    """One connection that stays open. For one thread at a time, and none that runs an event loop.

    Args:
        url: With the version: "https://api.ionq.co/v0.4".
        key: Sent with each request, and in no message.
        timeout_seconds: The most that `get` takes; `close` waits for a look at the host's name to come back, which the
            system limits.

    """

    def __init__(self, url: str, key: str, timeout_seconds: float) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"apiKey {key}", "Accept-Encoding": "identity", "Accept": "application/json"}
        self._timeout_seconds = timeout_seconds
        self._runner = asyncio.Runner()
        self._client: httpx.AsyncClient | None = None

    def get(self, *parts: str, **parameters: str) -> Mapping[str, Any]:
        """Return the document at a path below the url.

        Raises:
            RetryableError: no answer in time, none that is whole, or one that says later.
            PermanentError: not with this key, or there is nothing of the kind.

        """
        path = "/".join(quote(part, safe="") for part in parts)
        try:
            status, headers, body = self._runner.run(self._exchange(f"{self._url}/{path}", parameters))
        except TimeoutError:
            raise RetryableError(f"IonQ: no answer within {self._timeout_seconds:g} s") from None
        except httpx.InvalidURL:
            raise PermanentError("IonQ: the address is none; is IONQ_API_URL right?") from None
        except httpx.HTTPError as error:
            raise RetryableError(f"IonQ: no connection ({type(error).__name__})") from None
        _check(status, headers, parts[0])
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            raise RetryableError("IonQ: an answer that is no JSON, or a part of one") from None
        if not isinstance(document, dict):
            raise RetryableError("IonQ: an answer that is no document")
        return document

    def close(self) -> None:
        """Close the connection; idempotent."""
        client, self._client = self._client, None
        if client is not None:
            self._runner.run(client.aclose())
        self._runner.close()

    async def _exchange(self, url: str, parameters: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self._timeout_seconds, follow_redirects=False)
        body = b""
        async with (
            asyncio.timeout(self._timeout_seconds),
            self._client.stream("GET", url, params=dict(parameters), headers=self._headers) as response,
        ):
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise RetryableError(f"IonQ: an answer over {MOST_BYTES // 1024**2} MiB")
        # Response and stream hold each other, and the daemon's collector looks seldom.
        response.stream = httpx.ByteStream(b"")
        return response.status_code, response.headers, body


def _check(status: int, headers: Mapping[str, str], what: str) -> None:
    if status in _LATER or status >= _FAILED:
        raise RetryableError(f"IonQ answered {status}", _retry_after(headers))
    if status >= _REFUSED:
        mend = "; is the API key right, and of the job's project?" if status in _CREDENTIALS else ""
        raise PermanentError(f"IonQ answered {status} for {what}{mend}")
    if status >= _REDIRECT:
        raise RetryableError(f"IonQ answered {status}, a redirect, which is not followed: is IONQ_API_URL right?")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, or the seconds until a date, within an hour; None where there is neither."""
    said = headers.get("retry-after", "")
    try:
        seconds = float(said)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(said).timestamp() - time.time()
        except (ValueError, TypeError):
            return None
    return None if math.isnan(seconds) else min(max(seconds, 0.0), _LONGEST_RETRY_SECONDS)
