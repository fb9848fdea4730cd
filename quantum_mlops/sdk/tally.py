"""Counts what is submitted between two points of a run: executions, jobs, shots, estimated cost.

The instrumentations add, from any thread and without a lock; the recorder's thread reads.
"""

import contextlib
from collections import deque
from decimal import Decimal
from typing import Final, NamedTuple

from quantum_mlops.events import Money

_MOST: Final = 64


class Counts(NamedTuple):
    """What was counted. `costs` are (currency, amount), `priced` the jobs that they are the costs of.

    `expected` are executions that the method of the gradient should take, told by who knows the method.
    """

    jobs: int = 0
    executions: int = 0
    shots: int = 0
    expected: int = 0
    priced: int = 0
    costs: tuple[tuple[str, Decimal], ...] = ()


class Tally:
    """Sums; every method is thread-safe.

    >>> tally = Tally()
    >>> tally.add(Counts(jobs=1, executions=16, shots=16000))
    >>> tally.add_cost(Money(amount="0.30", currency="USD"))
    >>> tally.total()
    Counts(jobs=1, executions=16, shots=16000, expected=0, priced=1, costs=(('USD', Decimal('0.30')),))
    """

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: deque[Counts] = deque()

    def add(self, counts: Counts) -> None:
        """Add to all sums."""
        self._parts.append(counts)
        if len(self._parts) >= _MOST:
            self._fold()

    def add_cost(self, money: Money) -> None:
        """Add what one job is estimated to cost. Currencies stay apart."""
        self.add(Counts(priced=1, costs=((money.currency, Decimal(money.amount)),)))

    def total(self) -> Counts:
        """Return the sums."""
        self._fold()
        return _sum(list(self._parts))

    def _fold(self) -> None:
        """Put the sum of some parts in their place; each part is taken by one thread only."""
        taken = []
        for _ in range(len(self._parts)):
            with contextlib.suppress(IndexError):  # another thread took the rest
                taken.append(self._parts.popleft())
        if taken:
            self._parts.append(_sum(taken))


def _sum(parts: list[Counts]) -> Counts:
    costs: dict[str, Decimal] = {}
    for part in parts:
        for currency, amount in part.costs:
            costs[currency] = costs.get(currency, Decimal(0)) + amount
    return Counts(
        sum(part.jobs for part in parts),
        sum(part.executions for part in parts),
        sum(part.shots for part in parts),
        sum(part.expected for part in parts),
        sum(part.priced for part in parts),
        tuple(costs.items()),
    )
