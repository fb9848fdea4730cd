"""A tally: the numbers behind metrics, by name and label values.

Its own few lines in place of prometheus-client's counters, which take a lock for each number and cannot
bound their labels.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from qml_daemon.metrics.bounds import Bounds
from qml_daemon.metrics.catalogue import Metric


class Distribution(NamedTuple):
    """A histogram's content: `counts[i]` observations fell into bucket i, the last one has no bound."""

    counts: tuple[int, ...]
    total: float


class Figure(NamedTuple):
    """One number of a metric, or one histogram."""

    name: str
    labels: tuple[str, ...]
    value: float | Distribution


class Tally:
    """Counters and histograms of some metrics. Not thread-safe; every name must be in the list."""

    def __init__(self, metrics: Sequence[Metric], bounds: Bounds) -> None:
        self._bounds = bounds
        self._metrics = {metric.name: metric for metric in metrics}
        self._numbers: dict[tuple[str, tuple[str, ...]], float] = {}
        self._counts: dict[tuple[str, tuple[str, ...]], list[int]] = {}

    def fit(self, name: str, *labels: str | None) -> tuple[str, ...]:
        """Return the label values under which this counts; `labels` in the order of the list."""
        return self._bounds.fit(self._metrics[name], labels)

    def add(self, name: str, *labels: str | None, amount: float = 1.0) -> None:
        """Add to a counter."""
        if (name, labels) in self._numbers:  # these values are named: most calls end here
            self._numbers[name, labels] += amount  # type: ignore[index]
            return
        self._add((name, self.fit(name, *labels)), amount)

    def observe(self, name: str, *labels: str | None, value: float) -> None:
        """Put a value into a histogram."""
        buckets = self._metrics[name].buckets
        key = (name, self.fit(name, *labels))
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = [0] * (len(buckets) + 1)
        counts[bisect_left(buckets, value)] += 1
        self._add(key, value)

    def figures(self) -> Iterator[Figure]:
        """Yield all there is, copied."""
        for (name, labels), number in self._numbers.items():
            counts = self._counts.get((name, labels))
            yield Figure(name, labels, number if counts is None else Distribution(tuple(counts), number))

    def _add(self, key: tuple[str, tuple[str, ...]], amount: float) -> None:
        self._numbers[key] = self._numbers.get(key, 0.0) + amount
