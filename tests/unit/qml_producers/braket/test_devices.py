"""What a device says of itself: read once for each time that it was updated."""

import copy
import json

import pytest
from braket.device_schema.iqm import IqmDeviceCapabilities

from qml_producers.braket.devices import Devices
from tests.providers.braket import GARNET
from tests.providers.braket_devices import device_documents


@pytest.fixture
def document():
    return device_documents()[GARNET]["deviceCapabilities"]


def properties(document):
    return IqmDeviceCapabilities.parse_raw(json.dumps(document))


def later(document):
    changed = copy.deepcopy(document)
    changed["standardized"]["oneQubitProperties"]["1"]["T1"]["value"] = 1e-6
    changed["service"]["updatedAt"] = "2026-11-21T08:00:00"
    return changed


def test_a_device_that_was_never_used_is_unknown():
    devices = Devices()
    assert devices.find(GARNET) is None
    assert list(devices.announce(GARNET, "braket")) == []


def test_only_changes_are_told(document):
    devices = Devices()
    devices.note(GARNET, properties(document))
    first = list(devices.announce(GARNET, "braket"))
    devices.note(GARNET, properties(document))  # another object of the user's
    assert list(devices.announce(GARNET, "braket")) == []
    devices.note(GARNET, properties(later(document)))
    second = list(devices.announce(GARNET, "braket"))
    assert len(first) == len(second) == 1
    assert first[0].calibration_id != second[0].calibration_id


def test_an_object_of_the_same_update_is_not_read_again(document):
    devices = Devices()
    devices.note(GARNET, properties(document))
    found = devices.find(GARNET)
    devices.note(GARNET, properties(document))
    assert devices.find(GARNET) is found


def test_a_footprint_has_the_calibration_of_its_own_qubits(document):
    before, after = Devices(), Devices()
    before.note(GARNET, properties(document))
    after.note(GARNET, properties(later(document)))
    ids = [[each.find(GARNET).restricted_id(qubits, []) for each in (before, after)] for qubits in ([1], [2, 3])]
    assert ids[0][0] != ids[0][1]
    assert ids[1][0] == ids[1][1]


def test_properties_that_could_not_be_read_by_the_sdk_are_none():
    devices = Devices()
    devices.note(GARNET, None)
    assert devices.find(GARNET) is None


def test_the_number_of_devices_is_bounded(document):
    devices = Devices()
    for number in range(100):
        devices.note(f"{GARNET}-{number}", properties(document) if number == 0 else object())
    assert len(devices._noted) == 64
