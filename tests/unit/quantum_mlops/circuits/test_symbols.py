import math

from quantum_mlops.circuits import expression, symbol


def test_a_symbol_is_its_position():
    assert [symbol(0), symbol(12)] == ["$0", "$12"]


def test_equal_functions_written_differently_agree():
    left = expression([1, 0], lambda v: (v[0] + v[1]) ** 2)
    right = expression([0, 1], lambda v: v[0] ** 2 + 2 * v[0] * v[1] + v[1] ** 2)
    assert left == right


def test_different_functions_or_positions_differ():
    texts = {
        expression([0], lambda v: v[0]),
        expression([1], lambda v: v[0]),
        expression([0], lambda v: -v[0]),
        expression([0], lambda v: v[0] + math.pi),
        expression([0], lambda v: math.sin(v[0])),
        expression([0, 1], lambda v: v[0] + 0 * v[1]),
    }
    assert len(texts) == 6


def test_a_complex_result_without_imaginary_part_is_the_real_one():
    assert expression([0], lambda v: complex(v[0], 0.0)) == expression([0], lambda v: v[0])
    assert expression([0], lambda v: 1j * v[0]) != expression([0], lambda v: v[0])
