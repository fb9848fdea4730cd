"""Whatever comes from outside, the number of series has a limit."""

from hypothesis import given
from hypothesis import strategies as st

from qml_daemon.metrics.bounds import LONGEST, MOST_HISTOGRAMS, MOST_SERIES, Bounds
from qml_daemon.metrics.catalogue import Metric

JOBS = Metric(name="qml_jobs_total", kind="counter", group="jobs", help="", labels=("backend", "project", "status"))
QUEUE = Metric(name="qml_q_seconds", kind="histogram", group="jobs", help="", labels=("backend",), buckets=(1.0,))


def test_the_first_values_keep_their_names_and_the_rest_is_other():
    bounds = Bounds({"backend": 2, "project": 2})
    for backend in ("a", "b", "c", "a"):
        last = bounds.fit(JOBS, (backend, "p", "failed"))
    assert last == ("a", "p", "failed")
    assert bounds.fit(JOBS, ("d", "p", "failed")) == ("other", "p", "failed")
    assert bounds.overflow == {"backend": 2, "project": 0}


def test_what_is_not_known_is_named_so_and_takes_nobodys_place():
    bounds = Bounds({"backend": 1, "project": 1})
    assert bounds.fit(JOBS, (None, "", "failed")) == ("unknown", "unknown", "failed")
    assert bounds.fit(JOBS, ("other", "p", "failed")) == ("other", "p", "failed")
    assert bounds.fit(JOBS, ("a", "p", "failed")) == ("a", "p", "failed")
    assert bounds.overflow == {"backend": 0, "project": 0}


def test_a_value_too_long_for_a_label_is_other():
    bounds = Bounds({"backend": 5, "project": 5})
    assert bounds.fit(JOBS, ("b" * LONGEST, "p" * (LONGEST + 1), "failed")) == ("b" * LONGEST, "other", "failed")
    assert bounds.overflow["project"] == 1


def test_combinations_over_the_bound_lose_their_open_labels_only():
    bounds = Bounds({"backend": 100, "project": 100})
    seen = {bounds.fit(JOBS, (f"b{i}", f"p{j}", "failed")) for i in range(30) for j in range(30)}
    assert len(seen) == MOST_SERIES + 1
    assert ("other", "other", "failed") in seen
    assert bounds.overflow == {"backend": 900 - MOST_SERIES, "project": 900 - MOST_SERIES}


def test_histograms_have_a_lower_bound():
    bounds = Bounds({"backend": 100})
    assert len({bounds.fit(QUEUE, (f"b{i}",)) for i in range(90)}) == MOST_HISTOGRAMS + 1


@given(st.lists(st.tuples(st.text(max_size=150), st.text(max_size=150), st.sampled_from(["failed", "completed"]))))
def test_any_values_come_to_a_bounded_number_of_series(values):
    bounds = Bounds({"backend": 3, "project": 4})
    seen = {bounds.fit(JOBS, one) for one in values}
    assert len({backend for backend, _, _ in seen} - {"other", "unknown"}) <= 3
    assert len({project for _, project, _ in seen} - {"other", "unknown"}) <= 4
