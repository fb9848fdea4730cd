"""A broker that allows nothing by itself: with the rights in docs/kafka.md, and no others, every part works."""

import re
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from qml_daemon.kafka.progress import Observer
from qml_daemon.kafka.topics import prepare_topics
from quantum_mlops.clock import system_clock
from quantum_mlops.codec import encode
from quantum_mlops.errors import ConfigError, PermanentError
from quantum_mlops.events import Context, Event, MetricLogged, type_name
from quantum_mlops.shipping.kafka.address import parse_kafka_address
from quantum_mlops.shipping.kafka.client import KafkaClient
from quantum_mlops.transports.base import DeadLetter, Stream
from quantum_mlops.transports.kafka.log import KafkaLog
from quantum_mlops.transports.kafka.settings import KafkaSettings
from tests.broker import missing
from tests.kafka.test_daemon import House
from tests.waiting import wait_for
from tests.workers import WorkerHandle
from tools.kafka.broker import Broker
from tools.kafka.jars import obtainable
from tools.kafka.listeners import Listener

PREFIX, GROUP, PARTITIONS = "qml.", "quantum-mlops", 2
USERS = {name: f"{name}-secret" for name in ("emitter", "worker", "daemon", "operator", "stranger")}
DOCUMENT = Path(__file__).parents[2] / "docs" / "kafka.md"
_ROW = re.compile(
    r"^\| (emitter|worker|daemon|operator) \| (topic|group|transactional id) \| `([^`]+)` \| ([A-Za-z, ]+) \|$"
)
_KINDS = {
    "topic": ResourceType.TOPIC, "group": ResourceType.GROUP, "transactional id": ResourceType.TRANSACTIONAL_ID,
}  # fmt: skip


def documented():
    """Return (user, kind, name, operation) of each right in the table of the document."""
    rows = (_ROW.match(line) for line in DOCUMENT.read_text().splitlines())
    return [
        (match[1], match[2], match[3], operation.strip())
        for match in rows
        if match
        for operation in match[4].split(",")
    ]


def grant(bootstrap):
    bindings = []
    for user, kind, name, operation in documented():
        pattern = ResourcePatternType.PREFIXED if name.endswith("*") else ResourcePatternType.LITERAL
        what = AclOperation[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()]
        bindings.append(
            AclBinding(_KINDS[kind], name.rstrip("*"), pattern, f"User:{user}", "*", what, AclPermissionType.ALLOW)
        )
    client = AdminClient({"bootstrap.servers": bootstrap})
    for future in client.create_acls(bindings).values():
        future.result(10)
    return bindings


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    if not obtainable():
        missing("no broker of our own: install Java and Maven (apt-get install default-jre-headless maven)")
    rights = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",  # by the plaintext door: the broker itself, and the test
        "allow.everyone.if.no.acl.found": "false",
    }
    folder = tmp_path_factory.mktemp("kafka")
    with Broker(folder, listeners=[Listener("plain", mechanism="PLAIN")], users=USERS, properties=rights) as broker:
        assert len(grant(broker.bootstrap)) > 20
        prepare_topics(settings_of(broker, tmp_path_factory, "operator"), dry_run=False)
        yield broker


def password_file(folder, user):
    path = folder / f"{user}.password"
    path.write_text(USERS[user])
    path.chmod(0o600)
    return path


def settings_of(broker, tmp_path_factory, user):
    return KafkaSettings(
        bootstrap_servers=(broker.bootstraps["plain"],), topic_prefix=PREFIX, group=GROUP, partitions=PARTITIONS,
        security_protocol="SASL_PLAINTEXT", sasl_mechanism="PLAIN", sasl_username=user,
        sasl_password_file=str(password_file(tmp_path_factory.mktemp(user), user)),
    )  # fmt: skip


@pytest.fixture
def access(broker, tmp_path_factory):
    return lambda user: settings_of(broker, tmp_path_factory, user)


def section(settings):
    return (
        f'security_protocol = "SASL_PLAINTEXT"\nsasl_mechanism = "PLAIN"\nsasl_username = "{settings.sasl_username}"\n'
        f'sasl_password_file = "{settings.sasl_password_file}"\n'
    )


