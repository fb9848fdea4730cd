"""The Slack notifier: posts to an incoming webhook, one message a second, and says whether to try again.

The address is a secret: it is read from a file and appears in no error and no log.

Source: Slack API documentation, "Sending messages using incoming webhooks", "Rate limits"; RFC 9110, 10.2.3.
"""

import hashlib
import ipaddress
import logging
import time
from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import ClassVar

import httpx
import msgspec
from msgspec import Struct

from qml_daemon.notification import Notification
from qml_daemon.notifiers.base import Pace
from qml_daemon.notifiers.slack.message import build_message
from quantum_mlops.config.duration import Duration, parse_duration
from quantum_mlops.errors import ConfigError, PermanentError, RetryableError

MAX_ANSWER_BYTES = 1024
_TOO_MANY = 429
_TIMED_OUT = 408
_SERVER_ERROR = 500

# At INFO httpx writes the address of every request, which here is the secret.
logging.getLogger("httpx").setLevel(logging.WARNING)


class SlackSettings(Struct, frozen=True, kw_only=True):
    """`url_file` holds the webhook's address; `timeout` bounds one attempt."""

    url_file: str
    timeout: Duration = "10s"


class SlackNotifier:
    """One incoming webhook.

    Raises:
        ConfigError: the file cannot be read or holds no webhook's address; the message does not hold it either.

    """

    settings: ClassVar[type[Struct]] = SlackSettings

    def __init__(self, settings: SlackSettings, clock: Callable[[], float] = time.time) -> None:
        self._url = _read_url(Path(settings.url_file))
        self._clock = clock
        self._timeout_seconds = parse_duration(settings.timeout) / 1e9
        self._client: httpx.Client | None = None
        self.lane = f"slack {hashlib.sha256(self._url.encode()).hexdigest()[:8]}"
        self.pace: Pace | None = Pace(rate=1.0, burst=3)

    def send(self, notifications: Sequence[Notification]) -> None:
        """See `Notifier.send`. Redirects are refused: they would carry the message elsewhere."""
        if self._client is None:
            self._client = httpx.Client(timeout=self._timeout_seconds, follow_redirects=False)
        body = msgspec.json.encode(build_message(notifications))
        try:
            status, retry_after, answer = self._post(self._client, body)
        except httpx.TimeoutException:
            raise RetryableError(f"no answer within {self._timeout_seconds:g} s") from None
        except httpx.HTTPError as error:
            raise RetryableError(f"no connection ({type(error).__name__})") from None
        if 200 <= status < 300:  # noqa: PLR2004 - HTTP's classes
            return
        if status == _TOO_MANY:
            raise RetryableError("429: too many messages", self._seconds(retry_after))
        if status >= _SERVER_ERROR or status == _TIMED_OUT:
            raise RetryableError(f"{status}: {answer}", self._seconds(retry_after))
        raise PermanentError(f"{status}: {answer}")

    def close(self) -> None:
        """See `Notifier.close`."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _post(self, client: httpx.Client, body: bytes) -> tuple[int, str | None, str]:
        deadline = time.monotonic() + self._timeout_seconds
        headers = {"Content-Type": "application/json; charset=utf-8"}
        with client.stream("POST", self._url, content=body, headers=headers) as response:
            answer = b""
            for chunk in response.iter_raw(MAX_ANSWER_BYTES):
                answer += chunk
                if len(answer) >= MAX_ANSWER_BYTES or time.monotonic() > deadline:
                    break
            text = " ".join(answer[:100].decode("utf-8", "replace").split()) or response.reason_phrase
            return response.status_code, response.headers.get("Retry-After"), text.replace(self._url, "<url>")

    def _seconds(self, retry_after: str | None) -> float | None:
        """Return the seconds of a Retry-After header, which may be a number or a date."""
        if retry_after is None:
            return None
        if retry_after.strip().isdecimal():
            return float(retry_after[:9])
        try:
            return max(0.0, parsedate_to_datetime(retry_after).timestamp() - self._clock())
        except ValueError:
            return None


def _read_url(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(f"cannot read {path}: {reason}") from None
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.host and (url.scheme == "https" or (url.scheme == "http" and _is_loopback(url.host))):
        return text
    raise ConfigError(f"{path} holds no address like https://hooks.slack.com/services/… (http only on this machine)")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
