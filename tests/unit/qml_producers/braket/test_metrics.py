"""Metrics of hybrid jobs: printed as the SDK prints them, and recorded."""

import math
import pickle

from braket.jobs import metrics


def test_a_metric_is_printed_and_recorded(installed, events, capsys):
    metrics.log_metric("loss", 0.5, timestamp=1_700_000_000.25, iteration_number=3)
    metrics.log_metric(metric_name="accuracy", value=1)
    assert capsys.readouterr().out.splitlines()[0] == "Metrics - timestamp=1700000000.25; loss=0.5; iteration_number=3;"
    first, second = events("metric.logged")
    assert (first.data.values, first.context.step, first.time) == ({"loss": 0.5}, 3, 1_700_000_000_250_000_000)
    assert (second.data.values, second.context.step) == ({"accuracy": 1.0}, None)


def test_a_metric_that_is_not_finite_travels_by_name(installed, events):
    metrics.log_metric("loss", math.nan)
    assert events("metric.logged")[0].data.nonfinite == {"loss": "nan"}


def test_what_is_no_number_is_printed_and_counted(recorder, instrumentation, capsys):
    undo = instrumentation.install(recorder, metrics)
    metrics.log_metric("loss", "low")
    undo()
    assert "loss=low" in capsys.readouterr().out
    assert recorder.stats().reasons == {"invalid": 1}


def test_the_function_pickles_by_its_name_and_keeps_its_signature(installed):
    import inspect

    assert pickle.loads(pickle.dumps(metrics.log_metric)) is metrics.log_metric  # noqa: S301 - our own
    assert list(inspect.signature(metrics.log_metric).parameters)[:2] == ["metric_name", "value"]


def test_after_the_undo_a_kept_reference_records_nothing(recorder, instrumentation, events):
    undo = instrumentation.install(recorder, metrics)
    kept = metrics.log_metric
    undo()
    kept("loss", 0.5)
    assert not events("metric.logged")
