import fractions
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantum_mlops.sdk.scalars import host_scalar, split_finite


@given(st.dictionaries(st.text(max_size=5), st.floats() | st.integers() | st.booleans()))
def test_every_number_is_in_exactly_one_place(values):
    finite, nonfinite, refused = split_finite(values)
    assert set(finite) | set(nonfinite) | set(refused) == set(values)
    assert all(math.isfinite(number) for number in finite.values())
    assert all(float(values[name]) == number for name, number in finite.items())


def test_numbers_that_are_not_finite_keep_their_name():
    values = {"a": math.nan, "b": math.inf, "c": -math.inf, "d": np.float64("nan")}
    assert split_finite(values)[1] == {"a": "nan", "b": "inf", "c": "-inf", "d": "nan"}


@pytest.mark.parametrize("value", [np.float64(0.5), np.float32(0.5), np.array(0.5), np.float16(0.5)])
def test_numpy_scalars_and_0_d_arrays_are_numbers(value):
    finite, _, refused = split_finite({"loss": value})
    assert (finite, refused) == ({"loss": 0.5}, [])
    assert type(finite["loss"]) is float


@pytest.mark.parametrize("value", ["0.5", None, [1.0], np.array([0.5]), 1j, np.complex128(1), fractions.Fraction(1, 2)])
def test_what_is_no_number_in_host_memory_is_refused_by_name(value):
    assert split_finite({"loss": value, "ok": 1.0}) == ({"ok": 1.0}, {}, ["loss"])


def test_a_number_too_large_for_a_float_is_refused():
    assert split_finite({"n": 10**400}) == ({}, {}, ["n"])


def test_names_are_text():
    assert split_finite({1: 1.0, "b": 2.0}) == ({"b": 2.0}, {}, ["1"])


def test_an_array_on_a_device_is_never_read():
    class DeviceArray:
        ndim = 0

        def item(self):
            pytest.fail("item() waits for the device")

        __float__ = item

    with pytest.raises(TypeError, match="DeviceArray"):
        host_scalar(DeviceArray())
    assert split_finite({"loss": DeviceArray()})[2] == ["loss"]
