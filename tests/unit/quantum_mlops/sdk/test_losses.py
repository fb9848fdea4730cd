import threading

from quantum_mlops.sdk.losses import Losses


def test_losses_of_many_threads_add_up_exactly():
    losses = Losses()

    def lose():
        for _ in range(2000):
            losses.count("queue_full", "job.completed")

    threads = [threading.Thread(target=lose) for _ in range(4)]
    taken = 0
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken += (dropped := losses.take()) is not None and dropped.count
    for thread in threads:
        thread.join()
    last = losses.take()
    assert taken + (last.count if last else 0) == 8000
    assert losses.total() == {("queue_full", "job.completed"): 8000}


def test_a_report_tells_reasons_types_and_the_span_of_time():
    losses = Losses()
    assert losses.take() is None
    losses.count("queue_full", "a", 3)
    losses.count("invalid", ["no", "text"])
    report = losses.take()
    assert (report.count, report.reasons, report.types) == (4, {"queue_full": 3, "invalid": 1}, {"a": 3, "unknown": 1})
    assert report.first_time <= report.last_time
    assert losses.take() is None


def test_the_next_report_begins_after_the_last():
    losses = Losses()
    losses.count("invalid", "a")
    first = losses.take()
    losses.count("invalid", "a")
    second = losses.take()
    assert second.count == 1
    assert second.first_time >= first.last_time
