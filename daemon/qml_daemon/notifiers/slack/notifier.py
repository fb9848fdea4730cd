"""The Slack notifier: posts to an incoming webhook, one message a second, and says whether to try again.

The address is a secret: it is read from a file and appears in no error and no log.

Source: Slack API documentation, "Sending messages using incoming webhooks", "Rate limits"; RFC 9110, 10.2.3.
"""

import hashlib
import ipaddress
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
from qml_daemon.notifiers.poster import Poster
from qml_daemon.notifiers.slack.message import build_message
from quantum_mlops.config.duration import Duration, parse_duration
from quantum_mlops.errors import ConfigError, PermanentError, RetryableError

_HEADERS = {"Content-Type": "application/json; charset=utf-8"}
_TOO_MANY = 429
_TIMED_OUT = 408
_SERVER_ERROR = 500


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
        self._poster = Poster(parse_duration(settings.timeout) / 1e9)
        self.lane = f"slack {hashlib.sha256(self._url.encode()).hexdigest()[:8]}"
        self.pace: Pace | None = Pace(rate=1.0, burst=3)

    def send(self, notifications: Sequence[Notification]) -> None:
        """See `Notifier.send`."""
        body = msgspec.json.encode(build_message(notifications))
        answer = self._poster.post(self._url, body, _HEADERS)
        status, retry_after = answer.status, answer.headers.get("retry-after")
        said = " ".join(answer.body[:100].decode("utf-8", "replace").split()) or answer.reason
        said = said.replace(self._url, "<url>")
        if 200 <= status < 300:  # noqa: PLR2004 - HTTP's classes
            return
        if status == _TOO_MANY:
            raise RetryableError("429: too many messages", self._seconds(retry_after))
        if status >= _SERVER_ERROR or status == _TIMED_OUT:
            raise RetryableError(f"{status}: {said}", self._seconds(retry_after))
        raise PermanentError(f"{status}: {said}")

    def close(self) -> None:
        """See `Notifier.close`."""
        self._poster.close()

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
