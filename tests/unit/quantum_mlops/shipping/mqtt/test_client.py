"""The emitters' client against a real mosquitto with the page's access list."""

import asyncio
import random
import subprocess
import sys
import threading

import pytest

from quantum_mlops.config.mqtt_address import parse_mqtt_address
from quantum_mlops.errors import PermanentError, RetryableError
from quantum_mlops.shipping.mqtt.access import Access
from quantum_mlops.shipping.mqtt.client import MqttClient
from quantum_mlops.shipping.mqtt.session import KEEPALIVE_SECONDS, Session, Terms, packet_bytes
from quantum_mlops.testing.conformance.child import run_in_child
from tests.mosquitto import DAEMON, Mosquitto, make_authority
from tests.waiting import wait_for

pytestmark = pytest.mark.system_tool("mosquitto")


def event(number, project="iris", padding=0):
    return b'{"project":"%s","id":"%d","padding":"%s"}' % (project.encode(), number, b"x" * padding)


class Reader:
    """Reads every project in a thread, as the daemon's user; keeps what it has seen, acknowledged at once."""

    def __init__(self, mosquitto):
        self._mosquitto = mosquitto
        self.seen = []
        self.is_ready = threading.Event()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._read()))
        self._thread.start()
        assert self.is_ready.wait(20)

    async def _read(self):
        access = Access.from_environ(self._mosquitto.environ(DAEMON))
        session = Session(self._mosquitto.address, access, Terms(client_id="reader", expiry_seconds=600))
        await session.open()
        await session.follow(["qml/v1/+/events"])
        self.is_ready.set()
        while not self._ends.is_set() and not session.has_ended():
            for one in session.received():
                self.seen.append((one.topic.value, bytes(one.payload), one.properties))
                session.acknowledge(one)
            await asyncio.sleep(0.01)
        await session.close()

    def close(self):
        self._ends.set()
        self._thread.join()


@pytest.fixture
def reader(mosquitto):
    reader = Reader(mosquitto)
    yield reader
    reader.close()


@pytest.fixture
def connect(mosquitto, tmp_path):
    made = []

    def connect(url=None, folder=None, user="iris", **environ):
        address = parse_mqtt_address(url or mosquitto.url)
        made.append(MqttClient(address, mosquitto.environ(user) | environ, folder))
        return made[-1]

    yield connect
    for one in made:
        one.close()


def test_events_go_out_in_order_as_cloudevents_on_their_projects_topic(connect, reader):
    events = [event(number) for number in range(500)]
    assert connect().post(events) == []
    wait_for(lambda: len(reader.seen) == 500, "all came")
    assert [(topic, payload) for topic, payload, _ in reader.seen] == [("qml/v1/iris/events", one) for one in events]
    properties = reader.seen[0][2]
    assert (properties.ContentType, properties.PayloadFormatIndicator) == ("application/cloudevents+json", 1)


def test_with_tls_and_an_authority_of_ones_own(connect, reader, mosquitto):
    client = connect(mosquitto.tls_url, QML_MQTT_CA_FILE=str(mosquitto.ca_file))
    assert client.post([event(1)]) == []
    wait_for(lambda: reader.seen, "it came")


def test_a_message_that_nobody_receives_stays(connect):
    with pytest.raises(RetryableError, match="has nobody who receives qml/v1/iris/events"):
        connect().post([event(1)])


def test_another_projects_topic_is_refused_and_what_was_taken_is_not_sent_again(connect, reader):
    client = connect()
    for _ in range(2):
        with pytest.raises(PermanentError, match="lets this user not write to qml/v1/wine/events: give it that right"):
            client.post([event(1), event(3), event(2, "wine")])
    assert connect(user="lab-7").post([event(4), event(5, "wine")]) == []
    wait_for(lambda: len(reader.seen) >= 4, "they came")
    assert [payload for _, payload, _ in reader.seen] == [event(1), event(3), event(4), event(5, "wine")]


def test_what_is_larger_than_the_broker_takes_is_rejected_alone(connect, reader):
    most = 131_072
    room = most - packet_bytes("qml/v1/iris/events", event(1))
    rejected = connect().post([event(1, padding=room - 3), event(2, padding=room + 10), event(3)])
    assert [(one.index, one.reason) for one in rejected] == [
        (1, f"{len(event(2, padding=room + 10))} bytes, more than the broker takes ({most})")
    ]
    wait_for(lambda: len(reader.seen) == 2, "the others came")


def test_what_mosquitto_refuses_by_its_older_setting_is_rejected_alone(tmp_path):
    broker = Mosquitto(tmp_path / "mosquitto", "message_size_limit 1000\n")
    broker.start()
    reader, client = Reader(broker), MqttClient(broker.address, broker.environ())
    try:
        rejected = client.post([event(1), event(2, padding=2000), event(3)])
        assert [(one.index, one.reason) for one in rejected] == [(1, "larger than the broker takes")]
        wait_for(lambda: len(reader.seen) == 2, "the others came")
    finally:
        client.close()
        reader.close()
        broker.end()


