"""IBM Runtime's sampler on the service, with every check of the conformance suite, against the API on this machine."""

import os
from unittest import mock

import pytest
from qiskit import QuantumCircuit
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_ibm_runtime import SamplerV2

from quantum_mlops.testing.conformance import Subject, cases_of
from tests.providers.ibm import IbmCloud

pytestmark = pytest.mark.filterwarnings("ignore:The SamplerV2 class is deprecated:DeprecationWarning")

_CONNECTED = {}


@pytest.fixture(scope="module", autouse=True)
def _cloud():
    with IbmCloud() as cloud, mock.patch.dict(os.environ, cloud.environ):
        _CONNECTED["backend"] = backend = cloud.service().backend("ibm_hanoi")
        circuit = QuantumCircuit(2)
        circuit.h(0)
        circuit.cx(0, 1)
        circuit.measure_all()
        passes = generate_preset_pass_manager(1, backend=backend, seed_transpiler=1, initial_layout=[0, 1])
        _CONNECTED["written"], _CONNECTED["circuit"] = circuit, passes.run(circuit)
        yield
        _CONNECTED.clear()


SAMPLER = Subject(
    name="SamplerV2 on the service",
    instrumentation="ibm",
    packages=("qiskit_ibm_runtime",),
    make=lambda: SamplerV2(_CONNECTED["backend"]),
    submit=lambda sampler: sampler.run([_CONNECTED["circuit"]], shots=200),
    submit_generator=lambda sampler: sampler.run((each for each in [_CONNECTED["circuit"]]), shots=200),
    read=lambda job: job.result()[0].data.meas.array.tobytes(),
    mistakes={
        "no pubs": lambda sampler: sampler.run(),
        "not transpiled": lambda sampler: sampler.run([_CONNECTED["written"]]),
    },
    forks=False,  # the server that it speaks to is in this process
)


@pytest.mark.parametrize("case", cases_of([SAMPLER]), ids=str)
def test_it_conforms(case, tmp_path):
    case(tmp_path)
