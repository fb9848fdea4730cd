"""Programs that are no circuits: read where the SDK can read them, else known by their text, never an error."""

import pytest
from braket.ahs.analog_hamiltonian_simulation import AnalogHamiltonianSimulation
from braket.ahs.atom_arrangement import AtomArrangement
from braket.ahs.driving_field import DrivingField
from braket.circuits import Circuit, FreeParameter
from braket.devices import LocalSimulator
from braket.ir.openqasm import Program
from braket.ir.openqasm import ProgramSet as OpenQasmProgramSet
from braket.timings.time_series import TimeSeries

from qml_producers.braket.circuits import copy_circuit, read_circuit
from qml_producers.braket.programs import ProgramReader, copy_program, executions_of


def identity(program, shots=10, inputs=None):
    (sent,) = copy_program(program, shots, inputs)
    return ProgramReader().read(sent).circuit.identity


def circuit():
    return Circuit().rx(0, FreeParameter("a")).cnot(0, 1)


def test_openqasm_has_the_identity_of_its_circuit():
    source = circuit().to_ir("OPENQASM").source
    expected = read_circuit(copy_circuit(circuit(), 10)).circuit
    (sent,) = copy_program(Program(source=source, inputs={"a": 0.5}), 10, None)
    facts = ProgramReader().read(sent)
    assert facts.circuit == expected
    assert (facts.parameters, sent.inputs) == (("a",), {"a": 0.5})
    assert identity(Program(source="// a comment\n" + source)) == expected.identity


def test_loops_and_gates_of_ones_own_are_unrolled():
    source = "OPENQASM 3.0; gate twice a { x a; x a; } qubit[2] q; for int i in [0:1] { twice q[i]; }"
    assert identity(Program(source=source)) == identity(Circuit().x(0).x(0).x(1).x(1))


def test_what_cannot_be_read_is_known_by_its_text():
    feedback = "OPENQASM 3.0; cal { frame f = newframe(p, 1e9, 0.0); } play(f, w);"
    first, second = identity(Program(source=feedback)), identity(Program(source=feedback + " "))
    assert first.startswith("openqasm1:")
    assert first != second
    assert identity(Program(source="x" * 20_000)).startswith("openqasm1:")


@pytest.mark.parametrize(
    "extra", ["reset q[0];", "delay[100ns] q[0];", "box { x q[0]; }", "#pragma braket other\n", "output bit c;"]
)
def test_what_the_sdk_passes_over_is_known_by_its_text(extra):
    program = "OPENQASM 3.0;\nqubit[2] q;\n{}\nh q[0];"
    assert identity(Program(source=program.format(""))).startswith("c1:")
    assert identity(Program(source=program.format(extra))).startswith("openqasm1:")


def test_physical_qubits_in_a_text_are_physical():
    facts = [
        ProgramReader().read(copy_program(Program(source=source), 10, None)[0])
        for source in ("OPENQASM 3.0; h $3; cz $3, $4;", "OPENQASM 3.0; qubit[5] q; h q[3]; cz q[3], q[4];")
    ]
    assert [each.is_physical for each in facts] == [True, False]
    assert facts[0].qubits == [3, 4]


def test_a_verbatim_box_in_a_text_is_that_of_a_circuit():
    inner = Circuit().prx(3, 0.1, 0.2).cz(3, 4)
    boxed = Circuit().add_verbatim_box(inner)
    source = boxed.to_ir("OPENQASM").source
    assert identity(Program(source=source)) == identity(boxed)
    assert identity(Program(source=source)).startswith("c1:")


def test_inputs_given_to_run_win():
    (sent,) = copy_program(Program(source="", inputs={"a": 1.0, "c": 2.0}), 10, {"a": 3.0})
    assert sent.inputs == {"a": 3.0, "c": 2.0}


def test_a_set_of_openqasm_programs_counts_its_executables():
    programs = OpenQasmProgramSet(
        programs=[Program(source=circuit().to_ir("OPENQASM").source, inputs={"a": [0.0, 1.0, 2.0]}), Program(source="")]
    )
    sent = copy_program(programs, 10, None)
    assert (len(sent), executions_of(sent)) == (2, 4)


def analog(amplitude):
    register = AtomArrangement()
    register.add([0, 0])
    register.add([0, 5.7e-6])
    times = [0, 1e-6, 2e-6]
    drive = DrivingField(
        amplitude=TimeSeries.from_lists(times, [0, amplitude, 0]),
        phase=TimeSeries.from_lists(times, [0, 0, 0]),
        detuning=TimeSeries.from_lists(times, [0, 0, 0]),
    )
    return AnalogHamiltonianSimulation(register=register, hamiltonian=drive)


def test_an_analog_program_is_known_by_its_text():
    first, second = identity(analog(1e6)), identity(analog(2e6))
    assert first.startswith("ahs1:")
    assert first == identity(analog(1e6)) != second
    assert identity(analog(1e6).to_ir()) == first


def test_an_analog_program_runs_and_is_told(installed, events):
    LocalSimulator("braket_ahs").run(analog(1e6), shots=3, steps=5).result()
    (created,), (completed,) = events("job.created"), events("job.completed")
    assert created.data.circuits[0].identity.startswith("ahs1:")
    assert (created.data.backend, completed.data.shots_executed) == (
        "rydberg",
        None,
    ) or completed.data.shots_executed == 3
    assert not events("shots.measured")


def test_an_unknown_program_is_no_circuit():
    assert copy_program(object(), 10, None) == []
    assert executions_of([]) is None


@pytest.mark.parametrize("source", ["", "OPENQASM 3.0;", "no program", "\x00"])
def test_nonsense_is_no_error(source):
    assert identity(Program(source=source)).startswith(("openqasm1:", "c1:"))


def test_a_source_is_read_once():
    reader = ProgramReader()
    facts = [reader.read(copy_program(Program(source="OPENQASM 3.0; qubit q; h q;"), 10, None)[0]) for _ in range(2)]
    assert facts[0] is facts[1]
