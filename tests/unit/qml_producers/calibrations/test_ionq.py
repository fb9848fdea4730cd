from datetime import UTC, datetime

import pytest

from qml_producers.calibrations.ionq import columns_of_characterization
from quantum_mlops.calibrations import calibration_id
from tests.providers.ionq import CHARACTERIZATION

NAMES = [
    "one_qubit_error",
    "one_qubit_length",
    "readout_error",
    "readout_length",
    "reset_length",
    "t1",
    "t2",
    "two_qubit_error",
    "two_qubit_length",
]
OLD = {  # API v0.3
    **CHARACTERIZATION,
    "date": 1_763_620_200,
    "fidelity": {"spam": {"mean": 0.9962, "stderr": None}, "1q": {"mean": 0.9998}, "2q": {"mean": 0.9946}},
}


def test_a_characterization_of_the_present_api_is_read_in_si_units_for_the_whole_device():
    columns = columns_of_characterization(CHARACTERIZATION)
    assert [column.name for column in columns] == NAMES
    values = {column.name: column.values for column in columns}
    assert (values["readout_error"], values["one_qubit_error"], values["two_qubit_error"]) == (
        [0.0038],
        [0.0002],
        [0.0054],
    )
    assert (values["t1"], values["two_qubit_length"]) == ([100.0], [0.0009])
    assert all(column.wires == [[]] for column in columns)
    assert all(column.times == [datetime(2026, 11, 20, 6, 30, tzinfo=UTC).timestamp()] for column in columns)


def test_the_older_api_says_means_and_a_unix_time():
    columns = columns_of_characterization(OLD)
    assert calibration_id(columns) == calibration_id(columns_of_characterization(CHARACTERIZATION))
    assert {time for column in columns for time in column.times} == {1_763_620_200.0}


@pytest.mark.parametrize(
    ("fidelity", "timing", "names"),
    [
        (None, None, []),
        ({}, {"t1": None, "new": 3}, []),
        ({"spam": None, "3q": {"median": 0.9}}, {}, []),
        ({"1q": {"median": None, "mean": 0.99}}, {}, ["one_qubit_error"]),
    ],
)
def test_what_a_characterization_does_not_say_has_no_column(fidelity, timing, names):
    found = columns_of_characterization({"date": None, "fidelity": fidelity, "timing": timing})
    assert [column.name for column in found] == names


def test_a_fidelity_of_zero_and_a_lifetime_of_zero_stand_for_unknown():
    found = columns_of_characterization({"fidelity": {"2q": {"median": 0}}, "timing": {"t1": 0, "t2": "x"}})
    assert [column.values for column in found] == [[None]] * 3
