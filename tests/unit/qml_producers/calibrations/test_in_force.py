from hypothesis import given
from hypothesis import strategies as st

from qml_producers.calibrations.in_force import Executed, footprint_in_force
from quantum_mlops.calibrations import footprint_id
from quantum_mlops.events import CalibrationColumn


def device(t1, cx, t1_time=10.0, cx_time=10.0, far=1.0):
    return [
        CalibrationColumn(
            name="t1", unit="s", wires=[[0], [1], [9]], values=[t1, 5e-5, far], times=[t1_time, 1.0, 99.0]
        ),
        CalibrationColumn(name="cx_error", wires=[[0, 1]], values=[cx], times=[cx_time]),
    ]


BEFORE = device(1e-4, 0.01)
QUBITS, EDGES = [1, 0], [(0, 1)]


def judge(after, executed=None, before=BEFORE):
    found = footprint_in_force(before, after, QUBITS, EDGES, executed)
    assert (found.qubits, found.edges) == (QUBITS, EDGES)
    return found.calibration_id, found.calibration_id_after


def known(columns):
    return footprint_id(columns, QUBITS, EDGES)


def test_what_did_not_change_here_is_one_calibration():
    assert judge(BEFORE) == judge(device(1e-4, 0.01, t1_time=50.0)) == (known(BEFORE), None)
    assert judge(device(1e-4, 0.01, far=7.0)) == (known(BEFORE), None)  # a change of a qubit that was not used


def test_without_the_time_of_execution_it_was_one_of_both():
    after = device(2e-4, 0.01, t1_time=50.0)
    assert judge(after) == (known(BEFORE), known(after))


def test_the_time_of_execution_tells_which_one():
    after = device(2e-4, 0.02, t1_time=50.0, cx_time=51.0)
    assert judge(after, Executed(60.0, 70.0)) == (known(after), None)
    assert judge(after, Executed(20.0, 49.0)) == (known(BEFORE), None)


def test_each_value_is_decided_by_its_own_date():
    after = device(2e-4, 0.02, t1_time=50.0, cx_time=80.0)
    assert judge(after, Executed(60.0, 70.0)) == (known(device(2e-4, 0.01)), None)


def test_a_value_that_changed_while_the_job_ran_or_has_no_date_leaves_both_bounds():
    after = device(2e-4, 0.01, t1_time=65.0)
    assert judge(after, Executed(60.0, 70.0)) == (known(BEFORE), known(after))
    undated = device(2e-4, 0.01, t1_time=None)
    assert judge(undated, Executed(60.0, 70.0)) == (known(BEFORE), known(undated))


def test_a_value_that_appeared_meanwhile_leaves_both_bounds():
    after = [*BEFORE, CalibrationColumn(name="t2", wires=[[0]], values=[1e-5], times=[20.0])]
    assert judge(after, Executed(60.0, 70.0)) == (known(BEFORE), known(after))
    assert judge(BEFORE, Executed(60.0, 70.0), before=after) == (known(after), known(BEFORE))


@given(
    st.tuples(st.sampled_from([1e-4, 2e-4, None]), st.sampled_from([0.01, 0.02])),
    st.tuples(st.none() | st.floats(0, 100), st.none() | st.floats(0, 100)),
    st.none() | st.tuples(st.floats(0, 100), st.floats(0, 100)).map(sorted),
)
def test_the_id_is_always_one_that_could_have_been_in_force(values, times, executed):
    after = device(*values, *times)
    first, last = judge(after, None if executed is None else Executed(*executed))
    possible = {known(device(t1, cx)) for t1 in (1e-4, values[0]) for cx in (0.01, values[1])}
    assert first in possible
    assert last is None or (first, last) == (known(BEFORE), known(after))
