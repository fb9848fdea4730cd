"""Settings of Kafka's clients: from the configuration, from a target, secrets only in files."""

import asyncio
import ssl
import subprocess
import sys

import pytest

from quantum_mlops.config.sections import KafkaSection
from quantum_mlops.errors import ConfigError
from quantum_mlops.transports.kafka.settings import KafkaSettings, parse_servers


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.write_text("s3cret\n")
    path.chmod(0o600)
    return path


def test_importing_the_settings_imports_no_client():
    code = "import sys, quantum_mlops, quantum_mlops.transports.kafka.settings; sys.exit('aiokafka' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_section_becomes_arguments_of_the_client():
    section = KafkaSection(bootstrap_servers=["a:1", "b:2"], session_timeout="12s", partitions=3)
    settings = KafkaSettings.from_section(section)
    assert (settings.session_timeout_ms, settings.partitions, settings.servers) == (12_000, 3, "a:1,b:2")
    arguments = settings.client_arguments()
    assert arguments["bootstrap_servers"] == ["a:1", "b:2"]
    assert arguments["security_protocol"] == "PLAINTEXT"
    assert not any(name.startswith(("sasl", "ssl")) for name in arguments)


def test_a_target_takes_the_rest_from_the_environment(secret):
    environ = {
        "QML_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "QML_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "QML_KAFKA_SASL_USERNAME": "ann",
        "QML_KAFKA_SASL_PASSWORD_FILE": str(secret),
        "QML_KAFKA_TOPIC_PREFIX": "lab.",
    }
    settings = KafkaSettings.from_target("kafka://kafka-1:9093,kafka-2", environ)
    assert settings.bootstrap_servers == ("kafka-1:9093", "kafka-2:9092")
    assert (settings.topic_prefix, settings.partitions) == ("lab.", None)
    arguments = settings.client_arguments()
    assert "s3cret" in arguments.values()
    assert isinstance(arguments["ssl_context"], ssl.SSLContext)
    assert arguments["ssl_context"].check_hostname
    assert "s3cret" not in repr(settings)
    secret.write_text("changed\n")
    assert "changed" in settings.client_arguments().values()


@pytest.mark.parametrize(
    ("target", "environ", "line"),
    [
        ("http://a", {}, "target: 'http://a' is no address of Kafka; write it like kafka://host:9092"),
        ("kafka://ann:x@a", {}, "target: a secret does not belong into an address; set QML_KAFKA_SASL_USERNAME and"),
        ("kafka://", {}, "target: ':9092' is no address"),
        ("kafka://a", {"QML_KAFKA_SASL_MECHANISM": "PLAIN"}, "QML_KAFKA_SASL_MECHANISM: is not used without SASL"),
        ("kafka://a", {"QML_KAFKA_SECURITY_PROTOCOL": "TLS"}, "QML_KAFKA_…: Invalid enum value 'TLS'"),
        ("kafka://a", {"QML_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "QML_KAFKA_SASL_MECHANISM: needed with SASL"),
    ],
)
def test_a_wrong_target_or_variable_is_named(target, environ, line):
    with pytest.raises(ConfigError) as caught:
        KafkaSettings.from_target(target, environ)
    assert str(caught.value).startswith(line)


def test_a_token_is_read_anew_for_each_connection(secret):
    settings = KafkaSettings(
        bootstrap_servers=("127.0.0.1:1",), security_protocol="SASL_PLAINTEXT", sasl_mechanism="OAUTHBEARER",
        oauth_token_file=str(secret),
    )  # fmt: skip
    provider = settings.client_arguments()["sasl_oauth_token_provider"]
    assert asyncio.run(provider.token()) == "s3cret"
    secret.write_text("next\n")
    assert asyncio.run(provider.token()) == "next"
    secret.chmod(0o644)
    with pytest.raises(ConfigError, match="open to other users"):
        asyncio.run(provider.token())


def test_what_cannot_be_read_is_named(tmp_path, secret):
    for name, line in (("ssl_cafile", "kafka.ssl_cafile: "), ("ssl_certfile", "kafka.ssl_certfile: ")):
        for path in (tmp_path / "none", secret):
            settings = KafkaSettings(bootstrap_servers=("a:1",), security_protocol="SSL", **{name: str(path)})
            with pytest.raises(ConfigError) as caught:
                settings.client_arguments()
            assert str(caught.value).startswith(f"{line}{path}: ")


def test_servers_are_split():
    assert parse_servers("kafka://a,b:1/") == ("a:9092", "b:1")
