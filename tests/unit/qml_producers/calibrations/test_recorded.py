import json
from importlib.resources import files

import pytest

from qml_producers.calibrations.ibm import columns_of_properties
from qml_producers.calibrations.recorded import parse_recorded
from quantum_mlops.calibrations import calibration_id
from quantum_mlops.clock import SECOND
from quantum_mlops.errors import UserError
from quantum_mlops.timestamps import format_time
from tests.providers.ionq import CHARACTERIZATION

FOLDER = files("quantum_mlops.testing").joinpath("calibrations")
HANOI = next(one for one in FOLDER.iterdir() if one.name.startswith("hanoi__2024-04-16")).read_bytes()
GARNET = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"
BRAKET = {
    "service": {"updatedAt": "2026-11-20T06:00:00"},
    "paradigm": {"qubitCount": 20},
    "standardized": {"oneQubitProperties": {"1": {"T1": {"value": 30, "unit": "us"}}}},
}


def test_ibms_properties_are_a_calibration_at_their_own_date():
    found = parse_recorded(HANOI, "hanoi.json")
    assert (found.backend, found.provider) == ("ibm_hanoi", "ibm")
    assert format_time(found.time) == "2024-04-16T12:52:32.000000000Z"
    assert found.calibration_id == calibration_id(columns_of_properties(json.loads(HANOI)))
    parts = list(found.snapshots())
    assert [(part.part, part.parts, part.calibration_id) for part in parts] == [(0, 1, found.calibration_id)]


def test_ionqs_and_brakets_documents_are_known_too():
    found = parse_recorded(json.dumps(CHARACTERIZATION).encode(), "c.json")
    assert (found.backend, found.provider, format_time(found.time)[:16]) == ("qpu.forte-1", "ionq", "2026-11-20T06:30")
    found = parse_recorded(json.dumps(BRAKET).encode(), "garnet.json", GARNET)
    assert (found.backend, found.provider, found.time % (86_400 * SECOND)) == (GARNET, "braket", 6 * 3600 * SECOND)


def test_its_identity_follows_from_what_is_said_and_from_nothing_else():
    found = parse_recorded(HANOI, "a.json")
    assert found.facts == parse_recorded(HANOI + b"\n", "b.json").facts
    later = HANOI.replace(b"2024-04-16T09:52:32", b"2024-04-16T09:52:33", 1)
    others = [parse_recorded(HANOI, "a.json", "other").facts, parse_recorded(later, "a").facts]
    assert found.facts not in others


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "no JSON object"),
        (b"{}", "neither IBM's properties nor"),
        (b'{"qubits": 3, "gates": []}', "no calibration of the shape that it seems to have"),
        (b'{"qubits": [[{"name": "T1"}]], "gates": []}', "no calibration of the shape that it seems to have"),
        (b'{"qubits": [], "gates": [], "backend_name": "x"}', "no calibration value that is known here"),
        (json.dumps(BRAKET).encode(), "does not say which device it is of; name it with --backend"),
        (HANOI.replace(b'"last_update_date"', b'"when"'), "does not say when it was recorded (last_update_date"),
        (
            HANOI.replace(b'"last_update_date": "2024', b'"last_update_date": "1924'),
            "does not say when it was recorded",
        ),
        (HANOI.replace(b'"ibm_hanoi"', b'"' + b"x" * 513 + b'"'), "longer than 512 characters"),
        (b" " * (64 * 2**20 + 1), "over 64 MiB"),
    ],
    ids=range(13),
)
def test_what_is_no_calibration_is_refused_with_the_place(data, said):
    with pytest.raises(UserError) as refused:
        parse_recorded(data, "some.json")
    assert str(refused.value).startswith("some.json: ")
    assert said in str(refused.value)
    assert len(str(refused.value)) < 400
