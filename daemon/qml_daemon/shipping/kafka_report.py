"""What `doctor` says of a target `kafka://…` in the environment: whether programs here can send to it."""

from collections.abc import Iterator, Mapping

from qml_daemon.shipping.report import Line
from quantum_mlops.errors import ConfigError, PermanentError, RetryableError
from quantum_mlops.shipping.kafka.address import SCHEME, parse_kafka_address
from quantum_mlops.shipping.kafka.client import KafkaClient


def report_kafka(environ: Mapping[str, str]) -> Iterator[Line]:
    """Yield one line where QML_TARGET is a Kafka cluster. Connects to it: blocks for 10 s at most, sends nothing."""
    target = environ.get("QML_TARGET", "")
    if not target.startswith(f"{SCHEME}://"):
        return
    try:
        address = parse_kafka_address(target)
    except ConfigError as error:
        yield "target", "fail", f"QML_TARGET: {error}"
        return
    client = KafkaClient(address, environ)
    try:
        topic, partitions = client.check()
    except PermanentError as error:
        yield "target", "fail", f"{address} {error}"
    except RetryableError as error:
        yield "target", "note", f"{address} {error}; programs keep their events in the spool meanwhile"
    else:
        yield "target", "ok", f"{address}: {topic}, {partitions} partitions"
    finally:
        client.close()
