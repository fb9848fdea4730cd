"""Without patching: one backend that is watched."""

import copy
import pickle

import pytest
from qiskit.primitives import BackendSamplerV2
from qiskit_ionq.ionq_backend import IonQBackend
from qiskit_ionq.ionq_job import IonQJob

from qml_producers.ionq.wrong_bits import WARNING
from quantum_mlops.events import short_name


@pytest.fixture
def watched(recorder, instrumentation, qpu):
    return instrumentation.wrap(recorder, qpu)


def test_its_jobs_are_told(cloud, watched, ghz, events):
    cloud.statuses = ("ready", "completed")
    job = watched.run(ghz, shots=100)
    counts = job.get_counts() if job.status().name == "DONE" else job.result(wait=0).get_counts()

    kinds = ["job.created", "job.queued", "job.completed", "shots.measured"]
    assert [short_name(event.type) for event in events(*kinds)] == kinds
    assert events("shots.measured")[0].data.shots == sum(counts.values())


def test_a_cancellation_is_told(cloud, watched, ghz, events):
    cloud.statuses = ("ready",)
    watched.run(ghz).cancel()

    assert len(events("job.cancelled")) == 1


def test_it_passes_for_the_backend_and_its_jobs_for_jobs(watched, ghz, qpu):
    job = watched.run(ghz, shots=10)

    assert isinstance(watched, IonQBackend)
    assert isinstance(job, IonQJob)
    assert (watched.name, watched.num_qubits, watched == qpu) == (qpu.name, qpu.num_qubits, True)
    again = pickle.loads(pickle.dumps(job))  # noqa: S301 - our own bytes
    assert type(again) is IonQJob
    assert type(again._client).__name__ == "IonQClient"
    assert copy.deepcopy(job).result().get_counts() == job.result().get_counts()


def test_wrapped_and_patched_it_is_told_once(installed, watched, ghz, events):
    assert installed is not None
    watched.run(ghz, shots=10).result()

    assert len(events("job.created")) == len(events("job.completed")) == len(events("shots.measured")) == 1


def test_wrong_bits_are_told(watched, ones, events):
    BackendSamplerV2(backend=watched).run([ones]).result()

    assert events("job.created")[0].data.warnings == [WARNING]


def test_others_are_not_ours(recorder, instrumentation, watched):
    assert instrumentation.wrap(recorder, object()) is None
    assert instrumentation.wrap(recorder, watched) is watched
    assert instrumentation.make_canary(recorder, None, 1, 1, None) is None