@pytest.fixture
def emit(access):
    made = []

    def emit(count, user="emitter", first=0):
        settings = access(user)
        environ = {
            "QML_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "QML_KAFKA_SASL_MECHANISM": "PLAIN",
            "QML_KAFKA_SASL_USERNAME": user, "QML_KAFKA_SASL_PASSWORD_FILE": settings.sasl_password_file,
            "QML_KAFKA_TOPIC_PREFIX": PREFIX,
        }  # fmt: skip
        client = KafkaClient(parse_kafka_address(f"kafka://{settings.servers}"), environ)
        made.append(client)
        return client.post([encode(event(number)) for number in range(first, first + count)])

    yield emit
    for client in made:
        client.close()


def event(number):
    return Event(
        id=f"{number:016x}", source="qml://lab/0123456789ab/0", type=type_name("metric.logged"), time=system_clock(),
        partitionkey="iris", project="iris", context=Context(runid="r"), data=MetricLogged(values={"loss": 2.0}),
    )  # fmt: skip


RULE = '[[rules.threshold]]\nname = "HighLoss"\nmetric = "loss"\nabove = 1.0\n'


@pytest.mark.timeout(180)
def test_with_the_documented_rights_an_event_goes_all_the_way(broker, access, emit, tmp_path):
    daemon = House(tmp_path / "daemon", broker.bootstraps["plain"], PREFIX, RULE)
    path = daemon.folder / "c.toml"
    text = path.read_text().replace("partitions = 4\n", f"partitions = {PARTITIONS}\n")
    path.write_text(text.replace("[kafka]\n", "[kafka]\n" + section(access("daemon"))))
    config = tmp_path / "worker.toml"
    config.write_text(
        f'[log]\nkind = "kafka"\n[kafka]\nbootstrap_servers = ["{broker.bootstraps["plain"]}"]\n'
        f"partitions = {PARTITIONS}\n" + section(access("worker"))
    )
    worker = WorkerHandle("worker", config, tmp_path, {})
    try:
        daemon.start()
        worker.ready()
        assert emit(50) == []
        wait_for(lambda: daemon.times_told("HighLoss") == 1, "the receiver is told", 60)
        asked = Observer(access("operator"))
        wait_for(lambda: asked.look(states=True).lag < 20, "processed", 30)
        assert {one.owner is not None for one in asked.look(states=True).partitions} == {True}
        asked.close()
        assert daemon.stop() == 0
        assert worker.stop() == 0
        assert "Authorization" not in daemon.text() + worker.said()
        assert "may not" not in daemon.text() + worker.said()
        log = KafkaLog(access("daemon"), writer="dead-letters")  # as `dead-letters retry` does
        log.append([], dead_letters=[DeadLetter(data=b"x", reason="r", origin="o")])
        log.append([event(1000)], cursors={"dead-letters/0/0": b"1"})
        assert log.read(Stream.DEAD_LETTERS, 0, 0, 10)
        log.close()
    finally:
        daemon.close()
        worker.close()


def test_an_emitter_may_write_events_and_nothing_else(access, emit):
    assert emit(1, first=10_000) == []
    with pytest.raises(ConfigError, match="no topic qml.findings.v1, .* or does not show it to this user"):
        KafkaLog(access("emitter"))


def test_who_has_no_rights_is_told_in_one_line(access, emit, broker, tmp_path):
    with pytest.raises(PermanentError):
        emit(1, user="stranger")
    config = tmp_path / "stranger.toml"
    config.write_text(
        f'[log]\nkind = "kafka"\n[kafka]\nbootstrap_servers = ["{broker.bootstraps["plain"]}"]\n'
        f"partitions = {PARTITIONS}\n" + section(access("stranger"))
    )
    worker = WorkerHandle("stranger", config, tmp_path, {})
    try:
        assert worker.wait(60) == 2
        warning, line = worker.said().splitlines()
        assert "in the clear" in warning  # the client's, where there is no TLS
        assert "no topic qml.events.v1, " in line
        assert "or does not show it to this user; mend: " in line
    finally:
        worker.close()
