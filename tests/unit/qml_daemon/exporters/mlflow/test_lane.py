"""Batches: whatever waits, every call is within the server's limits, and everything is written once and in order."""

import json

from hypothesis import given
from hypothesis import strategies as st

from qml_daemon.exporters.base import Ticket
from qml_daemon.exporters.mlflow.entries import End, Metric, Param, Remote, Tag, Target
from qml_daemon.exporters.mlflow.lane import MAX_BYTES, MAX_ENTRIES, MAX_METRICS, MAX_PARAMS, MAX_TAGS, Lane

TARGET = Target("iris", "run", "r1")
METRICS = st.builds(Metric, st.text(max_size=20), st.floats(), st.integers(0, 2**40), st.integers(0, 100))
PARAMS = st.builds(Param, st.sampled_from([f"p{n}" for n in range(150)]), st.text(max_size=6000))
TAGS = st.builds(Tag, st.sampled_from([f"t{n}" for n in range(150)]), st.text(max_size=8000))
ENDS = st.builds(End, st.just("FINISHED"), st.integers(0, 9))


def lane_of(entries, *, own=True):
    lane, ticket = Lane(TARGET, 0.0), Ticket(0)
    lane.adopt(Remote("x"), own=own)
    for entry in entries:
        lane.add(entry, ticket, 0.0)
    return lane, ticket


def drain(lane):
    while lane:
        end = lane.next_end()
        if end is not None:
            lane.settle(1)
            yield end
            continue
        batch, count = lane.next_batch()
        assert count > 0
        yield batch
        lane.settle(count)


@given(st.lists(METRICS | PARAMS | TAGS | ENDS, max_size=60), st.integers(1, 30), st.booleans())
def test_every_batch_is_within_the_limits_and_all_is_written_in_order(some, times, own):
    entries = some * times
    lane, ticket = lane_of(entries, own=own)
    assert ticket.left == len(entries)
    metrics, tags, ends = [], {}, []
    for written in drain(lane):
        if isinstance(written, End):
            ends.append((written, len(metrics)))
            continue
        assert len(written.metrics) <= MAX_METRICS
        assert len(written) <= MAX_ENTRIES
        assert len(written.params) <= MAX_PARAMS
        assert len(written.tags) <= MAX_TAGS
        size = len(json.dumps([(m.name, m.value, m.time_ms, m.step) for m in written.metrics]))
        size += len(json.dumps(written.params)) + len(json.dumps(written.tags))
        assert size <= MAX_BYTES + 100_000
        metrics += written.metrics
        tags |= written.tags
    assert ticket.left == 0
    assert repr(metrics) == repr([entry for entry in entries if isinstance(entry, Metric)])
    expected = {entry.name: entry.value for entry in entries if isinstance(entry, Tag)}
    assert {name: value for name, value in tags.items() if not name.startswith("qml.")} == expected
    assert len(ends) == (sum(isinstance(entry, End) for entry in entries) if own else 0)


def test_a_thousand_metrics_go_in_one_call():
    lane, _ = lane_of([Metric("loss", 0.5, n, n) for n in range(2500)])
    assert [len(batch.metrics) for batch in drain(lane)] == [1000, 1000, 500]


def test_the_end_of_a_run_waits_for_what_came_before():
    lane, _ = lane_of([Metric("a", 1.0, 1), End("FAILED", 2), Metric("b", 1.0, 3)])
    assert [type(one).__name__ for one in drain(lane)] == ["Batch", "End", "Batch"]


def test_a_parameter_that_is_known_is_not_written_again_and_a_changed_one_is_counted():
    lane, ticket = Lane(TARGET, 0.0), Ticket(0)
    lane.adopt(Remote("x", params={"known": "1"}), own=True)
    for entry in (Param("known", "1"), Param("known", "2"), Param("new", "a"), Param("new", "b")):
        lane.add(entry, ticket, 0.0)
    assert [batch.params for batch in drain(lane)] == [{"new": "a"}]
    assert lane.conflicts == 2


def test_the_backends_of_a_run_gather_in_one_tag_across_restarts():
    lane, ticket = Lane(TARGET, 0.0), Ticket(0)
    assert lane.add(Tag("qml.backend", "hanoi"), ticket, 0.0) > 0
    assert lane.add(Tag("qml.backend", "hanoi"), ticket, 0.0) == 0
    lane.adopt(Remote("x", backends="kyoto"), own=True)
    assert [batch.tags for batch in drain(lane)] == [{"qml.backend": "kyoto, hanoi"}]


def test_a_users_run_is_told_whose_events_it_gets_and_keeps_its_name():
    lane, _ = lane_of(
        [Tag("mlflow.runName", "ours", own_only=True), Metric("a", 1.0, 1), Metric("b", 1.0, 1)], own=False
    )
    lane.limit = 2
    assert [batch.tags for batch in drain(lane)] == [{"qml.project": "iris", "qml.run": "r1"}, {}]
