from itertools import pairwise

import msgspec
import pytest

from quantum_mlops.testing import RecordedDevice, Snapshot, available_snapshots
from quantum_mlops.testing.snapshot import GateProperties


@pytest.mark.parametrize("name", available_snapshots())
def test_the_target_holds_every_recorded_value_in_si_units(name):
    backend, _, date = name.partition("__")
    snapshot = Snapshot.load(backend, date)
    target = RecordedDevice(snapshot).target
    assert sum(len(target[gate]) for gate in {g.gate for g in snapshot.gates}) == len(snapshot.gates)
    for gate in snapshot.gates:
        properties = target[gate.gate][tuple(gate.qubits)]
        assert properties.duration == gate.length_seconds
        assert properties.error == (1.0 if gate.is_faulty else gate.error)
    for qubit in range(snapshot.num_qubits):
        assert target.qubit_properties[qubit].t1 == snapshot.t1_seconds(qubit)
        assert target.qubit_properties[qubit].t2 == snapshot.t2_seconds(qubit)
        assert target.qubit_properties[qubit].frequency == snapshot.frequency_hertz(qubit)
        assert target["measure"][(qubit,)].error == snapshot.readout_error(qubit)
        assert target["measure"][(qubit,)].duration == snapshot.readout_seconds(qubit)


@pytest.mark.parametrize(
    ("backend", "date", "line"),
    [
        ("hanoi", "2021-12-09", (0, 1, 2, 3)),
        ("hanoi", "2021-12-09", (1, 4, 7, 10)),
        ("hanoi", "2021-12-09", (19, 22, 25, 24)),
        ("sherbrooke", "2024-04-16", (37, 38, 39, 40)),
    ],
)
def test_the_lines_of_the_recorded_incidents_are_coupled(backend, date, line):
    edges = {frozenset(edge) for edge in RecordedDevice.load(backend, date).coupling_map.get_edges()}
    assert all(frozenset(pair) in edges for pair in pairwise(line))


def test_a_gate_that_qiskit_does_not_know_is_refused():
    snapshot = Snapshot.load("hanoi", "2021-12-09")
    snapshot = msgspec.structs.replace(snapshot, gates=[GateProperties(qubits=[0], gate="warp", parameters=[])])
    with pytest.raises(ValueError, match="ibm_hanoi: qiskit knows no gate 'warp'"):
        RecordedDevice(snapshot)
