"""`[kafka]`: what is needed with what, secrets in files, the overlay."""

from collections.abc import Callable
from pathlib import Path

import pytest

from quantum_mlops.config.load import load_config
from quantum_mlops.config.sections import Config, KafkaSection
from quantum_mlops.errors import ConfigError

START = '[log]\nkind = "kafka"\n[kafka]\nbootstrap_servers = ["kafka-1:9092", "[::1]:9093"]\n'
Load = Callable[..., Config]


class LogSettings:
    pass


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(text: str, **environ: str) -> Config:
        path = tmp_path / "quantum-mlops.toml"
        path.write_text(text)
        return load_config(path, environ, {"log": LogSettings})

    return load


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text("s3cret\n")
    path.chmod(0o600)
    return path


def refuse(load: Load, text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(text, **environ)
    return [line.partition(".toml: ")[2] for line in str(caught.value).splitlines()]


def test_the_brokers_are_enough(load: Load) -> None:
    config = load(START)
    assert config.log.kind == "kafka"
    assert config.kafka == KafkaSection(bootstrap_servers=["kafka-1:9092", "[::1]:9093"])
    assert (config.kafka.partitions, config.kafka.topic_prefix, config.kafka.session_timeout) == (12, "qml.", "10s")


def test_without_a_section_there_is_one_clear_line(load: Load) -> None:
    assert refuse(load, '[log]\nkind = "kafka"\n') == [
        'kafka: log.kind is "kafka" and no broker is named; add [kafka] bootstrap_servers = ["host:9092"]'
    ]
    assert refuse(load, '[log]\nkind = "kafka"\n[kafka]\n') == ["kafka: bootstrap_servers is missing"]
    assert load("").kafka is None


def test_the_overlay_is_enough(load: Load) -> None:
    environ = {
        "QML_LOG__KIND": "kafka",
        "QML_KAFKA__BOOTSTRAP_SERVERS": '["127.0.0.1:9092"]',
        "QML_KAFKA__PARTITIONS": "3",
        "QML_KAFKA__ENGINE": "faust",
    }
    config = load("", **environ)
    assert config.kafka == KafkaSection(bootstrap_servers=["127.0.0.1:9092"], partitions=3, engine="faust")


def test_a_secret_in_the_environment_is_refused(load: Load) -> None:
    environ = {"QML_KAFKA__SASL_PASSWORD": "x"}
    assert refuse(load, START, **environ) == [
        (
            "environment variable QML_KAFKA__SASL_PASSWORD: a secret does not belong here; "
            "write it to a file and name that with SASL_PASSWORD_FILE"
        )
    ]


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ('topic_prefix = "a b"', "kafka.topic_prefix: use letters, digits, ., _ and -, at most 200"),
        ('group = ""', "kafka.group: use letters, digits, ., _ and -, 1 to 200"),
        (
            'session_timeout = "0"',
            "kafka.session_timeout: must be from 1s to 30m; a broker's own bounds are from 6s to 30m by default",
        ),
        (
            'ssl_cafile = "ca.pem"',
            'kafka.ssl_cafile: is not used without TLS; set kafka.security_protocol = "SSL" or "SASL_SSL"',
        ),
        (
            'security_protocol = "SSL"\nssl_keyfile = "ca.pem"',
            "kafka.ssl_keyfile: the key needs its certificate: set kafka.ssl_certfile too",
        ),
        (
            'sasl_username = "ann"',
            'kafka.sasl_username: is not used without SASL; set kafka.security_protocol = "SASL_SSL"',
        ),
        (
            'security_protocol = "SASL_SSL"',
            "kafka.sasl_mechanism: needed with SASL; one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER",
        ),
        (
            'security_protocol = "SASL_SSL"\nsasl_mechanism = "PLAIN"\nsasl_username = "ann"',
            "kafka.sasl_password_file: needed with PLAIN",
        ),
        (
            (
                'security_protocol = "SASL_SSL"\nsasl_mechanism = "OAUTHBEARER"\noauth_token_file = "password"\n'
                'sasl_username = "ann"'
            ),
            "kafka.sasl_username: is not used with OAUTHBEARER",
        ),
        (
            (
                'security_protocol = "SASL_PLAINTEXT"\nsasl_mechanism = "PLAIN"\nsasl_username = "ann"\n'
                'sasl_password_file = "password"'
            ),
            'kafka.security_protocol: the secret would travel in clear to kafka-1:9092; use "SASL_SSL"',
        ),
    ],
)
def test_what_does_not_fit_together_is_named(load: Load, secret: Path, more: str, line: str) -> None:
    secret.with_name("ca.pem").write_text("")
    assert refuse(load, f"{START}{more}\n") == [line]


def test_a_server_without_a_port_is_refused(load: Load) -> None:
    assert refuse(load, '[kafka]\nbootstrap_servers = ["a:1", "kafka", "b:70000"]\n') == [
        "kafka.bootstrap_servers[1]: 'kafka' is no address; write it like \"host:9092\"",
        "kafka.bootstrap_servers[2]: 'b:70000' is no address; write it like \"host:9092\"",
    ]
    assert refuse(load, "[kafka]\nbootstrap_servers = []\n") == [
        'kafka.bootstrap_servers: name at least one broker, as in ["host:9092"]'
    ]


SCRAM = (
    START + 'security_protocol = "SASL_PLAINTEXT"\nsasl_mechanism = "SCRAM-SHA-512"\n'
    'sasl_username = "ann"\nsasl_password_file = "password"\n'
)


def test_files_are_found_beside_the_configuration(load: Load, secret: Path) -> None:
    kafka = load(SCRAM).kafka
    assert kafka is not None
    assert kafka.sasl_password_file == str(secret)


def test_a_secret_open_to_others_missing_or_empty_is_refused(load: Load, secret: Path) -> None:
    secret.chmod(0o644)
    (line,) = refuse(load, SCRAM)
    told, _, mounted = line.partition("; where Kubernetes mounts it: ")
    assert told == f"kafka.sasl_password_file: {secret} is open to other users (mode 644); mend: chmod 600 {secret}"
    assert "defaultMode 0400" in mounted
    secret.chmod(0o640)  # a group of readers, as for the tokens file
    assert load(SCRAM).kafka is not None
    secret.write_text("two\nlines")
    assert refuse(load, SCRAM) == [f"kafka.sasl_password_file: {secret} holds no secret in one line"]
    secret.unlink()
    assert refuse(load, SCRAM) == [f"kafka.sasl_password_file: cannot read {secret}: No such file or directory"]
