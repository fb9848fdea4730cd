"""The address of an MQTT broker, `mqtt://host:1883` or `mqtts://host:8883`, and the topics of events on it.

No secret stands in an address: who one is says the environment (`QML_MQTT_…`) or `[mqtt]` of the configuration.
A project is one level of a topic; what would part levels or match others in its name is percent-encoded.
"""

import ipaddress
import re
from urllib.parse import unquote_to_bytes, urlsplit

from msgspec import Struct

from quantum_mlops.errors import ConfigError

SCHEMES = {"mqtt": 1883, "mqtts": 8883}
TARGETS = tuple(f"{scheme}://" for scheme in SCHEMES)
_EXAMPLE = "mqtt://host:1883 or mqtts://host:8883"
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+", re.ASCII)
_TOPIC = re.compile(r"qml/v1/([^/+#\0]+)/events")
_FILTER = re.compile(r"qml/v1/(\+|[^/+#\0]+)/events")
_MEANS_SOMETHING = re.compile(r"[%/+#\x00-\x1f\x7f-\x9f]")
_MAX_PROJECT = 512


class MqttAddress(Struct, frozen=True):
    """Where the events go.

    >>> str(MqttAddress("mqtts", "broker.lab", 8883)), MqttAddress("mqtt", "::1", 1883).is_loopback
    ('mqtts://broker.lab:8883', True)
    """

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def identity(self) -> str:
        """What tells this broker from others."""
        return str(self)

    @property
    def uses_tls(self) -> bool:
        """Whether what is sent is encrypted."""
        return self.scheme == "mqtts"

    @property
    def is_open(self) -> bool:
        """Whether others can read on the wire what is sent."""
        return not self.uses_tls and not self.is_loopback

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine, as far as its name says."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_mqtt_address(
    text: str, key: str = "target", mend: str = "set QML_MQTT_USER and QML_MQTT_PASSWORD_FILE"
) -> MqttAddress:
    """Return the address in `mqtt://host[:1883]` or `mqtts://host[:8883]`.

    `key` begins each error, `mend` says where a user and a password belong.

    Raises:
        ConfigError: it is none, or it holds what does not belong there; a password is not repeated.

    >>> parse_mqtt_address("MQTTS://Broker.lab")
    MqttAddress(scheme='mqtts', host='broker.lab', port=8883)

    """
    if "@" in text:
        raise ConfigError(f"{key}: a secret does not belong into an address; {mend}")
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname or ""
    except ValueError as error:
        raise ConfigError(f"{key}: {error}; an address of MQTT looks like {_EXAMPLE}") from error
    if parts.scheme not in SCHEMES or not _HOST.fullmatch(host) or port == 0:
        raise ConfigError(f"{key}: {text[:100]!r} is no address of MQTT; it looks like {_EXAMPLE}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ConfigError(
            f"{key}: an address of MQTT has a host and a port and nothing after them, as in {_EXAMPLE}; "
            "the topic is made of the project"
        )
    return MqttAddress(parts.scheme, host, port or SCHEMES[parts.scheme])


def topic_of(project: str) -> str:
    """Return the topic of a project's events.

    >>> topic_of("iris"), topic_of("a/b+")
    ('qml/v1/iris/events', 'qml/v1/a%2Fb%2B/events')
    """
    level = _MEANS_SOMETHING.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), project)
    return f"qml/v1/{level}/events"


def project_of(topic: str) -> str | None:
    """Return whose events a topic carries; None where it is none of ours, or not written as `topic_of` does.

    One project has one spelling: what a broker's ACL allows for one name cannot be written for another.

    >>> project_of("qml/v1/a%2Fb%2B/events"), project_of("qml/v1/%61/events"), project_of("other")
    ('a/b+', None, None)
    """
    found = _TOPIC.fullmatch(topic)
    if found is None:
        return None
    try:
        project = unquote_to_bytes(found[1]).decode()
    except UnicodeDecodeError:
        return None
    return project if 0 < len(project) <= _MAX_PROJECT and topic_of(project) == topic else None


def is_events_filter(text: str) -> bool:
    """Return whether a topic filter matches topics of events and no others.

    >>> is_events_filter("qml/v1/+/events"), is_events_filter("qml/v1/iris/events"), is_events_filter("#")
    (True, True, False)
    """
    return _FILTER.fullmatch(text) is not None
