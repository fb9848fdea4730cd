"""What every way of sending has in common, and which one an address asks for."""

from collections.abc import Mapping
from typing import Protocol

from quantum_mlops.shipping.address import Address, Credential
from quantum_mlops.shipping.answer import Rejected
from quantum_mlops.shipping.kafka.address import KafkaAddress


class Connection(Protocol):
    """A service or a Kafka cluster. Not thread-safe; opens itself at the first post."""

    @property
    def address(self) -> Address | KafkaAddress:
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


def make_connection(address: Address | KafkaAddress, environ: Mapping[str, str]) -> Connection:
    """Return the client for an address, not connected; secrets are found by `environ`."""
    # Imported here: each kind brings its own protocol.
    if isinstance(address, KafkaAddress):
        from quantum_mlops.shipping.kafka.client import KafkaClient  # noqa: PLC0415

        return KafkaClient(address, environ)
    from quantum_mlops.shipping.client import Client  # noqa: PLC0415

    return Client(address, Credential(environ))
