"""The exporter seam: what a worker gives to an exporter, and how it learns what has arrived.

An exporter is found by the entry point group `quantum_mlops.exporters`; the name of the entry point is
that of its section under `[exporters]`.
"""

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct, field

from qml_daemon.exporters.store import ExporterStore
from quantum_mlops.config.sections import Config
from quantum_mlops.events import Event


class Ticket(Struct, gc=False):
    """One record of the log: `left` counts what of it has not arrived yet, and is counted down by the exporter."""

    offset: int
    left: int = 0


class Figures(Struct, frozen=True, kw_only=True):
    """What an exporter did since its start; `waiting` is what it holds now, times are nanoseconds UTC.

    `refused` counts what the other system will never take (its dead letters), `notes` are for people.
    """

    sent: Mapping[str, int] = field(default_factory=dict)
    calls: int = 0
    waiting: int = 0
    refused: int = 0
    retries: int = 0
    last_success: int | None = None
    last_refusal: str | None = None
    last_error: str | None = None
    last_error_time: int | None = None
    notes: list[str] = field(default_factory=list)


class Exporter(Protocol):
    """Takes events in the order of the log and sends them, at least once. Used from one thread."""

    @property
    def has_room(self) -> bool:
        """Whether it takes more; it holds a bounded amount."""
        ...

    def take(self, event: Event, ticket: Ticket) -> None:
        """Keep what is to be sent of an event and count it in `ticket.left`. Sends nothing, raises nothing."""
        ...

    def send(self, *, finish: bool) -> float:
        """Send what is due, for about a second; return the seconds until more is. `finish`: gather no longer.

        An error of the other system is counted and waited out here; only a `LogError` of the store passes.
        """
        ...

    def figures(self) -> Figures:
        """Return what was done since the start."""
        ...


class ExporterKind(Protocol):
    """What an entry point names: makes the exporter of a configuration."""

    @staticmethod
    def address(config: Config) -> str | None:
        """Return where it sends, without anything secret; None where it is not configured."""
        ...

    @staticmethod
    def build(config: Config, store: ExporterStore) -> Exporter:
        """Return the exporter; the store keeps what it must not forget.

        Raises:
            UserError: it cannot work as configured, or an extra is missing.

        """
        ...
