"""Loads aiokafka, and what of ours needs it, in the thread that ships: it takes 0.2 s."""

from quantum_mlops.shipping.loading import load_modules

_NEEDED = (
    "encodings.idna",  # which looking up a host's name loads
    "quantum_mlops.shipping.kafka.answer",
    "quantum_mlops.shipping.loop",
    "quantum_mlops.shipping.kafka.outbox",
    "quantum_mlops.shipping.kafka.quiet",
    "quantum_mlops.transports.kafka.oauth",
    "quantum_mlops.transports.kafka.topics",
)


def load() -> None:
    """Import everything that sending to Kafka needs.

    Raises:
        ModuleNotFoundError: aiokafka is not installed.

    """
    load_modules(_NEEDED)
