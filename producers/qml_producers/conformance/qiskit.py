"""The V2 primitives of Qiskit and Aer, each with its seed."""

from collections.abc import Callable
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit.library import real_amplitudes
from qiskit.primitives import BackendEstimatorV2, BackendSamplerV2, StatevectorEstimator, StatevectorSampler
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer import AerSimulator
from qiskit_aer.primitives import EstimatorV2, SamplerV2

from quantum_mlops.testing.conformance import Subject

_PACKAGES = ("qiskit", "qiskit_aer")
_VALUES = np.linspace(-2.0, 2.0, 6)
_OBSERVABLE = SparsePauliOp(["ZZI", "IXX"], [1.0, -0.5])
_AER = {"max_parallel_threads": 1}


def subjects() -> list[Subject]:
    """Return the six primitives."""
    aer = AerSimulator(**_AER)
    samplers: dict[str, Callable[[], Any]] = {
        "StatevectorSampler": lambda: StatevectorSampler(seed=7),
        "BackendSamplerV2": lambda: BackendSamplerV2(backend=aer, options={"seed_simulator": 7}),
        "Aer SamplerV2": lambda: SamplerV2(seed=7, options={"backend_options": _AER}),
    }
    estimators: dict[str, Callable[[], Any]] = {
        "StatevectorEstimator": lambda: StatevectorEstimator(seed=7),
        "BackendEstimatorV2": lambda: BackendEstimatorV2(backend=aer, options={"seed_simulator": 7}),
        "Aer EstimatorV2": lambda: EstimatorV2(options={"run_options": {"seed_simulator": 7}, "backend_options": _AER}),
    }
    return [_sampler(name, make) for name, make in samplers.items()] + [
        _estimator(name, make) for name, make in estimators.items()
    ]


def _sampler(name: str, make: Callable[[], Any]) -> Subject:
    pubs = [(_ansatz(measured=True), _VALUES)]
    return Subject(
        name=name,
        instrumentation="qiskit",
        packages=_PACKAGES,
        make=make,
        submit=lambda sampler: sampler.run(pubs, shots=200),
        read=lambda job: [(pub.data.meas.array.tobytes(), pub.data.meas.array.shape) for pub in job.result()],
        submit_generator=lambda sampler: sampler.run((pub for pub in pubs), shots=200),
        mistakes={
            "no pubs": lambda sampler: sampler.run(),
            "unbound": lambda sampler: sampler.run([_ansatz(measured=True)]).result(),
            "too many values": lambda sampler: sampler.run([(_ansatz(measured=True), np.zeros(9))]),
            "no shots": lambda sampler: sampler.run(pubs, shots=0),
        },
    )


def _estimator(name: str, make: Callable[[], Any]) -> Subject:
    pubs = [(_ansatz(measured=False), _OBSERVABLE, _VALUES)]
    return Subject(
        name=name,
        instrumentation="qiskit",
        packages=_PACKAGES,
        make=make,
        submit=lambda estimator: estimator.run(pubs, precision=0.05),
        read=lambda job: [(np.asarray(p.data.evs).tobytes(), np.asarray(p.data.stds).tobytes()) for p in job.result()],
        submit_generator=lambda estimator: estimator.run((pub for pub in pubs), precision=0.05),
        mistakes={
            "no pubs": lambda estimator: estimator.run(),
            "no observable": lambda estimator: estimator.run([_ansatz(measured=False)]),
        },
        forks=name != "BackendEstimatorV2",  # its passes hang in a forked child, with us and without
    )


def _ansatz(*, measured: bool) -> QuantumCircuit:
    circuit = real_amplitudes(3, reps=1)
    if measured:
        circuit.measure_all()
    return circuit
