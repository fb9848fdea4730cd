"""The Alertmanager notifier: posts alerts to the v2 API of a Prometheus Alertmanager.

Alertmanager forgets an alert that nobody repeats, and all of them when it restarts. So a firing alert is sent
with an end in the future (`expires`) and sent again at the route's `repeat_interval`; `expires` should be
three times that. An end is sent at once, and like everything waits in the outbox until it was taken.

Source: Alertmanager, api/v2/openapi.yaml (postAlerts); documentation, "Sending alerts".
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import httpx
import msgspec
from msgspec import Meta, Struct

from qml_daemon.alert import Alert
from qml_daemon.http.address import is_loopback
from qml_daemon.notification import Notification
from qml_daemon.notifiers.base import Pace
from qml_daemon.notifiers.poster import Poster
from quantum_mlops.clock import Clock, system_clock
from quantum_mlops.config.duration import Duration, parse_duration
from quantum_mlops.errors import ConfigError, PermanentError, RetryableError
from quantum_mlops.timestamps import format_time

MOST_REMEMBERED = 10_000
MAX_ANSWER_BYTES = 1024
_RETRIED = frozenset({408, 425, 429})
_LABEL = re.compile(r"[^a-zA-Z0-9_]")


class AlertmanagerSettings(Struct, frozen=True, kw_only=True):
    """`url` is the server's address up to `/api`; `expires` the end of an alert that is not sent again."""

    url: Annotated[str, Meta(min_length=1, max_length=2048)]
    bearer_token_file: str | None = None
    expires: Duration = "12h"
    timeout: Duration = "10s"


class AlertmanagerNotifier:
    """One Alertmanager. Sending the same alert twice is one alert there.

    Raises:
        ConfigError: `url` is no address or holds a password, the token cannot be read, or would travel in clear.

    """

    settings: ClassVar[type[Struct]] = AlertmanagerSettings

    def __init__(self, settings: AlertmanagerSettings, clock: Clock = system_clock) -> None:
        self._url = _check_url(settings)
        self._headers = {"Content-Type": "application/json"} | _authorize(settings)
        self._expires = parse_duration(settings.expires)
        self._poster = Poster(parse_duration(settings.timeout) / 1e9, MAX_ANSWER_BYTES)
        self._clock = clock
        self._severities: OrderedDict[str, str] = OrderedDict()
        self.lane = f"alertmanager {hashlib.sha256(self._url.encode()).hexdigest()[:8]}"
        self.pace: Pace | None = Pace(rate=5.0, burst=10)

    def send(self, notifications: Sequence[Notification]) -> None:
        """See `Notifier.send`."""
        alerts = [alert for notification in notifications for alert in notification.alerts]
        body = msgspec.json.encode([one for alert in alerts for one in self._describe(alert)])
        answer = self._poster.post(self._url, body, self._headers)
        status, said = answer.status, " ".join(answer.body[:200].decode("utf-8", "replace").split())
        if status in _RETRIED or status >= 500:  # noqa: PLR2004 - HTTP's classes
            raise RetryableError(f"{status}: {said}")
        if not 200 <= status < 300:  # noqa: PLR2004
            raise PermanentError(f"{status}: {said}")
        for alert in alerts:
            self._remember(alert)

    def close(self) -> None:
        """See `Notifier.close`."""
        self._poster.close()

    def _describe(self, alert: Alert) -> list[dict[str, Any]]:
        """Return the alert, and where its severity changed the end of what it was: the labels are its identity."""
        now = self._clock()
        ends = (alert.ends or now) if alert.status == "resolved" else now + self._expires
        told = [make_alert(alert, alert.severity, ends)]
        before = self._severities.get(alert.fingerprint)
        if before is not None and before != alert.severity:
            told.append(make_alert(alert, before, now))
        return told

    def _remember(self, alert: Alert) -> None:
        self._severities.pop(alert.fingerprint, None)
        if alert.status == "firing":
            self._severities[alert.fingerprint] = alert.severity
            if len(self._severities) > MOST_REMEMBERED:
                self._severities.popitem(last=False)


def make_alert(alert: Alert, severity: str, ends: int) -> dict[str, Any]:
    """Return an alert in the API's shape; `ends` is nanoseconds UTC. An empty label is none, as everywhere there.

    >>> alert = Alert(key="k", fingerprint="k", finding_id="f", status="firing", rule="LowAccuracy/below",
    ...               severity="warning", starts=0, updated=0, labels={"run-id": "r1", "backend": ""})
    >>> make_alert(alert, "critical", 60 * 10**9)["labels"]
    {'run_id': 'r1', 'alertname': 'LowAccuracy/below', 'severity': 'critical'}
    """
    labels = {_label(name): value for name, value in sorted(alert.labels.items()) if value}
    values = {f"value_{_label(name)}": f"{value:.6g}" for name, value in sorted(alert.values.items())}
    annotations = {_label(name): text for name, text in alert.annotations.items()} | values
    annotations |= {} if alert.link is None else {"runbook_url": alert.link}
    return {
        "labels": labels | {"alertname": alert.rule, "severity": severity},
        "annotations": annotations | {"finding_id": alert.finding_id},
        "startsAt": format_time(min(alert.starts, ends)),
        "endsAt": format_time(ends),
    }


def _label(name: str) -> str:
    """Return a name that Alertmanager takes."""
    fitted = _LABEL.sub("_", name)
    return f"_{fitted}" if not fitted or fitted[0].isdigit() else fitted


def _check_url(settings: AlertmanagerSettings) -> str:
    try:
        url = httpx.URL(settings.url)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in {"http", "https"} or not url.host or url.query or url.fragment:
        raise ConfigError("url is no address like http://127.0.0.1:9093")
    if url.userinfo:
        raise ConfigError("url holds a password; write a token to a file and name that with bearer_token_file")
    if settings.bearer_token_file is not None and url.scheme == "http" and not is_loopback(url.host):
        raise ConfigError("the token would travel in clear: use https, or leave bearer_token_file out")
    return f"{str(url).rstrip('/')}/api/v2/alerts"


def _authorize(settings: AlertmanagerSettings) -> dict[str, str]:
    if settings.bearer_token_file is None:
        return {}
    path = Path(settings.bearer_token_file)
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not ASCII"
        raise ConfigError(f"cannot read {path}: {reason}") from None
    if not token or not token.isprintable():
        raise ConfigError(f"{path} holds no token in one line")
    return {"Authorization": f"Bearer {token}"}
