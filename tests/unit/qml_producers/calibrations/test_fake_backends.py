"""Every device that IBM ever published with its runtime: its properties and its Target say the same."""

import json
import warnings
from pathlib import Path

import pytest
from qiskit_ibm_runtime import fake_provider
from qiskit_ibm_runtime.fake_provider.fake_backend import FakeBackendV2

from qml_producers.calibrations.announcements import PART_BYTES, split
from qml_producers.calibrations.ibm import columns_of_properties
from qml_producers.calibrations.target import columns_of_target
from quantum_mlops.calibrations import calibration_id
from quantum_mlops.codec import encode_data

NAMES = sorted(
    name
    for name, kind in vars(fake_provider).items()
    if isinstance(kind, type) and issubclass(kind, FakeBackendV2) and hasattr(kind, "dirname")
)


def device(name):
    with warnings.catch_warnings():  # nighthawk says of itself that its values are not typical
        warnings.filterwarnings("ignore", category=UserWarning, message="Properties of fake_nighthawk")
        return getattr(fake_provider, name)()


def properties_of(name):
    kind = getattr(fake_provider, name)
    return json.loads((Path(kind.dirname) / kind.props_filename).read_bytes())


def rows(columns):
    return {
        (column.name, tuple(wires)): value
        for column in columns
        for wires, value in zip(column.wires, column.values, strict=True)
    }


def test_there_are_as_many_as_the_runtime_of_this_version_has():
    assert len(NAMES) == 68


@pytest.mark.parametrize("name", NAMES)
def test_properties_and_target_of_every_device_agree(name):
    columns = columns_of_properties(properties_of(name))
    recorded = rows(columns)
    assert {"t1", "t2", "readout_error", "prob_meas0_prep1", "prob_meas1_prep0"} <= {column.name for column in columns}
    assert all(time is not None for column in columns for time in column.times)
    assert all(value is None or 0 < value < 1 for (kind, _), value in recorded.items() if kind in {"t1", "t2"})
    assert all(value is None or 0 <= value < 1 for (kind, _), value in recorded.items() if kind.endswith("_error"))
    target = rows(columns_of_target(device(name).target))
    shared = recorded.keys() & target.keys()
    assert {kind for kind, _ in shared} >= {"t1", "t2", "readout_error"}
    different = {
        key: (recorded[key], target[key])
        for key in shared
        if recorded[key] != target[key]
        and (
            recorded[key] is None or target[key] is None or abs(recorded[key] - target[key]) > 1e-9 * abs(recorded[key])
        )
    }
    assert different == {}
    missing = {key for key in target.keys() - recorded.keys() if target[key] is not None}
    assert {kind for kind, _ in missing} <= {"delay_length", "delay_error"}


def test_a_large_device_is_told_in_parts_that_fit_and_lose_nothing():
    columns = columns_of_properties(properties_of("FakeBoston"))
    parts = split(columns)
    assert len(parts) == 4
    assert max(len(encode_data(part)) for part in parts) <= PART_BYTES
    together = [column for part in parts for column in part]
    assert calibration_id(together) == calibration_id(columns)
    assert rows(together) == rows(columns)


def test_a_chain_of_qubits_has_its_layer_fidelity():
    lf = next(
        column for column in columns_of_properties(properties_of("FakeBoston")) if column.name == "layer_fidelity"
    )
    longest = max(range(len(lf.wires)), key=lambda row: len(lf.wires[row]))
    length = len(lf.wires[longest])
    assert length == 100
    assert 1 - lf.values[longest] ** (1 / (length - 1)) == pytest.approx(0.00275, abs=5e-5)  # EPLG, as IBM shows it
    assert all(0 < value <= 1 for value in lf.values)
