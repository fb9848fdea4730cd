from quantum_mlops.calibrations import calibration_id, footprint_id, restrict
from quantum_mlops.events import CalibrationColumn


def column(name, wires, values, time=0.0):
    return CalibrationColumn(name=name, wires=wires, values=values, times=[time] * len(values))


T1 = column("t1", [[0], [1], [2]], [1e-4, 2e-4, None])
CX = column("cx_error", [[0, 1], [2, 1]], [0.01, 0.02])


def test_the_identity_covers_values_not_order_or_time():
    reordered = column("t1", [[2], [0], [1]], [None, 1e-4, 2e-4], time=9.0)
    assert calibration_id([T1, CX]) == calibration_id([CX, reordered])


def test_a_changed_value_is_another_calibration():
    assert calibration_id([T1]) != calibration_id([column("t1", [[0], [1], [2]], [1e-4, 2.1e-4, None])])


def test_a_footprint_sees_only_its_qubits_and_edges_in_either_direction():
    kept = restrict([T1, CX], [1, 2], [(1, 2)])
    assert [(entry.name, entry.wires) for entry in kept] == [("t1", [[1], [2]]), ("cx_error", [[2, 1]])]


def test_a_change_elsewhere_leaves_the_footprint_as_it_was():
    elsewhere = column("t1", [[0], [1], [2]], [9e-4, 2e-4, None])
    assert footprint_id([T1], [1], []) == footprint_id([elsewhere], [1], [])
    assert footprint_id([T1], [0], []) != footprint_id([elsewhere], [0], [])


def test_values_of_the_whole_device_are_in_every_footprint_and_those_of_chains_in_none():
    whole, chain = column("t2", [[]], [1.0]), column("layer_fidelity", [[0, 1, 2]], [0.9])
    assert [entry.name for entry in restrict([whole, chain], [0, 1, 2], [(0, 1), (1, 2)])] == ["t2"]
