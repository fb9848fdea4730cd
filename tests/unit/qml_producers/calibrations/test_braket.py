import json
from datetime import UTC, datetime

import pytest
from braket.device_schema.aqt import AqtProviderProperties
from braket.device_schema.ionq import IonqProviderProperties
from braket.device_schema.standardized_gate_model_qpu_device_properties_v1 import (
    StandardizedGateModelQpuDeviceProperties as PropertiesV1,
)
from braket.device_schema.standardized_gate_model_qpu_device_properties_v2 import (
    StandardizedGateModelQpuDeviceProperties as PropertiesV2,
)
from braket.device_schema.standardized_gate_model_qpu_device_properties_v3 import (
    StandardizedGateModelQpuDeviceProperties as PropertiesV3,
)

from qml_producers.calibrations.braket import columns_of_device
from quantum_mlops.calibrations import calibration_id, footprint_id

SERVICE = {"updatedAt": "2026-11-20T06:00:00"}
UPDATED = datetime(2026, 11, 20, 6, tzinfo=UTC).timestamp()
HEADER = {"name": "braket.device_schema.standardized_gate_model_qpu_device_properties", "version": "1"}


def fidelity(kind, value):
    return {"fidelityType": {"name": kind}, "fidelity": value, "standardError": None}


def standardized(version="1"):
    units = {"time": "us", "ratio": {}} if version == "1" else {"time": "s", "ratio": {"unit": "fraction"}}
    scale = 1 if version == "1" else 1e-6

    def of_qubit(t1, readout):
        return {
            "T1": {"value": t1 * scale, "standardError": None, "unit": units["time"]},
            "T2": {"value": 20 * scale, "standardError": None, "unit": units["time"]},
            "oneQubitFidelity": [
                {**fidelity("RANDOMIZED_BENCHMARKING", 0.999), **units["ratio"]},
                {**fidelity("SIMULTANEOUS_RANDOMIZED_BENCHMARKING", 0.9985), **units["ratio"]},
                {**fidelity("READOUT", readout), **units["ratio"]},
            ],
        }

    def of_pair(gate, value, **more):
        found = {"gateName": gate, **fidelity("INTERLEAVED_RANDOMIZED_BENCHMARKING", value), **units["ratio"], **more}
        return {"twoQubitGateFidelity": [found]}

    return {
        "braketSchemaHeader": {**HEADER, "version": version},
        "oneQubitProperties": {"10": of_qubit(30.0, 0.0), "2": of_qubit(40.0, 0.97)},
        "twoQubitProperties": {
            "2-10": of_pair("CZ", 0.991),
            "2-3": of_pair("CNOT", 0.98, direction={"control": 3, "target": 2}),
        },
    }


def by_name(columns):
    return {column.name: column for column in columns}


@pytest.mark.parametrize(("version", "schema"), [("1", PropertiesV1), ("2", PropertiesV2)])
def test_standardized_properties_are_read_with_their_units_and_fidelities_become_errors(version, schema):
    block = standardized(version)
    schema.parse_raw_schema(json.dumps(block))  # Braket's own schema takes it
    columns = by_name(columns_of_device({"service": SERVICE, "standardized": block, "provider": {}}))
    assert columns["t1"].wires == [[2], [10]]
    assert columns["t1"].values == pytest.approx([4e-5, 3e-5])
    assert (columns["t1"].unit, columns["one_qubit_error"].unit) == ("s", "")
    assert columns["one_qubit_error"].values == [0.001, 0.001]
    assert columns["simultaneous_one_qubit_error"].values == [0.0015, 0.0015]
    assert columns["readout_error"].values == [0.03, None]
    assert (columns["cz_error"].wires, columns["cz_error"].values) == ([[2, 10]], [0.009])
    assert (columns["cx_error"].wires, columns["cx_error"].values) == ([[3, 2]], [0.02])
    assert all(time == UPDATED for column in columns.values() for time in column.times)


def test_the_units_of_two_versions_of_the_schema_do_not_make_another_calibration():
    first, second = ({"standardized": standardized(version)} for version in "12")
    assert calibration_id(columns_of_device(first)) == calibration_id(columns_of_device(second))


