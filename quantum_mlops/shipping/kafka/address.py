"""The address of a Kafka cluster as a target: `kafka://host:9092,host2:9092`. No secret stands in it.

What else a client needs (TLS, SASL, the topics' prefix) is in the environment, as `QML_KAFKA_…`.
"""

import ipaddress
import re

from msgspec import Struct

from quantum_mlops.errors import ConfigError

SCHEME = "kafka"
DEFAULT_PORT = 9092
_EXAMPLE = "kafka://host:9092,host2:9092"
_HOST = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_SERVER = re.compile(r"(?P<host>\[[^\[\]]*\]|[^\[\]:]*)(:(?P<port>[0-9]{1,5}))?", re.ASCII)
_MAX_PORT = 65_535


class KafkaAddress(Struct, frozen=True):
    """Where the records go. `servers` are (host, port), in the order given: any of them leads to all brokers.

    >>> str(KafkaAddress((("k1", 9092), ("::1", 19092))))
    'kafka://k1:9092,[::1]:19092'
    """

    servers: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        return f"{SCHEME}://{','.join(self.bootstrap_servers)}"

    @property
    def bootstrap_servers(self) -> list[str]:
        """The servers as Kafka's clients take them."""
        return [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.servers]

    @property
    def identity(self) -> str:
        """The same for two addresses that name the same servers in another order."""
        return str(KafkaAddress(tuple(sorted(self.servers))))


def parse_kafka_address(text: str) -> KafkaAddress:
    """Return the address in `kafka://host:9092[,host2:9092…]`; without a port it is 9092.

    Raises:
        ConfigError: it is none, or it holds what does not belong there; a password is not repeated.

    >>> parse_kafka_address("kafka://K1,k2:9093").bootstrap_servers
    ['k1:9092', 'k2:9093']

    """
    scheme, _, rest = text.partition("://")
    if scheme.lower() != SCHEME:
        raise ConfigError(f"target {text[:100]!r}: an address of Kafka looks like {_EXAMPLE}")
    if "@" in rest:
        raise ConfigError(
            "target: a secret does not belong into an address; set QML_KAFKA_SASL_USERNAME and "
            "QML_KAFKA_SASL_PASSWORD_FILE"
        )
    servers = dict.fromkeys(_parse_server(server) for server in rest.removesuffix("/").split(","))
    return KafkaAddress(tuple(servers))


def _parse_server(text: str) -> tuple[str, int]:
    found = _SERVER.fullmatch(text)
    if found is not None:
        host, port = found["host"].lower(), int(found["port"] or DEFAULT_PORT)
        if 0 < port <= _MAX_PORT and (_HOST.fullmatch(host) or _is_ipv6(host)):
            return host.strip("[]"), port
    if "/" in text or "?" in text or "#" in text:
        raise ConfigError(
            f"target: an address of Kafka has servers and nothing after them, as in {_EXAMPLE}; "
            "the topics' prefix is QML_KAFKA_TOPIC_PREFIX"
        )
    raise ConfigError(f"target: {text[:100]!r} is no server; an address of Kafka looks like {_EXAMPLE}")


def _is_ipv6(host: str) -> bool:
    if not host.startswith("["):
        return False
    try:
        ipaddress.IPv6Address(host.strip("[]"))
    except ValueError:
        return False
    return True
