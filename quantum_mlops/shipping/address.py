"""The address of a service, and the secret that opens it.

The secret stands in no address, no argument and no `repr`; it is read anew for each connection, so
that a file may be replaced while a program runs.
"""

import hashlib
import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from quantum_mlops.config import mqtt_address
from quantum_mlops.config.mqtt_address import MqttAddress, parse_mqtt_address
from quantum_mlops.errors import ConfigError
from quantum_mlops.shipping.kafka.address import SCHEME, KafkaAddress, parse_kafka_address

TARGETS = ("http://", "https://", f"{SCHEME}://", *mqtt_address.TARGETS)
DEFAULT_PORT = {"http": 8765, "https": 443}
OUTGOING = ".to-"
EVENTS_PATH = "/api/v1/events"
_MAX_TOKEN_BYTES = 4096
_TOKEN = re.compile(r"[\x21-\x7e]+", re.ASCII)


class Address(Struct, frozen=True):
    """Where events are posted. `prefix` is the path before `/api/v1/…`, without a slash at its end.

    >>> str(Address("http", "localhost", 8765))
    'http://localhost:8765'
    """

    scheme: str
    host: str
    port: int
    prefix: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.prefix}"

    @property
    def is_open(self) -> bool:
        """Whether others can read on the wire what is sent."""
        return self.scheme == "http" and not self.is_loopback

    @property
    def identity(self) -> str:
        """What tells this service from others."""
        return str(self)

    @property
    def path(self) -> str:
        """The path of the events' door."""
        return self.prefix + EVENTS_PATH

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine, as far as its name says."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


Target = Address | KafkaAddress | MqttAddress


def parse_target(text: str) -> Target:
    """Return the address of a service, of a Kafka cluster (`kafka://host:9092`) or of an MQTT broker (`mqtt://host`).

    Raises:
        ConfigError: as `parse_address`, `parse_kafka_address` and `parse_mqtt_address`.

    """
    if text.lower().startswith(mqtt_address.TARGETS):
        return parse_mqtt_address(text)
    return parse_kafka_address(text) if text.lower().startswith(f"{SCHEME}://") else parse_address(text)


def parse_address(text: str) -> Address:
    """Return the address in `http://host:8765` or `https://host/prefix`.

    Raises:
        ConfigError: it is none, or it holds what does not belong there; a password is not repeated.

    >>> parse_address("https://monitor.example/qml/")
    Address(scheme='https', host='monitor.example', port=443, prefix='/qml')

    """
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname or ""
    except ValueError as error:
        raise ConfigError(f"target: {error}; it looks like https://host:8765") from error
    if parts.username is not None or parts.password is not None:
        raise ConfigError("target: a secret does not belong into an address; set QML_TOKEN or QML_TOKEN_FILE")
    if parts.scheme not in DEFAULT_PORT or not host or not re.fullmatch(r"[\w.:%-]+", host, re.ASCII):
        raise ConfigError(f"target {text[:100]!r}: an address looks like https://host:8765")
    if parts.query or parts.fragment or not re.fullmatch(r"[\w./~-]*", parts.path, re.ASCII):
        raise ConfigError("target: an address has a host, a port and at most a plain path, as in https://host:8765")
    return Address(parts.scheme, host, DEFAULT_PORT[parts.scheme] if port is None else port, parts.path.rstrip("/"))


def outgoing_folder(spool: Path, address: Target, project: str, topics: str = "") -> Path:
    """Return where events for a service wait: one folder for each service, project and user.

    In Kafka's case `topics` is the prefix of the topics that they are for.

    Its name begins with a point: daemons that read `spool` pass it over. Projects are apart because
    what another process left there is sent with this one's token.

    >>> outgoing_folder(Path("/spool"), Address("https", "monitor.example", 443), "iris").name[:24]
    '.to-monitor.example-443-'
    """
    whose = f"{address.identity}\n{os.getuid()}\n{project}" + (f"\n{topics}" if topics else "")
    digest = hashlib.sha256(whose.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    host, port = min(address.servers) if isinstance(address, KafkaAddress) else (address.host, address.port)
    name = re.sub(r"[^\w.-]", "_", host)[:100]
    return spool / f"{OUTGOING}{name}-{port}-{digest}"


class Credential(Struct, frozen=True):
    """Where the bearer token is: in the environment, in a file, or nowhere."""

    environ: Mapping[str, str]

    def __repr__(self) -> str:
        return "Credential(...)"

    @property
    def is_set(self) -> bool:
        """Whether there is a token to send."""
        return bool(self.environ.get("QML_TOKEN") or self.environ.get("QML_TOKEN_FILE"))

    def read(self) -> str | None:
        """Return the token, None where none is set. May read a file.

        Raises:
            ConfigError: there is one that cannot be read or sent; the message does not hold it.

        """
        name, token = "QML_TOKEN", self.environ.get("QML_TOKEN", "").strip()
        path = self.environ.get("QML_TOKEN_FILE", "")
        if not token and path:
            name = f"QML_TOKEN_FILE {path}"
            try:
                with Path(path).open("rb") as file:
                    token = file.read(_MAX_TOKEN_BYTES).decode("ascii").strip()
            except (OSError, ValueError) as error:
                raise ConfigError(f"{name}: {getattr(error, 'strerror', None) or 'no text of ASCII'}") from None
            if not token:
                raise ConfigError(f"{name}: the file is empty")
        if not token:
            return None
        if not _TOKEN.fullmatch(token):
            raise ConfigError(f"{name}: a token is one word of printable ASCII")
        return token
