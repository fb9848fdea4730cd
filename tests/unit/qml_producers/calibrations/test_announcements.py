from qml_producers.calibrations.announcements import PART_BYTES, Announcements, split
from quantum_mlops.calibrations import calibration_id
from quantum_mlops.codec import encode_data
from quantum_mlops.events import CalibrationColumn


def t1(value, time=0.0):
    return [CalibrationColumn(name="t1", unit="s", wires=[[0]], values=[value], times=[time])]


def test_the_same_values_are_one_observation_however_often_they_are_read():
    said = Announcements()
    told = [
        list(said.tell("ibm_a", "ibm", t1(value, time))) for time, value in enumerate([1e-4, 1e-4, 1e-4, 2e-4, 1e-4])
    ]
    assert [len(parts) for parts in told] == [1, 0, 0, 1, 1]
    assert told[0][0].calibration_id == told[4][0].calibration_id == calibration_id(t1(1e-4))
    assert told[0][0].provider == "ibm"


def test_each_backend_is_told_for_itself_and_nothing_of_one_that_publishes_nothing():
    said = Announcements()
    assert len(list(said.tell("a", None, t1(1e-4)))) == len(list(said.tell("b", None, t1(1e-4)))) == 1
    assert list(said.tell("c", None, [])) == []


def test_what_was_told_before_a_restart_is_not_told_again():
    said = Announcements()
    said.know("a", calibration_id(t1(1e-4)))
    assert list(said.tell("a", None, t1(1e-4))) == []


def test_a_calibration_counts_as_told_when_its_last_part_was_taken():
    said = Announcements()
    columns = [
        CalibrationColumn(
            name=f"g{gate}_error",
            wires=[[q, q + 1] for q in range(600)],
            values=[0.123456789012345] * 600,
            times=[1.7e9] * 600,
        )
        for gate in range(4)
    ]
    broken_off = said.tell("a", None, columns)
    next(broken_off)
    parts = list(said.tell("a", None, columns))
    assert [(part.part, part.parts) for part in parts] == [(number, len(parts)) for number in range(len(parts))]
    assert len(parts) > 1
    assert list(said.tell("a", None, columns)) == []


def test_long_chains_are_cut_into_parts_that_fit():
    chains = [
        CalibrationColumn(
            name="layer_fidelity", wires=[list(range(1000)) for _ in range(40)], values=[0.5] * 40, times=[None] * 40
        )
    ]
    parts = split(chains)
    assert max(len(encode_data(part)) for part in parts) <= PART_BYTES
    assert [wires for part in parts for column in part for wires in column.wires] == chains[0].wires
    assert split([]) == [[]]
