"""Events through a real mosquitto to the log of a real daemon, and how soon one is there.

The broker is the one of docs/mqtt.md, on the same machine, and takes its share of it. The emitter is the client that
ships a spool, in a process of its own; the daemon has every processor at work. Where no mosquitto is installed all of
this is absent.
"""

import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]

from quantum_mlops.events import MetricLogged, type_name  # noqa: E402 - after the paths
from quantum_mlops.sdk.recorder import Recorder  # noqa: E402
from quantum_mlops.sdk.settings import read_settings  # noqa: E402
from quantum_mlops.transports.base import Stream  # noqa: E402
from quantum_mlops.transports.sqlite import SqliteLog  # noqa: E402
from tests.mosquitto import DAEMON, PASSWORDS, Mosquitto  # noqa: E402

EVENTS, BATCH = 20_000, 500
SINGLE, EVERY_SECONDS = 40, 0.25
BAR_EVENTS, BAR_SECONDS = 1_000, 2.0
EMITTER = """
import sys, time
from quantum_mlops.codec import encode
from quantum_mlops.config.mqtt_address import parse_mqtt_address
from quantum_mlops.events import Context, Event, MetricLogged, type_name
from quantum_mlops.shipping.mqtt.client import MqttClient

import os
url, count, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
client = MqttClient(parse_mqtt_address(url), os.environ)
events = [
    encode(Event(
        id=f"{number:016x}", source="qml://bench/0a1b2c3d4e5f/1", type=type_name("metric.logged"), time=time.time_ns(),
        partitionkey="iris", project="iris", context=Context(runid=f"r{number % 50}", step=number),
        data=MetricLogged(values={"loss": 0.5, "accuracy": 0.9}),
    )) for number in range(count)
]
client.post(events[:1])
began = time.monotonic()
for at in range(1, count, batch):
    client.post(events[at : at + batch])
print(time.monotonic() - began, flush=True)
client.close()
"""
Row = dict[str, Any]


@contextmanager
def daemon(folder: Path, broker: Mosquitto) -> Iterator[Path]:
    """Run a daemon with a bridge to the broker; give the path of its log."""
    (folder / "password").write_text(PASSWORDS[DAEMON])
    (folder / "password").chmod(0o600)
    (folder / "quantum-mlops.toml").write_text(
        f'[http]\nlisten = "off"\n[state]\ndir = "state"\n[mqtt]\nurl = "{broker.url}"\nuser = "{DAEMON}"\npassword_file = "password"\n'
    )
    command = [sys.executable, "-m", "quantum_mlops", "daemon", "--config", str(folder / "quantum-mlops.toml")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr or ():
            if re.search(r"\bREADY\b", line):
                break
        while "Sending SUBACK to quantum-mlops" not in broker.said():
            time.sleep(0.05)
        try:
            yield folder / "state" / "store.sqlite"
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)


def wait_for_metrics(reader: SqliteLog, at: int, count: int) -> tuple[int, list[tuple[float, float]]]:
    """Wait for `count` more metrics from the offset on; return the next offset and (value, seen at) of each."""
    found: list[tuple[float, float]] = []
    until = time.monotonic() + 120
    while len(found) < count and time.monotonic() < until:
        records = reader.read(Stream.EVENTS, 0, at, 5000)
        now = time.monotonic()
        for record in records:
            at = record.offset + 1
            if getattr(record.event, "type", "") == type_name("metric.logged"):
                found.append((record.event.data.values["loss"], now))  # type: ignore[union-attr]
        if not records:
            time.sleep(0.002)
    if len(found) < count:
        raise RuntimeError(f"{len(found)} of {count} arrived")
    return at, found


def throughput(reader: SqliteLog, broker: Mosquitto) -> tuple[float, float, int]:
    """Return events a second to the broker, events a second to the log, and the next offset."""
    environ = {**os.environ, **broker.environ()}
    words = [sys.executable, "-c", EMITTER, broker.url, str(EVENTS), str(BATCH)]
    with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, text=True) as emitter:
        at, first = wait_for_metrics(reader, 0, 1)
        at, rest = wait_for_metrics(reader, at, EVENTS - len(first))
        sent_seconds = float(emitter.communicate(timeout=60)[0])
    return EVENTS / sent_seconds, EVENTS / (rest[-1][1] - first[0][1]), at


def latency(reader: SqliteLog, broker: Mosquitto, folder: Path, at: int) -> list[float]:
    """From the SDK's `emit` by its target mqtt:// to a record that a reader of the log sees."""
    os.environ.update(broker.environ())
    recorder = Recorder(read_settings({"QML_SPOOL_DIR": str(folder / "spool")}, "iris", broker.url))
    recorder.start()
    taken = []
    try:
        recorder.emit("metric.logged", MetricLogged(values={"loss": -1.0}))
        at, _ = wait_for_metrics(reader, at, 1)
        for number in range(SINGLE):
            time.sleep(EVERY_SECONDS + 0.017 * (number % 7))  # in no step with the shipper, which looks once a second
            began = time.monotonic()
            recorder.emit("metric.logged", MetricLogged(values={"loss": float(number)}))
            at, found = wait_for_metrics(reader, at, 1)
            taken.append(found[-1][1] - began)
    finally:
        recorder.close(5.0)
    return taken


def rows() -> list[Row]:
    """Measure."""
    if shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        return [row("MQTT: no mosquitto installed", "absent", "")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Mosquitto(folder / "mosquitto")
        broker.start()
        try:
            with daemon(folder, broker) as path:
                reader = SqliteLog.open_reader(path)
                sent, stored, at = throughput(reader, broker)
                taken = latency(reader, broker, folder, at)
                reader.close()
        finally:
            broker.end()
    late = statistics.quantiles(taken, n=100)[98]
    return [
        row("MQTT: emitter to broker, acknowledged", sent, "events/s"),
        row("MQTT: through mosquitto to the log", stored, "events/s", f">= {BAR_EVENTS}", holds=stored >= BAR_EVENTS),
        row("emit to log by mqtt://, p50", statistics.median(taken) * 1e3, "ms"),
        row("emit to log by mqtt://, p99", late * 1e3, "ms", f"<= {BAR_SECONDS * 1e3:.0f}", holds=late <= BAR_SECONDS),
    ]


def row(name: str, value: float | str, unit: str, bar: str | None = None, *, holds: bool = True) -> Row:
    """Return one line of the table."""
    return {"name": name, "value": value, "unit": unit, "bar": bar, "holds": holds}


if __name__ == "__main__":
    for one in rows():
        print(one)
