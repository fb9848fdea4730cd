"""The poller with the real doors, each against its provider's protocol on this machine."""

import time

import pytest

from qml_daemon.calibrations.outlet import CalibrationOutlet, new_nonce
from qml_daemon.calibrations.poller import CalibrationPoller, Parts
from qml_daemon.calibrations.told import ToldFile
from qml_producers.ibm.door import IbmDoor
from qml_producers.ionq.door import IonqDoor
from quantum_mlops.clock import system_clock
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.spool.reader import read_folder
from tests.providers.ibm import IbmCloud
from tests.providers.ionq import CHARACTERIZATION, Fault, IonqCloud


@pytest.fixture
def poll(tmp_path):
    pollers = []

    def once(opener, provider, backend):
        """Read a device as a poller that was started anew does; return the calibration ids told so far."""
        outlet = CalibrationOutlet(Settings(spool=str(tmp_path / "spool")), new_nonce())
        parts = Parts(outlet, ToldFile(tmp_path), lambda: {(provider, backend): ["iris"]}, lambda _: None)
        poller = CalibrationPoller({provider: opener}, 900.0, parts, system_clock, time.monotonic)
        pollers.append(poller)
        (look,) = poller.run_once()
        poller.close()
        events = sorted(read_folder(tmp_path / "spool"), key=lambda event: event.time)
        return look, list(dict.fromkeys(event.data.calibration_id for event in events))

    return once


def test_ionqs_characterizations_are_told_when_they_change(poll):
    with IonqCloud() as cloud:

        def opener():
            return IonqDoor.open({"IONQ_API_KEY": cloud.key, "IONQ_API_URL": cloud.url}, 5.0)

        for _ in range(2):
            look, told = poll(opener, "ionq", "qpu.forte-1")
            assert (look.error, len(told)) == (None, 1)
        cloud.characterizations = [
            {**CHARACTERIZATION, "timing": {**CHARACTERIZATION["timing"], "t2": 0.9}},
            CHARACTERIZATION,
        ]
        assert len(poll(opener, "ionq", "qpu.forte-1")[1]) == 2
        cloud.faults.append(Fault("characterizations", 503))
        look, told = poll(opener, "ionq", "qpu.forte-1")
        assert ("503" in look.error, len(told)) == (True, 2)
        assert poll(opener, "ionq", "simulator")[0].events == 0


def test_ibms_properties_are_read_anew_and_told_when_they_change(poll, monkeypatch):
    with IbmCloud() as cloud:
        for name, value in cloud.environ.items():
            monkeypatch.setenv(name, value)
        device = cloud.devices["ibm_hanoi"]

        def opener():
            return IbmDoor.open(cloud.environ, 10.0)

        counts = []
        for device.in_force in (0, 0, 1, 0):
            look, told = poll(opener, "ibm", "ibm_hanoi")
            counts.append((look.error, look.events, len(told)))
    assert counts == [(None, 1, 1), (None, 0, 1), (None, 1, 2), (None, 1, 2)]
