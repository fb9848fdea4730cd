"""Loads aiomqtt, and what of ours needs it, in the thread that ships."""

from quantum_mlops.shipping.loading import load_modules

_NEEDED = (
    "encodings.idna",  # which looking up a host's name loads
    "quantum_mlops.shipping.loop",
    "quantum_mlops.shipping.mqtt.answer",
    "quantum_mlops.shipping.mqtt.session",
)


def load() -> None:
    """Import everything that sending to a broker needs.

    Raises:
        ModuleNotFoundError: aiomqtt is not installed.

    """
    load_modules(_NEEDED)
