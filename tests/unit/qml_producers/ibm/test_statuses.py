import pytest
from qiskit.providers import JobStatus

from qml_producers.ibm.statuses import failure_code, status_of, text_of
from quantum_mlops.events.job_status import STATUSES


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Queued", "queued"),
        ("INITIALIZING", "created"),
        (JobStatus.RUNNING, "running"),
        (JobStatus.DONE, "completed"),
        ("Completed", "completed"),
        ("ERROR", "failed"),
        ("Cancelled", "cancelled"),
        ("Cancelled - Ran too long", "failed"),
        ("Paused", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_words_of_the_service_the_sdk_and_qiskit_become_statuses(word, status):
    assert status_of(word) == status
    assert status in STATUSES
    assert isinstance(text_of(word), str)


def test_failures_have_the_names_of_the_sdks_exceptions():
    import qiskit_ibm_runtime

    for name in (failure_code("ERROR"), failure_code("ERROR", 1305), failure_code("CANCELLED - RAN TOO LONG")):
        assert hasattr(qiskit_ibm_runtime, name)
    assert failure_code("ERROR") != failure_code("ERROR", 1305) == failure_code("CANCELLED - RAN TOO LONG")
