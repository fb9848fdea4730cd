"""A bridge in this process: a real broker before it, an inbox behind it that a thread empties onto a log."""

import asyncio
import threading

import pytest

from qml_daemon.ingest.inbox import Inbox
from qml_daemon.mqtt.bridge import Bridge
from quantum_mlops.codec import encode
from quantum_mlops.config.sections import MqttSection
from quantum_mlops.errors import LogError
from quantum_mlops.events import Event, MetricLogged, type_name
from quantum_mlops.shipping.mqtt.access import Access
from quantum_mlops.shipping.mqtt.client import MqttClient
from quantum_mlops.shipping.mqtt.session import Session, Terms
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.memory import MemoryLog
from tests.mosquitto import DAEMON, PASSWORDS
from tests.waiting import wait_for

NOW = 1_800_000_000_000_000_000


def make_metric(number, source="lab", project="iris", **more):
    data = MetricLogged(values={"n": float(number)})
    fields = {"id": f"{number}", "source": source, "type": type_name("metric.logged"), "time": NOW, "data": data}
    return encode(Event(**(fields | {"partitionkey": project, "project": project} | more)))


async def _publish(mosquitto, user, messages):
    environ = mosquitto.environ(user)
    session = Session(mosquitto.address, Access.from_environ(environ), Terms(client_id=f"by-hand-{user}"))
    try:
        await session.open()
        return await session.send(messages)
    finally:
        await session.close()


@pytest.fixture
def metric():
    return make_metric


@pytest.fixture
def publish(mosquitto):
    """Return a function that publishes (topic, payload) by hand and returns the broker's reason codes."""
    return lambda user, messages: asyncio.run(_publish(mosquitto, user, messages))


class House:
    """The log and its one writer; `open_bridge` puts a bridge before it."""

    def __init__(self, folder, mosquitto):
        self.log = MemoryLog(clock=lambda: NOW)
        self.inbox = Inbox()
        self.mosquitto = mosquitto
        self.is_stuck = False
        self._password = folder / "password"
        self._password.write_text(PASSWORDS[DAEMON] + "\n")
        self._password.chmod(0o600)
        self._bridges = []
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.inbox.open()
        self._thread.start()

    def open_bridge(self, **settings):
        section = {
            "url": self.mosquitto.url,
            "user": DAEMON,
            "password_file": str(self._password),
            "client_id": "house",
        }
        self._bridges.append(Bridge(MqttSection(**(section | settings)), self.inbox, lambda: NOW, lambda: 0.0))
        self._bridges[-1].start()
        return self._bridges[-1]

    def open_connected(self, **settings):
        bridge = self.open_bridge(**settings)
        wait_for(lambda: bridge.stats().connected, "the bridge is connected")
        return bridge

    def events(self):
        """Return (project, id) of each event in the log, in its order."""
        return [(one.event.project, one.event.id) for one in self.log.read(Stream.EVENTS, 0, 0, 1_000_000)]

    def letters(self):
        return [one.event for one in self.log.read(Stream.DEAD_LETTERS, 0, 0, 1_000_000)]

    def close(self):
        for bridge in self._bridges:
            bridge.begin_stop()
        self.inbox.close()
        for bridge in self._bridges:
            assert bridge.close(20)
        self._ends.set()
        self._thread.join()

    def _write(self):
        while not self._ends.is_set():
            self.inbox.wait(0.02)
            if not self.is_stuck:
                try:
                    self.inbox.drain(self.log, 500)
                except LogError:
                    continue


@pytest.fixture
def make_house(tmp_path, mosquitto):
    """Return a function that opens a house; the next one has another log and the same session at the broker."""
    made = []

    def make():
        made.append(House(tmp_path, mosquitto))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def house(make_house):
    return make_house()


@pytest.fixture
def emitter(mosquitto):
    """Return a function that makes a client of a user."""
    made = []

    def make(user="iris"):
        made.append(MqttClient(mosquitto.address, mosquitto.environ(user)))
        return made[-1]

    yield make
    for one in made:
        one.close()
