import re
import threading
import time

import msgspec
import pytest

from quantum_mlops.events import Context, Job, MetricLogged, type_name
from quantum_mlops.sdk import delivery
from quantum_mlops.sdk import recorder as recorder_module
from quantum_mlops.sdk.recorder import Item, Recorder
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.spool.reader import read_folder

METRIC = MetricLogged(values={"loss": 1.0})


def holding(go_on, entered=None):
    """A builder that keeps the writer's thread until told."""

    def build():
        if entered is not None:
            entered.set()
        go_on.wait(10)
        return []

    return build


def test_what_is_emitted_is_written_with_source_id_time_and_run(recorder, written):
    before = time.time_ns()
    with recorder.run("vqc") as run:
        assert recorder.emit("metric.logged", METRIC)
    (event,) = written("metric.logged")
    assert re.fullmatch(rf"qml://[^/]+/{recorder.nonce}/\d+", event.source)
    assert re.fullmatch(r"[0-9a-f]{16}", event.id)
    assert before <= event.time <= time.time_ns()
    assert (event.project, event.partitionkey, event.context) == ("iris", "iris", Context(runid=run.id))
    assert event.data == METRIC


def test_ids_of_each_stream_count_without_holes_and_streams_are_key_and_class(recorder, written):
    for number in range(5):
        recorder.emit("metric.logged", METRIC)
        recorder.emit("job.created", Job(job_id=str(number)))
        recorder.emit("job.created", Job(job_id=str(number)), partitionkey="hanoi")
    streams = {}
    for event in written():
        streams.setdefault((event.partitionkey, event.type == type_name("metric.logged"), event.source), []).append(
            event.id
        )
    assert {(key, bulk) for key, bulk, _ in streams} == {("iris", True), ("iris", False), ("hanoi", False)}
    assert len(streams) == 3
    for ids in streams.values():
        assert [int(number, 16) for number in ids] == list(range(len(ids)))


def test_events_are_on_the_disk_without_flush_or_close(recorder, spool):
    recorder.emit("metric.logged", METRIC)
    until = time.monotonic() + 5
    while not any(event.data == METRIC for event in read_folder(spool)):
        assert time.monotonic() < until
        threading.Event().wait(0.01)


def test_flush_waits_for_everything_before_it(recorder, spool):
    for _ in range(1000):
        recorder.emit("metric.logged", METRIC)
    assert recorder.flush(10)
    assert sum(event.data == METRIC for event in read_folder(spool)) == 1000


def test_flush_gives_up_at_its_deadline(recorder):
    go_on = threading.Event()
    recorder.defer(holding(go_on))
    start = time.monotonic()
    assert not recorder.flush(0.1)
    assert time.monotonic() - start < 5
    go_on.set()
    assert recorder.flush(10)


def test_flush_inside_a_builder_does_not_wait_for_itself(recorder):
    answers = []
    recorder.defer(lambda: answers.append(recorder.flush(10)) or [])
    assert recorder.flush(10)
    assert answers == [False]


def test_a_builder_runs_in_the_writer_s_thread_with_time_and_run_of_the_call(recorder, written):
    threads = []

    def build():
        threads.append(threading.current_thread().name)
        yield Item("job.completed", Job(job_id="1"))
        yield Item("metric.logged", {"values": {"loss": 1}}, context={"step": 9})
        yield Item("calibration.note", {"a": 1}, partitionkey="hanoi", time=5)

    with recorder.run("vqc") as run:
        recorder.defer(build, context={"subject": "job-1"})
        called = time.time_ns()
    events = [event for event in written() if event.context.subject == "job-1"]
    assert threads == ["quantum-mlops"]
    job, metric, note = (
        next(event for event in events if event.type.endswith(end))
        for end in ("job.completed.v1", "metric.logged.v1", "note")
    )
    assert job.time <= called
    assert job.time == metric.time
    assert (note.time, note.partitionkey) == (5, "hanoi")
    assert {event.context.runid for event in events} == {run.id}
    assert metric.context.step == 9


def test_a_builder_that_raises_is_one_loss_and_said_once(recorder, written, capsys):
    def build():
        yield Item("job.completed", Job(job_id="1"))
        raise SystemExit("no")

    for _ in range(3):
        recorder.defer(build, type="job.completed")
    assert len(written("job.completed")) == 3
    assert recorder.stats().reasons == {"builder_failed": 3}
    assert capsys.readouterr().err.count("event job.completed not sent (builder_failed): SystemExit: no") == 1


def test_losses_are_reported_as_an_event(recorder, written):
    recorder.emit("job.created", {"colour": "red"})
    recorder.emit("job.created", Job(job_id="1"))
    (dropped,) = written("emitter.dropped")
    assert dropped.partitionkey == "iris"
    assert (dropped.data.count, dropped.data.reasons) == (1, {"invalid": 1})
    assert dropped.data.types == {"job.created": 1}
    assert dropped.data.first_time <= dropped.data.last_time


