from types import SimpleNamespace

from qml_producers.ionq.submissions import Submission, Submissions, mitigation
from qml_producers.observing.reports import Reports


def _submission(job_id):
    return Submission(Reports(SimpleNamespace(current_run=lambda: None)).begin(), "simulator", job_id=job_id)


def test_only_so_many_jobs_are_followed_the_newest():
    submissions = Submissions(most=3)
    for number in range(10):
        submissions.add(_submission(str(number)))

    assert len(submissions) == 3
    assert submissions.of("6") is None
    assert submissions.of("7") is not None
    assert submissions.of(None) is None


def test_a_job_is_forgotten_once():
    submissions = Submissions()
    submission = _submission("a")
    submissions.add(submission)

    assert submissions.forget(submission)
    assert not submissions.forget(submission)
    assert submissions.of("a") is None


def test_settings_in_the_services_own_words_are_read():
    settings = {"job_settings": {"error_mitigation": {"debiasing": True}}}

    assert mitigation("qpu.forte-1", settings, 2500) == {"debiasing": "true"}
    assert mitigation("simulator", {}, 2500) == {}
