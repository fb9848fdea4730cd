"""Bounds of labels: the first so many values stand for themselves, the rest for `other`.

Whatever projects, backends or rules there are, the number of series has a limit: one for the values of each
label, and one for the combinations within each metric. First come, first named, until the next start.
"""

from collections.abc import Mapping

from qml_daemon.metrics.catalogue import Metric

OTHER = "other"
UNKNOWN = "unknown"
LONGEST = 128
MOST_SERIES = 300
MOST_HISTOGRAMS = 50
"""Within one metric. A histogram is as many lines as ten numbers."""

CAPS: Mapping[str, int] = {"backend": 100, "project": 100, "rule": 100, "provider": 20, "currency": 20, "reason": 30}
"""Greatest number of values of an open label. A label that is not here takes its values from a list of ours."""


class Bounds:
    """Which values and combinations are named. Not thread-safe; `overflow` counts by label what became `other`."""

    def __init__(self, caps: Mapping[str, int] = CAPS) -> None:
        self._caps = caps
        self._named: dict[str, set[str]] = {label: set() for label in caps}
        self._series: dict[str, set[tuple[str, ...]]] = {}
        self.overflow: dict[str, int] = dict.fromkeys(caps, 0)

    def fit(self, metric: Metric, values: tuple[str | None, ...]) -> tuple[str, ...]:
        """Return the values under which an observation counts; None is `unknown`.

        >>> from qml_daemon.metrics.catalogue import Metric
        >>> bounds = Bounds({"project": 1})
        >>> metric = Metric(name="qml_runs_active", kind="gauge", group="runs", help="", labels=("project",))
        >>> bounds.fit(metric, ("a",)), bounds.fit(metric, ("b",)), bounds.overflow
        (('a',), ('other',), {'project': 1})
        """
        labels = metric.labels
        fitted = tuple(
            self._fit(label, value or UNKNOWN) if label in self._caps else value or UNKNOWN
            for label, value in zip(labels, values, strict=True)
        )
        series = self._series.setdefault(metric.name, set())
        if fitted in series:
            return fitted
        if len(series) >= (MOST_HISTOGRAMS if metric.kind == "histogram" else MOST_SERIES):
            # The combinations are too many: one that was not seen yet loses all its open labels.
            for label in set(labels) & set(self._caps):
                self.overflow[label] += 1
            return tuple(OTHER if label in self._caps else value for label, value in zip(labels, fitted, strict=True))
        series.add(fitted)
        return fitted

    def _fit(self, label: str, value: str) -> str:
        named = self._named[label]
        if value in named:
            return value
        if len(named) < self._caps[label] and len(value) <= LONGEST and value not in {OTHER, UNKNOWN}:
            named.add(value)
            return value
        if value in {OTHER, UNKNOWN}:
            return value
        self.overflow[label] += 1
        return OTHER
