"""How a client reaches Kafka: brokers, TLS, SASL; secrets are read from their files for each new client.

Built from `[kafka]` of the configuration, or from a target `kafka://host:9092` with the environment's `QML_KAFKA_…`.
Importing this module imports no Kafka client.
"""

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from quantum_mlops.clock import SECOND
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.kafka_checks import check_kafka
from quantum_mlops.config.secret_file import read_secret
from quantum_mlops.config.sections import KafkaSection, LogSection, Sections
from quantum_mlops.errors import ConfigError, MissingExtraError

SCHEME = "kafka"
DEFAULT_PORT = 9092
REQUEST_TIMEOUT_MS = 15_000
_VARIABLE = "QML_KAFKA_"
_FROM_ENVIRONMENT = (
    "security_protocol", "sasl_mechanism", "sasl_username", "sasl_password_file", "ssl_cafile", "ssl_certfile",
    "ssl_keyfile", "oauth_token_file", "topic_prefix",
)  # fmt: skip


class KafkaSettings(Struct, frozen=True, kw_only=True):
    """What every client of ours needs. Holds names of secret files, never a secret.

    `partitions` is None where the topics say it.

    >>> KafkaSettings.from_target("kafka://one,two:9093", {"QML_KAFKA_TOPIC_PREFIX": "lab."}).servers
    'one:9092,two:9093'
    """

    bootstrap_servers: tuple[str, ...]
    topic_prefix: str = "qml."
    group: str = "quantum-mlops"
    partitions: int | None = None
    replication_factor: int = 1
    engine: str = "aiokafka"
    security_protocol: str = "PLAINTEXT"
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password_file: str | None = None
    oauth_token_file: str | None = None
    session_timeout_ms: int = 10_000
    client_id: str = "quantum-mlops"

    @classmethod
    def from_section(cls, section: KafkaSection) -> "KafkaSettings":
        """Return the settings of a checked `[kafka]`."""
        given = {name: getattr(section, name) for name in section.__struct_fields__}
        given["bootstrap_servers"] = tuple(section.bootstrap_servers)
        given["session_timeout_ms"] = parse_duration(given.pop("session_timeout")) // (SECOND // 1000)
        return cls(**given)

    @classmethod
    def from_target(cls, target: str, environ: Mapping[str, str]) -> "KafkaSettings":
        """Return the settings of `kafka://host:9092[,host2:9092]` with the environment's.

        Raises:
            ConfigError: the target or a variable is wrong.

        """
        given: dict[str, Any] = {name: value for name in _FROM_ENVIRONMENT if (value := environ.get(variable_of(name)))}
        given["bootstrap_servers"] = list(parse_servers(target))
        try:
            section = msgspec.convert(given, KafkaSection)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{_VARIABLE}…: {error}") from None
        sections = Sections(log=LogSection(kind="kafka"), kafka=section)
        for line in check_kafka(sections):
            key, _, text = line.removeprefix("kafka.").partition(": ")
            raise ConfigError(f"{variable_of(key) if key in _FROM_ENVIRONMENT else 'target'}: {text}")
        return msgspec.structs.replace(cls.from_section(section), partitions=None)

    @property
    def servers(self) -> str:
        """The brokers' names, for messages."""
        return ",".join(self.bootstrap_servers)

    def client_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of an aiokafka client; reads the files of secrets and certificates.

        Raises:
            ConfigError: a file cannot be read, or others can read a secret.
            MissingExtraError: aiokafka is not installed.

        """
        arguments: dict[str, Any] = {
            "bootstrap_servers": list(self.bootstrap_servers),
            "client_id": self.client_id,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            "security_protocol": self.security_protocol,
        }
        if self.security_protocol in {"SSL", "SASL_SSL"}:
            arguments["ssl_context"] = self._make_tls()
        if self.sasl_mechanism == "OAUTHBEARER":
            arguments["sasl_oauth_token_provider"] = _make_token_provider(Path(self.oauth_token_file or ""))
        elif self.sasl_mechanism is not None:
            arguments["sasl_plain_username"] = self.sasl_username
            arguments["sasl_plain_password"] = read_secret(
                Path(self.sasl_password_file or ""), "kafka.sasl_password_file"
            )
        if self.sasl_mechanism is not None:
            arguments["sasl_mechanism"] = self.sasl_mechanism
        return arguments

    def _make_tls(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ssl_cafile)
        except OSError as error:
            raise ConfigError(f"kafka.ssl_cafile: {self.ssl_cafile}: {_reason(error)}") from None
        if self.ssl_certfile is not None:
            try:
                context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile, password=_no_password)
            except (OSError, ValueError) as error:
                raise ConfigError(f"kafka.ssl_certfile: {self.ssl_certfile}: {_reason(error)}") from None
        return context


def variable_of(name: str) -> str:
    """Return the environment variable of a setting.

    >>> variable_of("ssl_cafile")
    'QML_KAFKA_SSL_CAFILE'
    """
    return f"{_VARIABLE}{name.upper()}"


def parse_servers(target: str) -> tuple[str, ...]:
    """Return the brokers of `kafka://host:9092[,host2:9092]`; a missing port is 9092.

    Raises:
        ConfigError: it is no such target, or holds a secret.

    >>> parse_servers("kafka://localhost"), parse_servers("kafka://[::1]:9093,kafka-2")
    (('localhost:9092',), ('[::1]:9093', 'kafka-2:9092'))

    """
    scheme, colon, rest = target.partition("://")
    if scheme != SCHEME or not colon:
        raise ConfigError(f"target: {target[:80]!r} is no address of Kafka; write it like kafka://host:9092")
    if "@" in rest:
        raise ConfigError(
            "target: a secret does not belong into an address; set QML_KAFKA_SASL_USERNAME and "
            "QML_KAFKA_SASL_PASSWORD_FILE"
        )
    hosts = rest.removesuffix("/").split(",")
    return tuple(host if host.rpartition("]")[2].count(":") else f"{host}:{DEFAULT_PORT}" for host in hosts)


def _no_password() -> str:
    """Refuse an encrypted key, where OpenSSL would ask on the terminal."""
    raise ValueError("the key is encrypted; give one that is not")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)


def _make_token_provider(path: Path) -> Any:
    try:
        from aiokafka.abc import AbstractTokenProvider  # noqa: PLC0415 - an extra

        from quantum_mlops.transports.kafka.oauth import heed_refusals  # noqa: PLC0415 - as above
    except ImportError:
        raise MissingExtraError("Kafka", "kafka") from None

    heed_refusals()

    class FileToken(AbstractTokenProvider):  # type: ignore[misc, unused-ignore] # aiokafka publishes few types
        """The token in a file, read anew for each connection."""

        async def token(self) -> str:
            return await asyncio.to_thread(read_secret, path, "kafka.oauth_token_file")

    return FileToken()
