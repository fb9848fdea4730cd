import numpy as np
import pytest
from qiskit.primitives.containers.observables_array import ObservablesArray

from qml_producers.observing.expectations import expectations, observables_label
from quantum_mlops.codec import encode_data


def test_values_and_errors_are_flattened_in_order():
    (found,) = expectations(np.array([[1.0, 2.0], [3.0, 4.0]]), np.full((2, 2), 0.1), "o1:x")
    assert (found.values, found.standard_errors) == ([1.0, 2.0, 3.0, 4.0], [0.1] * 4)


@pytest.mark.parametrize("errors", [None, np.zeros(2), np.array([0.1, np.nan]), np.array([0.1])])
def test_errors_that_are_zero_absent_or_unusable_are_absent(errors):
    (found,) = expectations(np.array([1.0, 2.0]), errors, "o1:x")
    assert found.standard_errors is None


def test_a_scalar_is_one_value():
    (found,) = expectations(np.array(0.5), np.float64(0.25), "o1:x")
    assert (found.values, found.standard_errors) == ([0.5], [0.25])


@pytest.mark.parametrize("values", [[1.0, np.nan], [np.inf], [1j]])
def test_what_is_no_finite_real_number_is_not_sent(values):
    assert list(expectations(np.array(values), None, "o1:x")) == []


def test_complex_values_without_imaginary_part_are_real():
    (found,) = expectations(np.array([0.5 + 0j]), None, "o1:x")
    assert found.values == [0.5]


def test_many_values_are_split_into_events_that_fit():
    values = np.random.default_rng(1).normal(size=2500)
    found = list(expectations(values, values**2, "o1:x"))
    assert [len(each.values) for each in found] == [1000, 1000, 500]
    assert np.concatenate([each.values for each in found]).tolist() == values.tolist()
    assert all(len(encode_data(each)) < 60 * 1024 for each in found)


def test_observables_are_told_apart_by_terms_weights_and_order():
    def label(observables):
        return observables_label(np.ravel(np.array(ObservablesArray(observables).tolist(), dtype=object)).tolist())

    names = [label(o) for o in ([{"ZZ": 1}], [{"ZZ": 2}], [{"XX": 1}], [{"ZZ": 1}, {"XX": 1}], [{"XX": 1}, {"ZZ": 1}])]
    assert len(set(names)) == 5
    assert label([{"ZZ": 1, "XI": 0.1 + 0.2}]) == label([{"XI": 0.3, "ZZ": 1.0}])
