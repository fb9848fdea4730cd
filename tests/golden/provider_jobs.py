"""One circuit of four qubits on four providers, with their real SDKs, and what was recorded of it.

`python -m tests.golden.provider_jobs` writes docs/providers.md anew; test_providers.py holds it.
"""

import os
import tempfile
import warnings
from pathlib import Path
from unittest import mock

import msgspec

from quantum_mlops.events import Event, short_name
from quantum_mlops.testing.conformance.recording import Recording
from tests.providers.braket import BraketCloud
from tests.providers.ibm import IbmCloud, JobScript
from tests.providers.ionq import IonqCloud

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"
ANGLES = (0.1, 0.2, 0.3, 0.4)
SHOTS = 1000
GARNET = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"
CHANCE = frozenset({
    "job_id", "provider_job_id", "session_id", "outcomes", "times", "submit_seconds", "duration_seconds",
    "queue_seconds", "qpu_seconds", "predicted_queue_seconds", "predicted_execution_seconds", "pending_jobs",
    "queue_position", "calibration_id", "calibration_id_after",
})  # fmt: skip
"""What differs from run to run: only that it is there is shown."""


def qiskit_circuit():
    from qiskit import QuantumCircuit

    circuit = QuantumCircuit(4, name="chain")
    for qubit, angle in enumerate(ANGLES):
        circuit.ry(angle, qubit)
    for qubit in range(3):
        circuit.cx(qubit, qubit + 1)
    circuit.measure_all()
    return circuit


def run_ibm():
    from qiskit.transpiler import generate_preset_pass_manager
    from qiskit_ibm_runtime import SamplerV2

    with IbmCloud() as cloud, mock.patch.dict(os.environ, cloud.environ):
        cloud.script(JobScript(statuses=("Queued", "Running")))
        backend = cloud.service().backend(f"ibm_{next(iter(cloud.devices)).removeprefix('ibm_')}")
        passes = generate_preset_pass_manager(1, backend, initial_layout=[0, 1, 2, 3], seed_transpiler=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            sampler = SamplerV2(mode=backend)
        sampler.run([passes.run(qiskit_circuit())], shots=SHOTS).result()


def run_braket():
    from braket.aws import AwsDevice
    from braket.circuits import Circuit

    circuit = Circuit()
    for qubit, angle in enumerate(ANGLES):
        circuit.ry(qubit, angle)
    for qubit in range(3):
        circuit.cnot(qubit, qubit + 1)
    with BraketCloud() as cloud, mock.patch.dict(os.environ, cloud.environ()):
        AwsDevice(GARNET).run(circuit, shots=SHOTS, poll_interval_seconds=0.02).result()


def run_ionq():
    from qiskit_ionq import IonQProvider

    environ = mock.patch.dict(os.environ)
    with IonqCloud() as cloud, environ, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice on the transpiler
        os.environ |= {"IONQ_API_URL": cloud.url, "IONQ_API_KEY": cloud.key}
        cloud.statuses = ("ready", "started", "completed")
        IonQProvider().get_backend("qpu.forte-1").run(qiskit_circuit(), shots=SHOTS).result(wait=0.02)


def run_pennylane():
    import pennylane as qml

    @qml.set_shots(SHOTS)
    @qml.qnode(qml.device("default.qubit", wires=4, seed=1))
    def chain():
        for wire, angle in enumerate(ANGLES):
            qml.RY(angle, wires=wire)
        for wire in range(3):
            qml.CNOT(wires=[wire, wire + 1])
        return qml.counts(all_outcomes=False)

    chain()


PROVIDERS = {"IBM": run_ibm, "Braket": run_braket, "IonQ": run_ionq, "PennyLane": run_pennylane}


def record(folder):
    """Return the events of the job of each provider, by name."""
    found = {}
    for name, run in PROVIDERS.items():
        with Recording(folder / name) as recording:
            run()
            found[name] = [event for event in recording.events() if _is_of_job(event)]
            recording.check_losses()
    return found


def _is_of_job(event: Event) -> bool:
    return (short_name(event.type) or "").startswith(("job.", "shots."))


def fields_of(event):
    """Return the fields of an event's data as text, by their path; of what is left to chance only that it is there."""
    return dict(_flatten("", msgspec.to_builtins(event.data)))


def _flatten(path, value):
    name = path.rpartition(".")[2].partition("[")[0]
    if name in CHANCE and value is not None:
        yield path, "✓"
    elif isinstance(value, dict) and name != "gate_counts":
        for key, each in value.items():
            yield from _flatten(f"{path}.{key}" if path else key, each)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for each in value:
            yield from _flatten(path, each)
    elif isinstance(value, dict):
        yield path, ", ".join(f"{count} {key}" for key, count in sorted(value.items()))
    elif value is not None:
        yield path, str(value)


def page(found):
    """Return the text of docs/providers.md."""
    lines = [TOP]
    kinds = ["job.created", "job.queued", "job.running", "job.completed", "shots.measured"]
    for kind in kinds:
        tables = {
            name: fields_of(next(event for event in events if short_name(event.type) == kind))
            for name, events in found.items()
            if any(short_name(event.type) == kind for event in events)
        }
        if not tables:
            continue
        lines += [f"### `{kind}`", "", "| field | " + " | ".join(found) + " |", "|---" * (1 + len(found)) + "|"]
        paths = dict.fromkeys(path for table in tables.values() for path in table)
        for path in sorted(paths):
            cells = [tables.get(name, {}).get(path, "–") for name in found]
            lines.append(f"| `{path}` | " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


TOP = """\
# One circuit, four providers

This page is made by a test: it runs one circuit of four qubits (a rotation on each, a chain of three CNOTs, all
measured, 1,000 shots) with the real SDK of each provider and shows what was recorded. IBM, Braket and IonQ answer from
servers on the same machine that speak the provider's protocol. **None of the three has met the live service in our
tests**; PennyLane's simulator is the real one.

"✓" is a value that differs from run to run, "–" one that the provider does not tell. The four jobs have one shape,
and `circuits.identity` (IBM: `circuits.source_identity`, since the job itself is what the transpiler made of the
circuit) is the same everywhere: the same circuit is the same circuit, whoever runs it.

| provider | extra | hooks | follower and calibrations | what has met the live service |
|---|---|---|---|---|
| IBM Runtime | `quantum-mlops[ibm]` | SamplerV2, EstimatorV2 (also the executor-based), Session, Batch | yes | nothing |
| Amazon Braket | `quantum-mlops[braket]` | AwsDevice, LocalSimulator, program sets, hybrid-job metrics | yes | nothing; LocalSimulator is the real one |
| IonQ | `quantum-mlops[ionq]` | IonQBackend.run and its jobs | yes | nothing |
| PennyLane | `quantum-mlops[pennylane]` | every device, every optimizer | by the provider below it | its simulators are the real ones |
"""


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(page(record(Path(folder))))
