"""What `doctor` says of a target `mqtt://…` in the environment: whether programs here can send to it."""

from collections.abc import Iterator, Mapping

from qml_daemon.shipping.report import Line
from quantum_mlops.config.mqtt_address import TARGETS, parse_mqtt_address
from quantum_mlops.errors import ConfigError, PermanentError, RetryableError
from quantum_mlops.shipping.connection import find_exposed
from quantum_mlops.shipping.mqtt.client import MqttClient


def report_mqtt(environ: Mapping[str, str]) -> Iterator[Line]:
    """Yield one line where QML_TARGET is an MQTT broker. Connects to it: blocks for 20 s at most, sends nothing."""
    target = environ.get("QML_TARGET", "")
    if not target.startswith(TARGETS):
        return
    try:
        address = parse_mqtt_address(target)
    except ConfigError as error:
        yield "target", "fail", f"QML_TARGET: {error}"
        return
    client = MqttClient(address, environ)
    try:
        limits = client.check()
    except PermanentError as error:
        yield "target", "fail", f"{address} {error}"
    except RetryableError as error:
        yield "target", "note", f"{address} {error}; programs keep their events in the spool meanwhile"
    else:
        most = limits.maximum_packet_bytes
        size = "" if most is None else f", messages of up to {most} bytes"
        exposed = find_exposed(address, environ)
        yield "target", "note" if exposed else "ok", exposed or f"{address}: lets this user in{size}"
    finally:
        client.close()
