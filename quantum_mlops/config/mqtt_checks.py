"""What the types of `[mqtt]` cannot say: the address, the topics, and which settings of access belong together."""

import re
from collections.abc import Iterator

from quantum_mlops.clock import MINUTE, SECOND
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.mqtt_address import is_events_filter, parse_mqtt_address
from quantum_mlops.config.sections import Sections
from quantum_mlops.errors import ConfigError

LONGEST_EXPIRY_SECONDS = 0xFFFFFFFE
_CLIENT_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


def check_mqtt(sections: Sections) -> Iterator[str]:
    """Yield one line a mistake, with the path of its key."""
    mqtt = sections.mqtt
    if mqtt is None:
        return
    try:
        address = parse_mqtt_address(mqtt.url, "mqtt.url", "set mqtt.user and mqtt.password_file")
    except ConfigError as error:
        yield str(error)
    else:
        if mqtt.ca_file is not None and not address.uses_tls:
            yield f'mqtt.ca_file: is not used without TLS; set mqtt.url = "mqtts://{address.host}:8883"'
    if mqtt.password_file is not None and mqtt.user is None:
        yield "mqtt.user: a password needs its user"
    yield from _check_topics(mqtt.topics)
    if not _CLIENT_ID.fullmatch(mqtt.client_id):
        yield "mqtt.client_id: use letters, digits, ., _ and -, 1 to 128"
    expiry = parse_duration(mqtt.session_expiry)
    if not MINUTE <= expiry <= LONGEST_EXPIRY_SECONDS * SECOND:
        yield "mqtt.session_expiry: must be at least 1m, or the broker keeps nothing while the daemon is away"


def _check_topics(topics: list[str]) -> Iterator[str]:
    if not topics:
        yield 'mqtt.topics: name at least one, as in ["qml/v1/+/events"]'
    for index, topic in enumerate(topics):
        if not is_events_filter(topic):
            yield f'mqtt.topics[{index}]: {topic[:80]!r} is none of events; write it like "qml/v1/+/events"'
