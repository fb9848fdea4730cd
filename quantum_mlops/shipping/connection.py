"""What every way of sending has in common, and which one an address asks for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from quantum_mlops.config.mqtt_address import MqttAddress
from quantum_mlops.shipping.address import Address, Credential, Target
from quantum_mlops.shipping.answer import Rejected
from quantum_mlops.shipping.kafka.address import KafkaAddress


class Connection(Protocol):
    """A service, a Kafka cluster or an MQTT broker. Not thread-safe; opens itself at the first post."""

    @property
    def address(self) -> Target:
        """Where it leads; as text it begins each line that is said of it."""
        ...

    def post(self, events: list[bytes]) -> list[Rejected]:
        """Send the JSON of events; return those that will never be taken, all others are acknowledged.

        Raises:
            RetryableError: later. Part of the batch may have arrived.
            BatchRefusedError: not in one piece.
            PermanentError: not before a person mends something.

        """
        ...

    def close(self) -> None:
        """Close what is open; idempotent."""
        ...

    def abandon(self) -> None:
        """Let go of what a parent process opened, without a word on the wire: in a forked child."""
        ...


def make_connection(address: Target, environ: Mapping[str, str], folder: Path | None = None) -> Connection:
    """Return the client for an address, not connected; secrets are found by `environ`, `folder` is the spool."""
    # Imported here: each kind brings its own protocol.
    if isinstance(address, KafkaAddress):
        from quantum_mlops.shipping.kafka.client import KafkaClient  # noqa: PLC0415

        return KafkaClient(address, environ)
    if isinstance(address, MqttAddress):
        from quantum_mlops.shipping.mqtt.client import MqttClient  # noqa: PLC0415

        return MqttClient(address, environ, folder)
    from quantum_mlops.shipping.client import Client  # noqa: PLC0415

    return Client(address, Credential(environ))


def find_exposed(address: Target, environ: Mapping[str, str]) -> str | None:
    """Return what to tell the user where others could read a secret on the wire, else None."""
    if isinstance(address, Address) and address.is_open and Credential(environ).is_set:
        return f"the token for {address} travels unencrypted: use https:// outside of this machine"
    if isinstance(address, MqttAddress) and address.is_open:
        from quantum_mlops.shipping.mqtt.access import Access  # noqa: PLC0415 - brings TLS

        if Access.from_environ(environ).has_secret:
            return f"the password for {address} travels unencrypted: use mqtts:// outside of this machine"
    return None
