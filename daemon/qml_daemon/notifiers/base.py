"""The contract of a notifier: takes notifications to one receiver, and says whether to try again."""

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from msgspec import Struct

from qml_daemon.notification import Notification


class Pace(Struct, frozen=True):
    """How often a receiver may be spoken to: messages a second, and how many at once."""

    rate: float
    burst: int


class Notifier(Protocol):
    """One kind of receiver, made from its settings.

    The class is called with an instance of its `settings` and reads secrets then (ConfigError: they are
    wrong; the message never holds them). All receivers with one `lane` share one thread and one pace.
    """

    settings: ClassVar[type[Struct]]
    lane: str
    pace: Pace | None

    def send(self, notifications: Sequence[Notification]) -> None:
        """Deliver as one message. Blocks, bounded by its own timeout; called from one thread at a time.

        Raises:
            PermanentError: sending it again cannot help.
            RetryableError: it may; `retry_after_seconds` if the receiver said when.

        """
        ...

    def close(self) -> None:
        """Release connections; idempotent."""
        ...


NotifierKind = Any  # a class that makes a Notifier: entry points carry no types