def test_the_figures_of_a_whole_device_belong_to_every_footprint():
    block = {
        "braketSchemaHeader": {**HEADER, "version": "3"},
        "oneQubitProperties": {"0": {"oneQubitFidelity": [{**fidelity("RANDOMIZED_BENCHMARKING", 0.9985), "unit": "fraction"}]}},
        "T1": {"value": 50.0, "standardError": 2.5, "unit": "s"},
        "T2": {"value": 300.0, "standardError": None, "unit": "ms"},
        "readoutFidelity": [{"fidelity": 0.995, "standardError": 0.001, "unit": "fraction"}],
        "readoutDuration": {"value": 350, "standardError": None, "unit": "us"},
        "twoQubitGateFidelity": [{**fidelity("RANDOMIZED_BENCHMARKING", 0.98), "unit": "fraction"}],
        "updatedAt": "2026-11-19T12:00:00Z",
    }  # fmt: skip
    PropertiesV3.parse_raw_schema(json.dumps(block))
    columns = columns_of_device({"service": SERVICE, "standardized": block})
    found = by_name(columns)
    assert {name: column.values for name, column in found.items()} == {
        "one_qubit_error": [0.0015], "t1": [50.0], "t2": [0.3], "readout_error": [0.005],
        "readout_length": [pytest.approx(0.00035)], "two_qubit_error": [0.02],
    }  # fmt: skip
    assert found["t1"].wires == [[]]
    assert found["t1"].times == [datetime(2026, 11, 19, 12, tzinfo=UTC).timestamp()]
    worse = columns_of_device({"standardized": {**block, "T1": {"value": 40.0, "unit": "s"}}})
    assert footprint_id(columns, [7], []) != footprint_id(worse, [7], [])


def test_ionq_without_the_block_is_read_from_its_own_figures():
    provider = {
        "braketSchemaHeader": {"name": "braket.device_schema.ionq.ionq_provider_properties", "version": "1"},
        "fidelity": {"1Q": {"mean": 0.9998}, "2Q": {"mean": 0.9925}, "spam": {"mean": 0.9938}},
        "timing": {"T1": 100, "T2": 1, "1Q": 0.00013, "2Q": 0.00095, "readout": 0.00015, "reset": 5e-05},
    }
    IonqProviderProperties.parse_raw_schema(json.dumps(provider))
    columns = by_name(columns_of_device({"service": SERVICE, "provider": provider, "standardized": None}))
    assert {name: column.values for name, column in columns.items()} == {
        "one_qubit_error": [0.0002], "two_qubit_error": [0.0075], "readout_error": [0.0062], "t1": [100.0], "t2": [1.0],
        "one_qubit_length": [0.00013], "two_qubit_length": [0.00095], "readout_length": [0.00015], "reset_length": [5e-05],
    }  # fmt: skip
    assert columns["t2"].times == [UPDATED]


def test_aqt_without_the_block_is_read_from_its_own_figures():
    own = {
        "single_qubit_gate_fidelity": {
            "0": {"value": 99.7, "uncertainty": 0.1},
            "1": {"value": 99.8, "uncertainty": 0.1},
        },
        "mean_two_qubit_gate_fidelity": {"value": 98.1, "uncertainty": 0.4},
        "spam_fidelity_lower_bound": 99.5,
        "t2_coherence_time_s": {"value": 0.23, "uncertainty": 0.01},
        "t1_s": {"value": 1.168, "uncertainty": 0.007},
        "readout_time_micros": 3000,
        "single_qubit_gate_duration_micros": 15,
        "two_qubit_gate_duration_micros": 200,
        "updated_at": "2026-11-18T00:00:00Z",
    }
    header = {"name": "braket.device_schema.aqt.aqt_provider_properties", "version": "1"}
    AqtProviderProperties.parse_raw_schema(json.dumps({"braketSchemaHeader": header, "properties": own}))
    columns = by_name(columns_of_device({"service": SERVICE, "provider": {"properties": own}}))
    assert columns["one_qubit_error"].values == pytest.approx([0.003, 0.002])
    assert columns["two_qubit_error"].values == pytest.approx([0.019])
    assert columns["readout_length"].values == pytest.approx([0.003])
    assert (columns["t1"].values, columns["t1"].times) == ([1.168], [datetime(2026, 11, 18, tzinfo=UTC).timestamp()])


@pytest.mark.parametrize(
    "document",
    [
        {}, {"standardized": 3}, {"provider": []}, {"provider": {"properties": {"one_qubit": {}}}},
        {"standardized": {"oneQubitProperties": {"a-b": {"T1": {"value": 1, "unit": "s"}}}}},
        {"standardized": {"twoQubitProperties": {"0-1": {"twoQubitGateFidelity": [{"gateName": "C Z!", "fidelity": 0.9}, 7]}}}},
    ],
)  # fmt: skip
def test_what_is_no_figure_known_here_has_no_column(document):
    assert columns_of_device(document) == []


def test_figures_that_are_no_numbers_are_missing():
    block = {
        "oneQubitProperties": {"0": {"T1": {"value": "long", "unit": "us"}, "T2": {"value": 3, "unit": "fortnights"}}}
    }
    columns = columns_of_device({"standardized": block, "service": {"updatedAt": "yesterday"}})
    assert [(column.values, column.times) for column in columns] == [([None], [None])] * 2
