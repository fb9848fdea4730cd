import subprocess
import sys

import pytest

from quantum_mlops.errors import ConfigError
from quantum_mlops.sdk.settings import read_settings
from quantum_mlops.shipping.address import Address, parse_target
from quantum_mlops.shipping.kafka.address import KafkaAddress, parse_kafka_address


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("kafka://k1", ["k1:9092"]),
        ("kafka://K1:9093,k2,k2:9092/", ["k1:9093", "k2:9092"]),
        ("kafka://[::1]:9092,10.0.0.1:1", ["[::1]:9092", "10.0.0.1:1"]),
        ("KAFKA://broker_1.example:65535", ["broker_1.example:65535"]),
    ],
)
def test_an_address_names_servers_with_9092_where_no_port_is_given(text, servers):
    address = parse_target(text)
    assert isinstance(address, KafkaAddress)
    assert address.bootstrap_servers == servers
    assert parse_kafka_address(str(address)) == address


def test_another_scheme_is_a_service():
    assert isinstance(parse_target("https://monitor.example"), Address)


@pytest.mark.parametrize(
    "text",
    [
        "kafka://", "kafka://,", "kafka://a,,b", "kafka://a:0", "kafka://a:65536", "kafka://a:x", "kafka://a b", "kafka://a\n",
        "kafka://[::1", "kafka://[1.2.3.4]", "kafka://::1:9092", "kafka://a/topic", "kafka://a?b=c", "kafka://a#b", "kafka:a",
        "kafka://ключ", "kafka://a:1,https://b",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_an_example(text):
    with pytest.raises(ConfigError, match="target") as caught:
        parse_kafka_address(text)
    assert "kafka://host:9092,host2:9092" in str(caught.value)


def test_a_secret_in_an_address_is_refused_and_not_repeated():
    with pytest.raises(ConfigError, match="set QML_KAFKA_SASL_USERNAME and QML_KAFKA_SASL_PASSWORD_FILE") as caught:
        parse_kafka_address("kafka://me:hunter2@k1:9092")
    assert "hunter2" not in str(caught.value)


def test_events_for_another_cluster_prefix_or_project_wait_in_another_folder():
    environ = {"QML_SPOOL_DIR": "/a", "QML_TARGET": "kafka://k1,k2"}
    one = read_settings(environ)
    assert one.target == "kafka://k1:9092,k2:9092"
    assert one.spool.startswith("/a/.to-k1-9092-")
    assert read_settings(environ, None, "kafka://k2,k1").spool == one.spool
    others = {
        read_settings(environ, "iris").spool,
        read_settings(environ, None, "kafka://k1").spool,
        read_settings(environ, None, "https://k1:9092").spool,
        read_settings(environ | {"QML_KAFKA_TOPIC_PREFIX": "lab."}).spool,
    }
    assert len(others - {one.spool}) == 4


def test_a_client_of_kafka_is_loaded_only_where_something_is_sent_there(tmp_path):
    code = (
        "import sys, quantum_mlops as q; from quantum_mlops.sdk.default import recorder\n"
        "from quantum_mlops.shipping.shipper import Shipper\n"
        "Shipper.start = lambda self: None\n"
        "recorder.destination.choose(None, sys.argv[1]); q.log_metrics({'a': 1})\n"
        "print(sorted({'asyncio', 'ssl', 'aiokafka', 'http.client'} & set(sys.modules)))"
    )
    environ = {"QML_STATE_DIR": str(tmp_path), "QML_FLUSH_SECONDS": "0"}
    command = [sys.executable, "-c", code, "kafka://127.0.0.1:1"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environ)
    assert loaded.stdout == "[]\n"
