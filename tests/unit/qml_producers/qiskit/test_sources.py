import gc

from qiskit import QuantumCircuit, transpile
from qiskit.circuit.library import real_amplitudes
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer.primitives import SamplerV2

from qml_producers.qiskit.circuits import read_circuit
from qml_producers.qiskit.sources import Sources
from quantum_mlops.testing import RecordedDevice

DEVICE = RecordedDevice.load("hanoi", "2021-12-09")


def ansatz():
    circuit = real_amplitudes(3, reps=1)
    circuit.measure_all()
    return circuit


def source_of(events):
    return events("job.created")[-1].data.circuits[0].source_identity


def test_a_transpiled_circuit_carries_the_identity_of_its_source(installed, events):
    manager = generate_preset_pass_manager(optimization_level=1, backend=DEVICE, seed_transpiler=1)
    circuit = ansatz()
    expected = read_circuit(circuit).circuit.identity
    isa = manager.run(circuit)
    circuit.x(0)  # later changes of the source do not matter
    SamplerV2.from_backend(DEVICE).run([(isa, [0.1] * 6)], shots=10).result()
    (created,) = events("job.created")
    assert created.data.circuits[0].source_identity == expected != created.data.circuits[0].identity


def test_transpile_and_lists_of_circuits_are_seen_too(installed, events):
    first, second = ansatz(), ansatz()
    second.h(0)
    isa = transpile([first, second], DEVICE, seed_transpiler=1)
    SamplerV2.from_backend(DEVICE).run([(isa[1], [0.1] * 6)], shots=10).result()
    assert source_of(events) == read_circuit(second).circuit.identity


def test_the_source_of_a_source_is_the_first_one(installed, events):
    circuit = ansatz()
    once = transpile(circuit, DEVICE, optimization_level=0, seed_transpiler=1)
    twice = transpile(once, DEVICE, optimization_level=0, seed_transpiler=1)
    SamplerV2.from_backend(DEVICE).run([(twice, [0.1] * 6)], shots=10).result()
    assert source_of(events) == read_circuit(circuit).circuit.identity


def test_a_circuit_that_was_never_transpiled_has_no_source(installed, events, bell):
    SamplerV2().run([bell], shots=10).result()
    assert source_of(events) is None


def test_sources_are_forgotten_with_their_circuits():
    sources = Sources()
    transpiled, other = QuantumCircuit(1), QuantumCircuit(2)
    sources.remember(transpiled, QuantumCircuit(1))
    assert sources.of(transpiled) is not None
    assert sources.of(other) is None
    del transpiled
    gc.collect()
    assert len(sources) == 0