def test_the_newest_are_dropped_when_the_queue_is_full_and_all_are_accounted_for(recorder, written, monkeypatch):
    monkeypatch.setattr(recorder_module, "QUEUE_ENTRIES", 100)
    go_on = threading.Event()
    entered = threading.Event()
    recorder.defer(holding(go_on, entered))
    assert entered.wait(10)
    answers = [recorder.emit("com.example.note", {"n": number}) for number in range(300)]
    go_on.set()
    kept = [msgspec.json.decode(event.data.json)["n"] for event in written("com.example.note")]
    assert kept == list(range(sum(answers)))
    assert sum(answers) == 100
    assert recorder.stats().reasons == {"queue_full": 200}


def test_what_builders_keep_alive_is_bounded_too(recorder):
    go_on, entered = threading.Event(), threading.Event()
    recorder.defer(holding(go_on, entered), size_bytes=1)
    assert entered.wait(10)
    answers = [recorder.defer(list, size_bytes=2**20, type="shots.measured") for _ in range(20)]
    go_on.set()
    assert answers.count(True) == 15
    assert recorder.flush(10)
    assert recorder.defer(list, size_bytes=2**24)
    assert recorder.stats().reasons == {"queue_full": 5}


def test_emitting_never_waits_for_a_stuck_writer(recorder):
    go_on = threading.Event()
    recorder.defer(holding(go_on))
    start = time.monotonic()
    for _ in range(1000):
        recorder.emit("metric.logged", METRIC)
    assert time.monotonic() - start < 1
    go_on.set()


def test_an_event_over_the_limit_is_refused_and_the_next_goes_on(recorder, written):
    recorder.emit("com.example.note", {"text": "x" * 70_000})
    recorder.emit("com.example.note", {"text": "small"})
    assert len(written("com.example.note")) == 1
    assert recorder.stats().reasons == {"too_large": 1}


def test_closing_twice_is_closing_once_and_later_events_are_counted(recorder, spool):
    recorder.emit("metric.logged", METRIC)
    assert recorder.close()
    assert recorder.close()
    assert not recorder.emit("metric.logged", METRIC)
    assert recorder.stats().reasons == {"closed": 1}
    assert not recorder.enabled  # instrumentations copy nothing any more
    assert not recorder.stats().enabled


def test_a_recorder_that_never_recorded_leaves_nothing(recorder, spool):
    assert recorder.flush()
    assert recorder.close()
    assert not spool.exists()


def test_a_disabled_recorder_does_nothing_at_all(spool):
    recorder = Recorder(Settings(spool=str(spool), enabled=False))
    with recorder.run("x") as run:
        assert not recorder.emit("metric.logged", METRIC)
        assert not recorder.log_metrics({"a": 1})
        assert not recorder.defer(list)
        assert not run.active
        assert recorder.current_run() is None
    assert recorder.flush()
    assert recorder.close()
    assert recorder.stats().dropped == 0
    assert not spool.exists()


def test_where_no_thread_can_be_had_the_end_writes(recorder, written, monkeypatch, capsys):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    recorder.emit("metric.logged", METRIC)
    assert "no thread for the recorder" in capsys.readouterr().err
    assert recorder.flush()
    recorder.emit("metric.logged", METRIC)
    assert len(written("metric.logged")) == 2


def test_the_thread_survives_a_fault_of_the_delivery(recorder, written, monkeypatch):
    real = delivery.Delivery.write
    faults = iter([MemoryError("full")])

    def write(self):
        for fault in faults:
            raise fault
        return real(self)

    monkeypatch.setattr(delivery.Delivery, "write", write)
    recorder.emit("metric.logged", METRIC)
    assert recorder.flush(10) or recorder.flush(10)
    assert len(written("metric.logged")) == 1


def test_stats_add_up(recorder):
    for _ in range(10):
        recorder.emit("metric.logged", METRIC)
    recorder.emit("nonsense", object())
    recorder.flush(10)
    stats = recorder.stats()
    assert stats.written >= 11
    assert (stats.queued, stats.waiting, stats.dropped) == (0, 0, 1)
    assert stats.spool_bytes > 0


@pytest.mark.parametrize("kind", [None, 7, [], {}, "", "x" * 600, "\ud800"])
def test_a_hostile_type_is_counted_not_raised(recorder, written, kind):
    recorder.emit(kind, METRIC)
    recorder.emit("metric.logged", METRIC)
    assert len(written("metric.logged")) == 1
    assert recorder.stats().reasons == {"invalid": 1}
