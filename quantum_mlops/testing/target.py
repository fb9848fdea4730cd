"""A qiskit Target built from a recorded calibration.

The snapshot holds no coupling map: the two-qubit gates that were recorded are the coupling map. It holds no
sample time either, so `dt` stays unknown and delays are given in seconds.
"""

from qiskit.circuit import Delay, Measure, Parameter
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.providers import QubitProperties
from qiskit.transpiler import InstructionProperties, Target

from .snapshot import Snapshot

# The transpiler takes an unknown error (None) for a perfect gate, so a faulty one keeps its recorded 1.
_FAULTY = 1.0


def build_target(snapshot: Snapshot) -> Target:
    """Target with every recorded gate, measurement and delay, errors as ratios and durations in seconds.

    A gate name that qiskit does not know raises ValueError.
    """
    qubits = range(snapshot.num_qubits)
    target = Target(
        description=f"{snapshot.backend_name}, calibration of {snapshot.last_update_date.isoformat()}",
        num_qubits=snapshot.num_qubits,
        qubit_properties=[
            QubitProperties(t1=snapshot.t1_seconds(q), t2=snapshot.t2_seconds(q), frequency=snapshot.frequency_hertz(q))
            for q in qubits
        ],
    )
    for name, properties in _gate_properties(snapshot).items():
        instruction = get_standard_gate_name_mapping().get(name)
        if instruction is None:
            raise ValueError(f"{snapshot.backend_name}: qiskit knows no gate {name!r}")
        target.add_instruction(instruction, properties, name=name)
    target.add_instruction(
        Measure(),
        {
            (q,): InstructionProperties(error=snapshot.readout_error(q), duration=snapshot.readout_seconds(q))
            for q in qubits
        },
    )
    target.add_instruction(Delay(Parameter("t")), {(q,): None for q in qubits})
    return target


def _gate_properties(snapshot: Snapshot) -> dict[str, dict[tuple[int, ...], InstructionProperties]]:
    by_name: dict[str, dict[tuple[int, ...], InstructionProperties]] = {}
    for gate in snapshot.gates:
        error = _FAULTY if gate.is_faulty else gate.error
        by_name.setdefault(gate.gate, {})[tuple(gate.qubits)] = InstructionProperties(
            error=error, duration=gate.length_seconds
        )
    return by_name
