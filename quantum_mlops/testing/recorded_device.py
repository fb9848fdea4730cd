"""A backend that behaves as a real IBM device did on a recorded day.

`RecordedDevice` is a qiskit BackendV2 with the target, the layout and the dated values of one recorded
calibration, and it samples with the noise of that calibration. It is an AerSimulator, because
`SamplerV2.from_backend` of qiskit-aer uses an AerSimulator itself and copies anything else: so the sampler sees
a later `recalibrate`, as it would on hardware.
"""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.providers import Options
from qiskit.transpiler import CouplingMap, Target
from qiskit_aer import AerSimulator
from qiskit_aer.backends.backendconfiguration import AerBackendConfiguration
from qiskit_aer.jobs import AerJob
from qiskit_aer.noise import NoiseModel

from .distribution import exact_probabilities
from .noise import build_noise_model, qubits_in_use
from .snapshot import Snapshot
from .target import build_target

_CACHED_NOISE_MODELS = 64  # distinct sets of qubits; a program uses a handful


class _Calibration:
    """What follows from one snapshot. A device swaps it as a whole, so no job ever mixes two calibrations."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.target = build_target(snapshot)
        self._noise: dict[frozenset[int], NoiseModel] = {}

    def noise(self, qubits: frozenset[int]) -> NoiseModel:
        model = self._noise.get(qubits)
        if model is None:
            model = build_noise_model(self.snapshot, qubits)
            if len(self._noise) < _CACHED_NOISE_MODELS:
                self._noise[qubits] = model
        return model


class RecordedDevice(AerSimulator):  # type: ignore[misc]  # qiskit-aer ships no types
    """A recorded IBM device, to develop and test against without hardware.

    Use it as any backend: `generate_preset_pass_manager(backend=device)`, `SamplerV2.from_backend(device)` of
    qiskit-aer, `BackendSamplerV2(backend=device)` of qiskit, `device.run(...)`. There is no seed unless you set
    one: every job draws its own shots. A gate that the device does not have runs without noise, as in Aer:
    transpile first.

    The noise is that of Aer's `NoiseModel.from_backend_properties` for the whole snapshot, built only for the
    qubits of the job and kept. Aer is pinned to one thread (`max_parallel_threads=1`), enough for small
    circuits; set the option to change it. Other keyword arguments are options of AerSimulator; a `noise_model`
    of your own replaces the recorded one. Safe to use from several threads; can be copied and pickled.

    >>> device = RecordedDevice.load("hanoi", "2021-12-09")
    >>> device.name, device.num_qubits
    ('ibm_hanoi', 27)
    >>> device.recalibrate(Snapshot.load("hanoi", "2024-04-16"))
    >>> round(device.target["cx"][(2, 3)].error, 4)
    0.0309
    """

    name: str

    def __init__(self, snapshot: Snapshot, **options: Any) -> None:
        self._calibration = _Calibration(snapshot)
        target = self._calibration.target
        super().__init__(
            configuration=AerBackendConfiguration(
                backend_name=snapshot.backend_name,
                backend_version=snapshot.backend_version,
                n_qubits=snapshot.num_qubits,
                basis_gates=sorted({gate.gate for gate in snapshot.gates}),
                gates=[],
                max_shots=1_000_000,
                coupling_map=[list(edge) for edge in target.build_coupling_map().get_edges()],
                description="recorded calibration, simulated by qiskit-aer",
            ),
            target=target,
            **options,
        )
        self.name = snapshot.backend_name  # AerSimulator appends its method; a device keeps its name

    @classmethod
    def load(cls, backend: str, date: str, **options: Any) -> Self:
        """A device from a shipped snapshot, as in `Snapshot.load`, with options of AerSimulator."""
        return cls(Snapshot.load(backend, date), **options)

    @property
    def snapshot(self) -> Snapshot:
        """The calibration in force."""
        return self._calibration.snapshot

    @property
    def target(self) -> Target:
        """Gates, errors, durations and qubit properties of the calibration in force."""
        return self._calibration.target

    @property
    def coupling_map(self) -> CouplingMap:
        """The two-qubit gates of the calibration in force."""
        return self.target.build_coupling_map()

    def properties(self, refresh: bool = False) -> Snapshot:  # noqa: ARG002, FBT001, FBT002 (as IBMBackend)
        """Return the calibration in force, always fresh; `.to_dict()` has the shape of IBM's BackendProperties."""
        return self._calibration.snapshot

    def recalibrate(self, snapshot: Snapshot) -> None:
        """Put another calibration of the same device into force, for the jobs submitted from now on.

        Raises:
            ValueError: the snapshot belongs to another device.
        """
        if (snapshot.backend_name, snapshot.num_qubits) != (self.name, self.num_qubits):
            raise ValueError(
                f"{self.name} with {self.num_qubits} qubits cannot take a calibration of "
                f"{snapshot.backend_name} with {snapshot.num_qubits} qubits"
            )
        self._calibration = _Calibration(snapshot)

    def run(
        self,
        circuits: QuantumCircuit | list[QuantumCircuit],
        parameter_binds: list[dict[Any, Any]] | None = None,
        **run_options: Any,
    ) -> AerJob:
        """Sample circuits with the noise of the calibration in force. Returns at once, as Aer's `run`."""
        batch = [circuits] if isinstance(circuits, QuantumCircuit) else list(circuits)
        run_options.setdefault("noise_model", self.noise_model(*batch))
        return super().run(batch, parameter_binds=parameter_binds, **run_options)

    def noise_model(self, *circuits: QuantumCircuit) -> NoiseModel:
        """Return the noise that these circuits meet in one job; without circuits that of the whole device."""
        if self.options.noise_model is not None:
            return self.options.noise_model
        calibration = self._calibration
        qubits = qubits_in_use(circuits) if circuits else frozenset(range(calibration.snapshot.num_qubits))
        return calibration.noise(qubits)

    def probabilities(self, circuit: QuantumCircuit) -> NDArray[np.float64]:
        """Return the exact outcome distribution, gate and readout noise included: see `exact_probabilities`."""
        return exact_probabilities(self, circuit, self.noise_model(circuit))

    def set_option(self, key: str, value: Any) -> None:
        """Set an option of AerSimulator. Unlike there, the name of the backend stays that of the device."""
        name = self.name
        super().set_option(key, value)
        self.name = name

    @classmethod
    def _default_options(cls) -> Options:
        options = super()._default_options()
        options.update_options(max_parallel_threads=1)
        return options
