"""The list of metrics keeps to its own rules."""

import re

import pytest

from qml_daemon.metrics.bounds import CAPS
from qml_daemon.metrics.catalogue import METRICS, WATCHED

FORBIDDEN = {"run", "run_id", "runid", "job", "job_id", "qubit", "circuit", "user", "name", "message", "step"}
CLOSED = {"status", "severity", "type", "label"}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_name_says_prefix_noun_and_unit(metric):
    assert re.fullmatch(r"qml(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    if metric.unit in {"seconds", "bytes"}:
        assert metric.name.endswith(f"_{metric.unit}")
    if metric.unit == "timestamp":
        assert metric.name.endswith("_timestamp_seconds")
    assert metric.help.endswith(".")
    assert bool(metric.buckets) == (metric.kind == "histogram")
    assert list(metric.buckets) == sorted(set(metric.buckets))


def test_no_name_stands_twice():
    names = [metric.name for metric in METRICS]
    assert sorted(set(names)) == sorted(names)


def test_no_label_is_a_run_a_job_a_qubit_or_text():
    assert not {label for metric in METRICS for label in metric.labels} & FORBIDDEN


def test_every_label_that_comes_from_outside_is_bounded():
    assert {label for metric in WATCHED for label in metric.labels} == CAPS.keys() | CLOSED
