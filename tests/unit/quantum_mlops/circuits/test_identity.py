import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantum_mlops.circuits import identity, parameters_digest

GOLDEN = Path(__file__).parents[3] / "golden" / "circuit_identity.json"
WIRES, BITS = 5, 3

angles = st.floats(-10, 10, allow_nan=False).map(lambda value: round(value, 6))
one_qubit = st.builds(lambda name, q: (name, (), (q,), ()), st.sampled_from(["h", "x", "s"]), st.integers(0, WIRES - 1))
rotations = st.builds(lambda a, q: ("rz", (a,), (q,), ()), angles, st.integers(0, WIRES - 1))
pairs = st.permutations(range(WIRES)).map(lambda wires: tuple(wires[:2]))
two_qubit = st.builds(lambda name, wires: (name, (), wires, ()), st.sampled_from(["cx", "cz"]), pairs)
measures = st.builds(lambda q, b: ("measure", (), (q,), (b,)), st.integers(0, WIRES - 1), st.integers(0, BITS - 1))
operations = st.one_of(one_qubit, rotations, two_qubit, measures)
circuits = st.lists(operations, max_size=14)


def wires_of(operation):
    return {*operation[2], *(("bit", bit) for bit in operation[3])}


@st.composite
def circuits_and_extensions(draw):
    """A circuit and another order of it that keeps the order on every shared wire."""
    circuit = draw(circuits)
    left, order = list(range(len(circuit))), []
    while left:
        ready = [
            i for n, i in enumerate(left) if not any(wires_of(circuit[i]) & wires_of(circuit[j]) for j in left[:n])
        ]
        chosen = draw(st.sampled_from(ready))
        left.remove(chosen)
        order.append(circuit[chosen])
    return circuit, order


@given(circuits_and_extensions())
def test_any_order_that_keeps_each_wires_order_has_the_same_identity(both):
    circuit, order = both
    assert identity(circuit, WIRES, BITS) == identity(order, WIRES, BITS)


@given(circuits, st.integers(0, 20))
def test_a_barrier_or_a_global_phase_anywhere_changes_nothing(circuit, place):
    barrier = ("barrier", (), tuple(range(WIRES)), ())
    phase = ("gphase", (0.3,), (), ())
    assert identity([*circuit[:place], barrier, phase, *circuit[place:]], WIRES, BITS) == identity(circuit, WIRES, BITS)


@given(circuits, operations)
def test_one_more_operation_makes_another_circuit(circuit, extra):
    assert identity([*circuit, extra], WIRES, BITS) != identity(circuit, WIRES, BITS)


def words(letters, length):
    return itertools.product(letters, repeat=length)


def test_all_short_circuits_are_distinct_unless_they_commute():
    """Against brute force: two words are equal when swaps of neighbours on disjoint wires lead from one to the other."""
    letters = [
        ("h", (), (0,), ()),
        ("h", (), (1,), ()),
        ("cx", (), (0, 1), ()),
        ("cx", (), (1, 0), ()),
        ("x", (), (2,), ()),
    ]

    def class_of(word):
        seen, frontier = {word}, [word]
        while frontier:
            current = frontier.pop()
            for i in range(len(current) - 1):
                if not wires_of(current[i]) & wires_of(current[i + 1]):
                    swapped = (*current[:i], current[i + 1], current[i], *current[i + 2 :])
                    if swapped not in seen:
                        seen.add(swapped)
                        frontier.append(swapped)
        return min(seen)

    by_class, by_identity = {}, {}
    for length in range(5):
        for word in words(letters, length):
            name = identity(word, 3, 0)
            assert by_class.setdefault(class_of(word), name) == name
            assert by_identity.setdefault(name, class_of(word)) == class_of(word)
    assert len(by_class) == len(by_identity) > 300


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([("rz", (0.1,), (0,), ())], [("rz", (0.1 + 2e-12,), (0,), ())]),
        ([("rz", (0.1,), (0,), ())], [("rx", (0.1,), (0,), ())]),
        ([("cx", (), (0, 1), ())], [("cx", (), (1, 0), ())]),
        ([("measure", (), (0,), (0,))], [("measure", (), (0,), (1,))]),
        ([("rz", (1,), (0,), ())], [("rz", ("1",), (0,), ())]),
        ([("u", (1.0, 2.0), (0,), ())], [("u", (2.0, 1.0), (0,), ())]),
    ],
)
def test_small_differences_are_differences(left, right):
    assert identity(left, 2, 2) != identity(right, 2, 2)


def test_the_number_of_wires_belongs_to_the_circuit():
    assert len({identity([], 1, 0), identity([], 2, 0), identity([], 1, 1)}) == 3


def test_noise_of_arithmetic_does_not_matter():
    assert identity([("rz", (0.1 + 0.2,), (0,), ())], 1, 0) == identity([("rz", (0.3,), (0,), ())], 1, 0)
    assert identity([("rz", (-0.0,), (0,), ())], 1, 0) == identity([("rz", (0,), (0,), ())], 1, 0)


def test_a_parameter_that_is_no_number_is_refused_by_its_type():
    with pytest.raises(TypeError, match="parameter of type list: give a number or a text"):
        identity([("rz", ([1],), (0,), ())], 1, 0)


def test_values_that_are_not_finite_still_have_an_identity():
    names = {identity([("rz", (float(v),), (0,), ())], 1, 0) for v in ("nan", "inf", "-inf", "1e300")}
    assert len(names) == 4


def test_the_digest_keeps_the_order_of_values():
    assert parameters_digest([1.0, 2.0]) != parameters_digest([2.0, 1.0])
    assert parameters_digest([]) == parameters_digest(())


def test_the_algorithm_is_the_one_of_the_golden_file():
    golden = json.loads(GOLDEN.read_text())
    for case in golden["operations"]:
        operations = [(name, parameters, tuple(q), tuple(b)) for name, parameters, q, b in case["operations"]]
        assert identity(operations, case["qubits"], case["bits"]) == case["identity"], case["name"]
    for case in golden["parameters"]:
        assert parameters_digest(case["values"]) == case["digest"]
