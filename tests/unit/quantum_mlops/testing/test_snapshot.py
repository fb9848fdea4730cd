from datetime import UTC, datetime, timedelta
from importlib.resources import files

import msgspec
import pytest

from quantum_mlops.testing import Snapshot, available_snapshots


def document(**changes):
    fields = {
        "backend_name": "ibm_x",
        "backend_version": "1",
        "last_update_date": "2024-01-01T00:00:00-03:00",
        "qubits": [[{"date": "2024-01-01T00:00:00+02:00", "name": "T1", "unit": "us", "value": 1.5}]],
        "gates": [],
        "general": [],
    }
    return msgspec.json.encode(fields | changes)


def parameter(name, value, unit=""):
    return {"date": "2024-01-01T00:00:00Z", "name": name, "unit": unit, "value": value}


@pytest.mark.parametrize("name", available_snapshots())
def test_every_shipped_snapshot_is_complete_and_lossless(name):
    backend, _, date = name.partition("__")
    snapshot = Snapshot.load(backend, date)
    raw = msgspec.json.decode((files("quantum_mlops.testing") / "calibrations" / f"{name}.json").read_bytes())
    assert snapshot.backend_name == f"ibm_{backend}"
    assert [[p["value"] for p in q] for q in raw["qubits"]] == [
        [p["value"] for p in q] for q in snapshot.to_dict()["qubits"]
    ]
    assert [g["name"] for g in raw["gates"]] == [g["name"] for g in snapshot.to_dict()["gates"]]
    for qubit in range(snapshot.num_qubits):
        assert 0 < snapshot.t1_seconds(qubit) < 2e-3
        assert 0 < snapshot.t2_seconds(qubit) < 2e-3
        assert 4e9 < snapshot.frequency_hertz(qubit) < 6e9


def test_the_recorded_incident_of_hanoi_has_its_numbers():
    bad, good = Snapshot.load("hanoi", "2024-04-16"), Snapshot.load("hanoi", "2024-05-27")

    def errors(snapshot, gate, *qubits):
        return next(g.error for g in snapshot.gates if (g.gate, tuple(g.qubits)) == (gate, qubits))

    assert [round(errors(bad, "cx", *edge), 4) for edge in ((0, 1), (1, 2), (2, 3))] == [0.0209, 0.0133, 0.0309]
    assert [round(errors(good, "cx", *edge), 4) for edge in ((0, 1), (1, 2), (2, 3))] == [0.0067, 0.0059, 0.0089]
    assert round(errors(bad, "sx", 3), 4) == 0.0056
    assert round(errors(good, "sx", 3), 6) == 0.000155
    assert round(Snapshot.load("hanoi", "2025-02-12").t1_seconds(7) * 1e6, 2) == 7.45


def test_dates_keep_their_instant_and_become_utc():
    snapshot = Snapshot.decode(document())
    assert snapshot.last_update_date == datetime(2024, 1, 1, 3, tzinfo=UTC)
    assert snapshot.qubits[0][0].date == datetime(2023, 12, 31, 22, tzinfo=UTC)
    assert snapshot.to_dict()["qubits"][0][0]["date"].utcoffset() == timedelta(0)


def test_each_value_has_its_own_date():
    dates = {p.date for qubit in Snapshot.load("hanoi", "2021-12-09").qubits for p in qubit}
    assert len(dates) > 10


def test_what_was_not_calibrated_is_missing_but_stays_in_the_document():
    gate = {"qubits": [0], "gate": "sx", "name": "sx0", "parameters": [parameter("gate_error", 1)]}
    snapshot = Snapshot.decode(document(gates=[gate], qubits=[[parameter("readout_error", 1)]]))
    assert snapshot.gates[0].error is None
    assert snapshot.gates[0].is_faulty
    assert snapshot.readout_error(0) is None
    assert snapshot.t1_seconds(0) is None
    assert snapshot.to_dict()["gates"][0]["parameters"][0]["value"] == 1


def test_an_error_of_a_half_is_a_value_and_not_a_sentinel():
    assert Snapshot.load("sherbrooke", "2025-02-26").readout_error(84) == 0.5


def test_an_unknown_unit_is_refused_rather_than_guessed():
    snapshot = Snapshot.decode(document(qubits=[[parameter("T1", 3, "weeks")]]))
    with pytest.raises(ValueError, match="T1: unknown unit 'weeks'"):
        snapshot.t1_seconds(0)


@pytest.mark.parametrize("bad", [b"", b"[]", b"{}", document(qubits="none"), document(last_update_date="yesterday")])
def test_a_malformed_document_is_one_clear_error(bad):
    with pytest.raises(ValueError, match="not a calibration snapshot"):
        Snapshot.decode(bad)


def test_an_unknown_snapshot_lists_what_there_is():
    with pytest.raises(LookupError, match=r"no snapshot of backend 'hanoi' with date '1999'; available: .*hanoi__2021"):
        Snapshot.load("hanoi", "1999")


def test_an_ambiguous_date_is_refused():
    with pytest.raises(LookupError, match="2 snapshots of backend 'hanoi' with date '2024'"):
        Snapshot.load("hanoi", "2024")
