import array
import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantum_mlops.sdk.gradient import MAX_GRADIENT_BYTES, copy_gradient, describe_gradient

SAME = [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    "gradient",
    [
        SAME,
        tuple(SAME),
        [np.array(SAME[:2]), None, SAME[2:]],
        {"a": SAME[:1], "b": (2, [3, np.float32(4)])},
        np.array(SAME),
        np.array(SAME, ">f8"),
        np.array(SAME, np.float16),
        np.array(SAME, np.int8),
        np.array([SAME, [9.0] * 4]).T[:, 0],
        np.array(SAME).reshape(2, 2),
        (np.array(1.0), np.array([2.0, 3.0]), np.float64(4.0)),
        array.array("f", SAME),
        memoryview(array.array("d", SAME)),
    ],
)
def test_every_array_like_gives_the_same_components(gradient):
    assert copy_gradient(gradient).components() == SAME


def test_one_number_is_a_gradient_of_one_component():
    assert copy_gradient(2.5).components() == copy_gradient(np.float32(2.5)).components() == [2.5]


def test_a_tensor_is_copied_without_its_graph():
    class Tensor:
        """What we ask of a tensor of PyTorch."""

        def __init__(self, device, values):
            self.device = type("device", (), {"type": device})
            self.values = values

        def detach(self):
            return self

        def numpy(self):
            return self.values

    values = np.array(SAME)
    copied = copy_gradient(Tensor("cpu", values))
    values[:] = 0
    assert copied.components() == SAME
    with pytest.raises(TypeError, match="accelerator"):
        copy_gradient(Tensor("cuda", values))


@pytest.mark.parametrize("gradient", [np.array([1j]), "text", b"", None, np.array(["x"]), object(), [1.0, "x"]])
def test_what_holds_no_real_numbers_is_refused(gradient):
    with pytest.raises((TypeError, struct.error)):
        copy_gradient(gradient)


def test_a_gradient_that_is_too_large_is_refused_before_it_is_copied():
    most = MAX_GRADIENT_BYTES // 8
    assert copy_gradient(np.zeros(most)).size_bytes == MAX_GRADIENT_BYTES
    for large in (np.zeros(most + 1), [np.zeros(most), np.zeros(1)], [0.0] * most):
        with pytest.raises(ValueError, match="GradientStatistics"):
            copy_gradient(large)


def test_a_list_that_holds_itself_is_refused():
    endless = []
    endless.append(endless)
    with pytest.raises(TypeError, match="nested"):
        copy_gradient(endless)


@given(st.lists(st.floats(-1e100, 1e100), min_size=1, max_size=50))
def test_statistics_are_those_of_numpy(components):
    statistics, unknown = describe_gradient(components)
    assert unknown is None
    assert statistics.norm == pytest.approx(np.linalg.norm(np.array(components) / 1e50) * 1e50, rel=1e-9, abs=1e-60)
    assert statistics.mean == pytest.approx(np.mean(components), rel=1e-6, abs=max(map(abs, components)) * 1e-12)
    assert statistics.max_abs == max(map(abs, components))
    scale = max(map(abs, components)) or 1.0
    assert statistics.variance == pytest.approx(
        np.var(np.array(components) / scale) * scale**2, rel=1e-6, abs=scale**2 * 1e-12
    )


@pytest.mark.parametrize(
    ("components", "unknown"),
    [([math.nan, 1.0], "nan"), ([math.inf], "inf"), ([1e308] * 9, "inf"), ([-math.inf, 0], "inf")],
)
def test_what_is_not_finite_is_told_by_name(components, unknown):
    statistics, name = describe_gradient(components)
    assert (statistics.size, statistics.norm, name) == (len(components), None, unknown)


def test_an_empty_gradient_has_a_size_and_no_more():
    assert describe_gradient(())[0].size == 0
