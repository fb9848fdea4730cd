"""What `doctor` says of a log on Kafka: whether it answers, and has the topics that it must have."""

import time
from collections.abc import Iterator
from typing import Literal

from qml_daemon.kafka.access import kafka_settings, open_kafka
from quantum_mlops.clock import SECOND
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import QuantumMlopsError

CLOCK_SECONDS = 60

Line = tuple[str, Literal["ok", "note", "fail"], str]


def report_log(config: Config) -> Iterator[Line]:
    """Yield what is to be said; writes nothing. Blocks for as long as brokers that do not answer are waited for."""
    try:
        settings = kafka_settings(config)
        log = open_kafka(settings, "doctor")
    except QuantumMlopsError as error:
        yield "log", "fail", str(error)
        return
    try:
        place = f"Kafka at {settings.servers}, topics {settings.topic_prefix}*, {log.partitions} partitions"
        yield "log", "ok", f"{place}; owners and lag: quantum-mlops kafka status"
        ahead = log.latest_time() - time.time_ns()
        if ahead > CLOCK_SECONDS * SECOND:
            text = f"the log is {ahead / SECOND:.0f} s ahead of this machine; check the time services"
            yield "clock", "fail", text
        else:
            yield "clock", "ok", "not behind the log"
    except QuantumMlopsError as error:
        yield "log", "fail", str(error)
    finally:
        log.close()
