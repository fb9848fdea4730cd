import gc

import pytest
from qiskit_aer import AerSimulator

from qml_producers.calibrations.announcements import split
from qml_producers.calibrations.ibm import columns_of_properties
from qml_producers.qiskit.snapshots import Backends
from quantum_mlops.calibrations import calibration_id, footprint_id
from quantum_mlops.codec import encode_data
from quantum_mlops.testing import RecordedDevice, Snapshot


@pytest.fixture
def device():
    return RecordedDevice.load("hanoi", "2021-12-09")


def look(backends, backend):
    """What a job does: a token in the caller's thread, its calibration later."""
    known = backends.describe(backend)
    calibration = backends.calibration(known, known.token(backend))
    return calibration, list(backends.announce(known, calibration))


def test_a_calibration_is_announced_once_until_it_changes(device):
    backends = Backends()
    first, said = look(backends, device)
    assert {part.calibration_id for part in said} == {first.calibration_id}
    assert look(backends, device)[1] == []
    device.recalibrate(Snapshot.load("hanoi", "2024-04-16"))
    second, said = look(backends, device)
    assert said[0].calibration_id == second.calibration_id != first.calibration_id
    device.recalibrate(Snapshot.load("hanoi", "2021-12-09"))
    back, said = look(backends, device)
    assert said[0].calibration_id == back.calibration_id == first.calibration_id


def test_a_token_stands_for_the_values_of_its_time_whatever_came_since(device):
    backends = Backends()
    known = backends.describe(device)
    before = known.token(device)  # the very first look
    device.recalibrate(Snapshot.load("hanoi", "2024-04-16"))
    after = known.token(device)
    device.recalibrate(Snapshot.load("hanoi", "2024-05-27"))
    t1 = [
        next(column for column in backends.calibration(known, token).columns if column.name == "t1")
        for token in (before, after)
    ]
    for column, date in zip(t1, ("2021-12-09", "2024-04-16"), strict=True):
        assert column.values[0] == pytest.approx(Snapshot.load("hanoi", date).t1_seconds(0))


def test_tokens_of_a_device_are_its_dated_properties_once_that_is_known_to_be_cheap(device):
    backends = Backends()
    look(backends, device)
    known = backends.describe(device)
    assert known.token(device) is device.properties()
    assert look(backends, device)[0].columns == columns_of_properties(device.properties().to_dict())


def test_the_footprints_id_covers_only_what_was_used(device):
    calibration, _ = look(Backends(), device)
    found = calibration.restricted_id([0, 1], [(0, 1)])
    assert found == calibration.restricted_id([0, 1], [(0, 1)]) == footprint_id(calibration.columns, [0, 1], [(0, 1)])
    assert found != calibration.restricted_id([0, 1], []) != calibration.restricted_id([1, 2], [])


def test_parts_fit_an_event_and_together_are_the_whole():
    columns = columns_of_properties(RecordedDevice.load("sherbrooke", "2024-04-16").properties().to_dict())
    parts = split(columns)
    assert len(parts) > 1
    assert all(len(encode_data(column)) < 60 * 1024 for part in parts for column in part)
    assert all(sum(len(encode_data(column)) for column in part) < 60 * 1024 for part in parts)
    assert calibration_id(column for part in parts for column in part) == calibration_id(columns)


def test_parts_of_one_snapshot_are_numbered():
    _, said = look(Backends(), RecordedDevice.load("sherbrooke", "2024-04-16"))
    assert [part.part for part in said] == list(range(len(said)))
    assert {part.parts for part in said} == {len(said)}


def test_a_simulator_without_a_device_has_no_calibration_and_its_target_is_built_once_per_class():
    backends = Backends()
    looks = []

    class Counting(AerSimulator):
        @property
        def target(self):
            looks.append(1)
            return super().target

    for _ in range(3):
        backend = Counting()
        calibration, said = look(backends, backend)
        assert (calibration.columns, said) == ([], [])
    assert len(looks) == 2


def test_a_backend_with_nothing_but_a_target_is_read_from_that():
    backends = Backends()
    device = RecordedDevice.load("hanoi", "2021-12-09")

    class TargetOnly:
        name = "target_only"
        target = device.target

    backend = TargetOnly()
    calibration, said = look(backends, backend)
    assert said[0].backend == "target_only"
    assert {column.name for column in calibration.columns} >= {"t1", "cx_error"}
    assert look(backends, backend)[1] == []
    backend.target = RecordedDevice.load("hanoi", "2024-04-16").target
    assert look(backends, backend)[0].calibration_id != calibration.calibration_id


def test_backends_that_are_gone_are_forgotten():
    backends = Backends()
    for _ in range(20):
        backends.describe(RecordedDevice.load("hanoi", "2021-12-09"))
    gc.collect()
    assert len(backends._known) <= 1
