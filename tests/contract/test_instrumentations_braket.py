"""Tasks on Amazon Braket, and batches on its local simulator, with every check of the conformance suite, against the API on this machine."""

import functools
import os
from collections import Counter
from unittest import mock

import pytest
from braket.aws import AwsDevice, AwsSession
from braket.circuits import Circuit
from braket.devices import LocalSimulator

from quantum_mlops.testing.conformance import Subject, cases_of
from tests.providers.braket import GARNET, BraketCloud

# boto3 and Braket leave sockets and event loops to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore::ResourceWarning",
    "ignore:This process .* is multi-threaded:DeprecationWarning",  # a local batch forks; Python 3.12 says so
)


@pytest.fixture(scope="module", autouse=True)
def _cloud():
    with BraketCloud() as cloud, mock.patch.dict(os.environ, cloud.environ()):
        yield
        session.cache_clear()


@functools.cache
def session(_process):
    """One a process: a client takes 0.3 s to make."""
    return AwsSession()


def circuit():
    return Circuit().ry(0, 0.4).cnot(0, 1).rx(2, 0.9).cz(1, 2)


def facts(result):
    return result.measurements.shape, result.measured_qubits, result.task_metadata.shots


TASK = Subject(
    name="AwsDevice.run",
    instrumentation="braket",
    packages=("braket",),
    make=lambda: AwsDevice(GARNET, session(os.getpid())),
    submit=lambda device: device.run(circuit(), shots=200),
    read=lambda task: facts(task.result()),
    counts=lambda task: task.result().measurement_counts,
    mistakes={
        "nothing": lambda device: device.run(),
        "no program": lambda device: device.run("H", shots=1),
        "an empty circuit": lambda device: device.run(Circuit(), shots=1),
    },
)


LOCAL_BATCH = Subject(
    name="LocalSimulator.run_batch",
    instrumentation="braket",
    packages=("braket",),
    make=LocalSimulator,
    submit=lambda device: device.run_batch([circuit()] * 2, shots=200, max_parallel=1),
    read=lambda batch: [facts(result) for result in batch.results()],
    counts=lambda batch: sum((result.measurement_counts for result in batch.results()), Counter()),
    jobs=2,
    mistakes={
        "shots of each": lambda device: device.run_batch([circuit()], shots=[1]),
        "other lengths": lambda device: device.run_batch([circuit()], shots=1, inputs=[{}, {}]),
    },
    forks=False,  # it forks itself
)


@pytest.mark.parametrize("case", cases_of([TASK, LOCAL_BATCH]), ids=str)
def test_it_conforms(case, tmp_path):
    case(tmp_path)