def test_a_broker_that_comes_back_is_found_at_the_next_post(connect, reader, mosquitto, tmp_path):
    client = connect(folder=tmp_path)
    client.post([event(1)])
    reader.close()
    mosquitto.end()
    with pytest.raises(RetryableError):
        client.post([event(2)])
    with pytest.raises(RetryableError, match="cannot be reached: Connection refused"):
        client.post([event(2)])
    mosquitto.start()
    assert client.post([event(2)]) == []  # kept for the reader's session


def test_a_connection_that_was_closed_while_it_was_idle_costs_no_failure(connect, reader, mosquitto):
    client = connect()
    client.post([event(1)])
    mosquitto.end()
    mosquitto.start()
    assert client.post([event(2)]) == []


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"QML_MQTT_PASSWORD": "hunter2"}, "refuses the user or the password: check QML_MQTT_USER and QML_MQTT_PASSWORD_FILE"),
        ({"QML_MQTT_USER": "", "QML_MQTT_PASSWORD": ""}, "refuses the user or the password"),
    ],
)  # fmt: skip
def test_who_is_not_let_in_hears_why_without_the_secret(connect, environ, said):
    client = connect(**environ)
    with pytest.raises(PermanentError, match=said) as caught:
        client.post([event(1)])
    assert "hunter2" not in f"{caught.value} {client!r} {client.address} {Access.from_environ(environ)!r}"


def test_a_certificate_of_another_authority_is_refused(connect, mosquitto, tmp_path):
    other, _, _ = make_authority(tmp_path / "other")
    with pytest.raises(PermanentError, match=r"certificate that does not verify .*: check QML_MQTT_CA_FILE"):
        connect(mosquitto.tls_url, QML_MQTT_CA_FILE=str(other)).post([event(1)])
    with pytest.raises(PermanentError, match=r"certificate that does not verify"):
        connect(mosquitto.tls_url).post([event(1)])
    with pytest.raises(
        RetryableError, match="closed the connection; where that stays so the port may be for the other one"
    ):
        connect(f"mqtts://127.0.0.1:{mosquitto.port}").post([event(1)])


def test_a_password_is_read_anew_for_each_connection(connect, reader, tmp_path):
    path = tmp_path / "password"
    path.write_text("old-and-wrong")
    path.chmod(0o600)
    client = connect(QML_MQTT_PASSWORD="", QML_MQTT_PASSWORD_FILE=str(path))
    with pytest.raises(PermanentError, match="refuses the user"):
        client.post([event(1)])
    path.write_text("of-the-iris\n")
    assert client.post([event(1)]) == []
    path.chmod(0o644)
    client.close()
    with pytest.raises(PermanentError, match=f"QML_MQTT_PASSWORD_FILE: {path} is open to other users"):
        client.post([event(1)])


def test_the_hosts_threads_random_numbers_and_log_are_untouched(connect, reader, caplog):
    random.seed(7)
    before, threads = random.getstate(), set(threading.enumerate())
    client = connect()
    client.post([event(1)])
    with pytest.raises(RetryableError):
        connect("mqtt://127.0.0.1:1").post([event(1)])
    assert random.getstate() == before
    assert set(threading.enumerate()) <= threads  # others may have ended
    assert caplog.records == []


def test_a_forked_child_says_nothing_on_the_parents_connection(connect, reader, mosquitto, tmp_path):
    client = connect(folder=tmp_path)
    client.post([event(1)])

    def post():
        client.abandon()
        own = MqttClient(mosquitto.address, mosquitto.environ(), tmp_path)
        rejected = own.post([event(2)])
        own.close()
        return rejected

    assert run_in_child(post) == []
    connections = mosquitto.said().count("New client connected")
    assert client.post([event(3)]) == []
    assert mosquitto.said().count("New client connected") == connections
    wait_for(lambda: len(reader.seen) == 3, "all came")


def test_without_the_extra_one_line_names_it(mosquitto):
    code = (
        "import sys\nsys.modules['aiomqtt'] = None\n"
        "from quantum_mlops.shipping.mqtt.client import MqttClient\n"
        "from quantum_mlops.config.mqtt_address import parse_mqtt_address\n"
        "try:\n    MqttClient(parse_mqtt_address('mqtt://h'), {}).post([b'{}'])\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.stdout == (
        "PermanentError cannot be reached from here: sending to an MQTT broker needs an extra: "
        "pip install 'quantum-mlops[mqtt]'\n"
    )


def test_the_broker_gives_an_idle_program_more_than_two_heartbeats():
    assert 1.5 * KEEPALIVE_SECONDS > 2 * 30
