import copy
import pickle
import threading
from concurrent.futures import Future

import pytest
from qiskit.primitives import BasePrimitiveJob

from qml_producers.qiskit.jobs import End, WatchedJob, watch


class RemoteJob(BasePrimitiveJob):
    """A job without a future, as a provider's: its result is fetched by `result()`."""

    def __init__(self, outcome):
        super().__init__("remote-1")
        self.outcome = outcome
        self.calls = 0

    def result(self, timeout=None):
        self.calls += 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def status(self):
        return "DONE"

    def done(self):
        return True

    def running(self):
        return False

    def cancelled(self):
        return False

    def in_final_state(self):
        return True

    def cancel(self):
        return None


def test_a_remote_job_reports_the_first_result_and_is_asked_only_when_the_user_asks():
    ends = []
    inner = RemoteJob([1, 2])
    job = watch(inner, ends.append)
    assert (inner.calls, ends) == (0, [])
    assert isinstance(job, BasePrimitiveJob)
    assert job.job_id() == "remote-1"
    assert job.result(timeout=3) == job.result() == [1, 2]
    assert inner.calls == 2
    assert ends == [End(result=[1, 2])]


def test_a_remote_jobs_error_is_the_users_and_reported_once():
    ends = []
    error = ValueError("lost")
    job = watch(RemoteJob(error), ends.append)
    for _ in range(2):
        with pytest.raises(ValueError, match="lost"):
            job.result()
    assert ends == [End(error=error)]


def test_results_read_by_many_threads_are_reported_once():
    ends = []
    job = watch(RemoteJob([1]), ends.append)
    threads = [threading.Thread(target=job.result) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ends) == 1


def test_a_watched_job_pickles_and_copies_as_the_job_itself():
    job = WatchedJob(RemoteJob([1]), print)
    for again in (pickle.loads(pickle.dumps(job)), copy.copy(job), copy.deepcopy(job)):  # noqa: S301 - our own bytes
        assert type(again) is RemoteJob
        assert again.job_id() == "remote-1"


class FutureJob(RemoteJob):
    """A job that holds a future, as Qiskit's own."""

    def __init__(self):
        super().__init__(None)
        self._future = Future()


def test_a_job_with_a_future_is_handed_out_as_it_is_and_calls_back():
    ends = []
    inner = FutureJob()
    assert watch(inner, ends.append) is inner
    inner._future.set_result([3])
    assert (ends, inner.calls) == ([End(result=[3])], 0)


def test_errors_and_cancellation_of_a_future_are_told_apart():
    ends = []
    error = ValueError("lost")
    failed, cancelled = FutureJob(), FutureJob()
    for job in (failed, cancelled):
        watch(job, ends.append)
    failed._future.set_exception(error)
    assert cancelled._future.cancel()
    assert ends == [End(error=error), End()]
