"""IonQ's backends with every check of the conformance suite, against the API on this machine."""

import os
from unittest import mock

import pytest
from qiskit import QuantumCircuit
from qiskit_ionq import IonQProvider

from quantum_mlops.testing.conformance import Subject, cases_of
from tests.providers.ionq import IonqCloud

pytestmark = pytest.mark.filterwarnings(  # advice on the user's transpiler
    "ignore::qiskit_ionq.exceptions.IonQTranspileLevelWarning"
)


@pytest.fixture(scope="module", autouse=True)
def _cloud():
    with IonqCloud() as cloud, mock.patch.dict(os.environ, {"IONQ_API_URL": cloud.url, "IONQ_API_KEY": cloud.key}):
        yield


def _backend(name):
    return IonQProvider().get_backend(name)


def _circuit(*, allowed=True):
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.ry(0.4, 2) if allowed else circuit.u(0.1, 0.2, 0.3, 2)
    circuit.measure_all()
    return circuit


def _read(job):
    result = job.result()
    return result.get_counts(), result.get_probabilities()


def _subject(name, device, **options):
    return Subject(
        name=name,
        instrumentation="ionq",
        packages=("qiskit_ionq",),
        make=lambda: _backend(device),
        submit=lambda backend: backend.run(_circuit(), shots=200, sampler_seed=7, **options),
        read=_read,
        mistakes={
            "nothing": lambda backend: backend.run(),
            "a gate that IonQ lacks": lambda backend: backend.run(_circuit(allowed=False)),
            "no circuit": lambda backend: backend.run("circuit"),
        },
    )


@pytest.mark.parametrize("case", cases_of([_subject("simulator", "simulator")]), ids=str)
def test_it_conforms(case, tmp_path):
    case(tmp_path)


QPU = Subject(
    name="several circuits on a QPU",
    instrumentation="ionq",
    packages=("qiskit_ionq",),
    make=lambda: _backend("qpu.forte-1"),
    submit=lambda backend: backend.run([_circuit(), _circuit()], shots=400),
    read=lambda job: [sum(counts.values()) for counts in job.result().get_counts()],
    counts=lambda job: job.result().get_counts(0),
)


@pytest.mark.parametrize("case", cases_of([QPU]), ids=str)
def test_it_conforms_where_there_is_no_seed(case, tmp_path):
    case(tmp_path)
