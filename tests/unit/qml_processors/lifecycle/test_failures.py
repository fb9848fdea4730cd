import random

import pytest

from qml_processors.lifecycle.failures import Chart, calm_down, chart_job, normal_share
from qml_processors.lifecycle.record import JobRecord
from quantum_mlops.config.rules.lifecycle import FailuresRule
from quantum_mlops.events.job_status import STATUS_RANKS

DONE, FAILED, CANCELLED = (STATUS_RANKS[status] for status in ("completed", "failed", "cancelled"))
RULE = FailuresRule()


def _chart(outcomes, rule=RULE, chart=None):
    """Return the chart after outcomes (True: failed) and how often it opened."""
    chart = chart or Chart()
    openings = 0
    for number, failed in enumerate(outcomes):
        was_open = chart.open
        chart_job(chart, JobRecord(rank=FAILED if failed else DONE, news=(number, "s", "i")), rule)
        openings += chart.open and not was_open
    return chart, openings


def test_jobs_in_control_become_history_and_the_normal_share_falls():
    chart, openings = _chart([number % 20 == 0 for number in range(300)])
    assert openings == 0
    assert chart.jobs + chart.pending_jobs == 300
    assert normal_share(Chart(), RULE) == 0.5
    assert normal_share(chart, RULE) == 0.075


def test_a_backend_that_breaks_is_found_within_a_few_jobs_and_the_recovery_too():
    chart, _ = _chart([False] * 100)
    chart, openings = _chart([True] * 3, chart=chart)
    assert not chart.open
    chart, openings = _chart([True], chart=chart)
    assert (openings, chart.open) == (1, True)
    assert (chart.pending_failures, chart.pending_jobs, chart.jobs) == (4, 4, 100)
    chart, _ = _chart([False] * 21, chart=chart)
    assert chart.open
    chart, _ = _chart([False], chart=chart)
    assert not chart.open
    assert (chart.jobs, chart.failures) == (100, 0)


def test_a_backend_that_never_worked_is_found_once_there_are_enough_jobs():
    assert not _chart([True] * 29)[0].open
    assert _chart([True] * 30)[0].open


def test_cancelled_jobs_say_nothing():
    chart = Chart()
    chart_job(chart, JobRecord(rank=CANCELLED), RULE)
    assert chart == Chart()


def test_history_before_an_incident_is_kept():
    chart, _ = _chart([False] * 50 + [True] * 12)
    calm_down(chart)
    assert (chart.jobs, chart.rise, chart.pending_jobs, chart.open) == (50, 0, 0, False)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2, 0.4])
def test_false_alarms_are_no_more_frequent_than_declared_although_the_share_is_learned(share):
    """400 backends of 500 jobs with a constant share: declared 1 per 1000, so 200 alarms at most on average."""
    rng = random.Random(f"lifecycle {share}")
    rule = FailuresRule(false_alarms="1 per 1000 observations")
    alarms = sum(_chart((rng.random() < share for _ in range(500)), rule)[1] for _ in range(400))
    # An upper limit of a Poisson count of 200: 99.9 %. What is learned is an upper limit, so the rate is below it.
    assert alarms <= 245
    assert alarms >= 1 or share < 0.05


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_a_rise_by_thirty_points_is_found_in_time(share):
    rng = random.Random(f"rise {share}")
    found = 0
    for _ in range(100):
        chart, _ = _chart(rng.random() < share for _ in range(200))
        calm_down(chart)
        _, openings = _chart((rng.random() < share + 0.3 for _ in range(100)), chart=chart)
        found += openings > 0
    assert found >= 90
