"""From figures to Prometheus's formats: a registry of our own, filled anew for each scrape."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from qml_daemon.metrics.catalogue import METRICS, Metric
from qml_daemon.metrics.tally import Distribution, Figure

Source = Callable[[], Iterable[Figure]]
"""Gives figures of metrics in the list; called in the thread of a scrape."""

_Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


class FigureCollector(Collector):
    """Asks the sources at each scrape and puts their figures under the names of the list. Thread-safe as they are."""

    def __init__(self, sources: Sequence[Source], metrics: Sequence[Metric] = METRICS) -> None:
        self._sources = sources
        self._metrics = metrics

    def describe(self) -> Iterator[_Family]:
        """Yield the names without numbers."""
        return (_open(metric) for metric in self._metrics)

    def collect(self) -> Iterator[_Family]:
        """Yield all metrics, in the order of the list; one without figures is there by name.

        Raises:
            KeyError: a source gives a figure that is not in the list.

        """
        families = {metric.name: (_open(metric), metric) for metric in self._metrics}
        for source in self._sources:
            for figure in source():
                _add(*families[figure.name], figure)
        return (family for family, _ in families.values())


def build_registry(sources: Sequence[Source]) -> CollectorRegistry:
    """Return a registry of these sources and of the process itself; nothing global is touched."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(FigureCollector(sources))
    ProcessCollector(registry=registry)
    return registry


def _open(metric: Metric) -> _Family:
    match metric.kind:
        case "counter":
            return CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
        case "gauge":
            return GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
        case "histogram":
            return HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)


def _add(family: _Family, metric: Metric, figure: Figure) -> None:
    value = figure.value
    if isinstance(family, HistogramMetricFamily):
        if not isinstance(value, Distribution):
            raise TypeError(f"{metric.name}: a histogram has distributions")
        bounds = [*map(floatToGoString, metric.buckets), "+Inf"]
        family.add_metric(figure.labels, list(zip(bounds, accumulate(value.counts), strict=True)), value.total)
    elif isinstance(value, Distribution):
        raise TypeError(f"{metric.name}: only a histogram has distributions")
    else:
        family.add_metric(figure.labels, float(value))
