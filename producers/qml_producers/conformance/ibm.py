"""The primitives of qiskit-ibm-runtime in local mode, each with its seed: the older ones, and the executor's sampler.

The executor's estimator is left out: it takes seconds for a job of two qubits.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit.library import real_amplitudes
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer import AerSimulator
from qiskit_ibm_runtime import EstimatorV2, SamplerV2
from qiskit_ibm_runtime.executor_sampler import Sampler

from quantum_mlops.testing.conformance import Subject

_PACKAGES = ("qiskit_ibm_runtime",)
_VALUES = np.linspace(-2.0, 2.0, 6)
_OBSERVABLE = SparsePauliOp(["ZZI", "IXX"], [1.0, -0.5])
_OPTIONS = {"simulator": {"seed_simulator": 7}}


def subjects() -> list[Subject]:
    """Return the three primitives."""
    aer = AerSimulator(max_parallel_threads=1)
    return [
        _sampler("Runtime SamplerV2", lambda: _made(SamplerV2, aer)),
        _sampler("Runtime executor Sampler", lambda: _made(Sampler, aer)),
        _estimator("Runtime EstimatorV2", lambda: _made(EstimatorV2, aer)),
    ]


def _made(primitive: Callable[..., Any], backend: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the older primitives
        return primitive(backend, options=_OPTIONS)


def _sampler(name: str, make: Callable[[], Any]) -> Subject:
    pubs = [(_ansatz(measured=True), _VALUES)]
    return Subject(
        name=name,
        instrumentation="ibm",
        packages=_PACKAGES,
        make=make,
        submit=lambda sampler: sampler.run(pubs, shots=200),
        read=lambda job: [(pub.data.meas.array.tobytes(), pub.data.meas.array.shape) for pub in job.result()],
        submit_generator=lambda sampler: sampler.run((pub for pub in pubs), shots=200),
        mistakes={
            "no pubs": lambda sampler: sampler.run(),
            "unbound": lambda sampler: sampler.run([_ansatz(measured=True)]).result(),
            "too many values": lambda sampler: sampler.run([(_ansatz(measured=True), np.zeros(9))]),
            "no shots": lambda sampler: sampler.run(pubs, shots=-1),
        },
    )


def _estimator(name: str, make: Callable[[], Any]) -> Subject:
    pubs = [(_ansatz(measured=False), _OBSERVABLE, _VALUES)]
    return Subject(
        name=name,
        instrumentation="ibm",
        packages=_PACKAGES,
        make=make,
        submit=lambda estimator: estimator.run(pubs, precision=0.05),
        read=lambda job: [(np.asarray(p.data.evs).tobytes(), np.asarray(p.data.stds).tobytes()) for p in job.result()],
        submit_generator=lambda estimator: estimator.run((pub for pub in pubs), precision=0.05),
        mistakes={
            "no pubs": lambda estimator: estimator.run(),
            "no observable": lambda estimator: estimator.run([_ansatz(measured=False)]),
            "no precision": lambda estimator: estimator.run(pubs, precision=0),
        },
        forks=False,  # the passes of BackendEstimatorV2 hang in a forked child, with us and without
    )


def _ansatz(*, measured: bool) -> QuantumCircuit:
    circuit = real_amplitudes(3, reps=1)
    if measured:
        circuit.measure_all()
    return circuit
