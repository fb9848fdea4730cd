"""The devices behind the stand-in for IBM's cloud: recorded configurations and calibrations, run on Aer.

What runs here is the service's, in reality in another process, so the instrumentation is told not to see it.
"""

import json
import warnings
from contextvars import copy_context
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from typing import Any

import numpy as np
from ibm_quantum_schemas.common import CompressedTensorModel
from ibm_quantum_schemas.executor import version_2_0 as schema
from qiskit.primitives import BackendEstimatorV2, BackendSamplerV2, PrimitiveResult, SamplerPubResult
from qiskit_aer import AerSimulator
from qiskit_ibm_runtime.fake_provider.executor.run_quantum_program import run_quantum_program
from qiskit_ibm_runtime.json import RuntimeDecoder, RuntimeEncoder
from qiskit_ibm_runtime.options_models.simulator import SimulatorOptions
from qiskit_ibm_runtime.quantum_program.converters.converters_2_0 import passthrough_data_to_2_0
from qiskit_ibm_runtime.quantum_program.params_converters import QUANTUM_PROGRAM_PARAMS_CONVERTERS

from qml_producers.observing.nesting import INSIDE, NESTED
from quantum_mlops.testing.recorded_device import RecordedDevice
from quantum_mlops.testing.snapshot import Snapshot

DEFAULT_SHOTS = 4096


class Device:
    """One backend: its configuration, the calibrations that it had (oldest first), and whether its noise is simulated.

    `name` is that of a recorded device ("hanoi", "sherbrooke") or of any fake backend ("manila", "fez"), whose
    single recorded calibration is used.
    """

    def __init__(self, name: str, dates: tuple[str, ...] = (), *, noisy: bool = False, seed: int = 7) -> None:
        folder = files("qiskit_ibm_runtime.fake_provider.backends").joinpath(name)
        self.configuration = json.loads(folder.joinpath(f"conf_{name}.json").read_bytes())
        self.name = self.configuration["backend_name"] = f"ibm_{name}"
        recorded = files("quantum_mlops.testing").joinpath("calibrations")
        documents = [
            entry.read_bytes()
            for entry in sorted(recorded.iterdir(), key=lambda entry: entry.name)
            if any(entry.name.startswith(f"{name}__{date}") for date in dates)
        ] or [folder.joinpath(f"props_{name}.json").read_bytes()]
        self.calibrations = [_in_utc(document) for document in documents]
        self.in_force = len(self.calibrations) - 1
        self.pending_jobs = 3
        self.status = "active"
        self.operational = True
        self._seed = seed
        self._simulators = [
            RecordedDevice(Snapshot.decode(json.dumps(each).encode()), seed_simulator=seed)
            if noisy
            else AerSimulator(seed_simulator=seed, max_parallel_threads=1)
            for each in self.calibrations
        ]

    @property
    def properties(self) -> dict[str, Any]:
        """The calibration in force; the test sets `in_force`."""
        return {**self.calibrations[self.in_force], "backend_name": self.name}

    def properties_before(self, instant: str) -> dict[str, Any]:
        """The youngest calibration that is older than an ISO date in UTC."""
        older = [each for each in self.calibrations if each["last_update_date"] <= instant.replace("+00:00", "Z")]
        return {**(older or self.calibrations)[-1 if older else 0], "backend_name": self.name}

    def run(self, program: str, params: dict[str, Any]) -> str:
        """Run a program for real and return the text of its result. Raises what running raises."""
        context = copy_context()
        context.run(INSIDE.set, NESTED)
        return context.run(self._run, program, params)

    def _run(self, program: str, params: dict[str, Any]) -> str:
        simulator = self._simulators[self.in_force]
        if program == "executor":
            return _execute(simulator, params, self._seed)
        decoded = json.loads(json.dumps(params), cls=RuntimeDecoder)
        options = decoded.get("options", {})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run = _sample if program == "sampler" else _estimate
            result = run(simulator, decoded["pubs"], options, decoded.get("resilience_level"))
        return json.dumps(result, cls=RuntimeEncoder)


def _sample(simulator: Any, pubs: list[Any], options: dict[str, Any], _level: int | None) -> PrimitiveResult[Any]:
    default = options.get("default_shots") or DEFAULT_SHOTS
    sampler = BackendSamplerV2(backend=simulator, options={"default_shots": default})
    result = sampler.run([tuple(pub) for pub in pubs]).result()
    told = [SamplerPubResult(each.data, {"circuit_metadata": {}}) for each in result]  # no shots, unlike Qiskit's own
    return PrimitiveResult(told, metadata={"execution": {}, "version": 2})


def _estimate(simulator: Any, pubs: list[Any], options: dict[str, Any], level: int | None) -> PrimitiveResult[Any]:
    estimator = BackendEstimatorV2(backend=simulator)
    precision = options.get("default_precision") or 1 / np.sqrt(options.get("default_shots") or DEFAULT_SHOTS)
    run = partial(estimator.run, [tuple(pub) for pub in pubs])
    result = (run() if all(len(pub) > 3 and pub[3] for pub in pubs) else run(precision=float(precision))).result()
    return PrimitiveResult(
        list(result), metadata={"resilience": {"level": 1 if level is None else level}, "version": 2}
    )


def _execute(simulator: Any, params: dict[str, Any], seed: int) -> str:
    """The executor's result as the service encodes it, by IBM's published models."""
    converter = QUANTUM_PROGRAM_PARAMS_CONVERTERS[params["schema_version"]]
    program, _ = converter.decoder(converter.model(**params))
    for item in program.items:
        if hasattr(item, "samplex"):
            item.samplex.finalize()
    result = run_quantum_program(simulator, program, SimulatorOptions(seed_simulator=seed))
    return schema.QuantumProgramResultModel(
        data=[
            schema.QuantumProgramResultItemModel(
                results={name: CompressedTensorModel.from_numpy(array) for name, array in item.items()},
                metadata=schema.ItemMetadataModel(),
            )
            for item in result
        ],
        metadata=schema.MetadataModel(chunk_timing=[]),
        passthrough_data=passthrough_data_to_2_0(program.passthrough_data),
        semantic_role=program._semantic_role,
    ).model_dump_json()


def _in_utc(document: bytes) -> dict[str, Any]:
    """A recorded document with its dates as the service sends them: in UTC, with Z."""

    def convert(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: (
                    datetime.fromisoformat(inner).astimezone(UTC).isoformat().replace("+00:00", "Z")
                    if key in {"date", "last_update_date"}
                    else convert(inner)
                )
                for key, inner in value.items()
            }
        return [convert(inner) for inner in value] if isinstance(value, list) else value

    return convert(json.loads(document))
