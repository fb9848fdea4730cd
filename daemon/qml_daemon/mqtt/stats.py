"""What the bridge counted."""

from msgspec import Struct


class MqttStats(Struct, frozen=True, kw_only=True):
    """Counts since the start. `fault` is why nothing comes now, None while it may.

    `rejected` is by the code of the reason; these are dead letters. `sessions_lost` counts the connections at which
    the broker no longer knew this daemon: what it had kept is gone. `dropped` messages came without acknowledgement
    (QoS 0) and faster than the log takes them. `waiting` messages are received and not stored.
    """

    url: str
    connected: bool
    fault: str | None
    connections: int
    sessions_lost: int
    messages: int
    events: int
    rejected: dict[str, int]
    dropped: int
    waiting: int
