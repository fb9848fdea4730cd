"""How far everything has arrived: a cursor may not pass a record of which something is still under way."""

from collections import deque

from qml_daemon.exporters.base import Ticket


class Ledger:
    """The tickets of one place (stream and partition), in the order of their offsets.

    >>> ledger, late = Ledger(0), Ticket(5, left=1)
    >>> ledger.note(late); ledger.note(Ticket(6))
    >>> ledger.position()
    5
    >>> late.left = 0
    >>> ledger.position()
    7
    """

    def __init__(self, position: int) -> None:
        self._next = position
        self._open: deque[Ticket] = deque()

    def note(self, ticket: Ticket) -> None:
        """Add the ticket of a record that was read."""
        self._next = ticket.offset + 1
        if ticket.left:
            self._open.append(ticket)

    def position(self) -> int:
        """Return the offset below which everything has arrived."""
        while self._open and not self._open[0].left:
            self._open.popleft()
        return self._open[0].offset if self._open else self._next
