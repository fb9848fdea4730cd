from qml_producers.calibrations.polling import REFUSED_SECONDS, Polling

FEZ, TORINO, GARNET = ("ibm", "ibm_fez"), ("ibm", "ibm_torino"), ("braket", "garnet")


def looks(polling, at, until):
    """Read what is due, second by second."""
    found = []
    while at < until:
        due, device = polling.next_look(at) or (until, None)
        at = max(due, at)
        if device is not None and at < until:
            polling.call(device, at)
            polling.succeed(device)
            found.append((at, device))
    return found


def test_each_device_is_read_once_in_an_interval_and_a_new_one_at_once():
    polling = Polling(900.0, 30)
    polling.watch([FEZ, GARNET], 0.0)
    assert looks(polling, 0.0, 1000.0) == [(0.0, GARNET), (0.0, FEZ), (900.0, GARNET), (900.0, FEZ)]
    polling.watch([FEZ, TORINO], 1000.0)
    assert looks(polling, 1000.0, 1810.0) == [(1000.0, TORINO), (1800.0, FEZ)]


def test_a_provider_is_asked_no_more_often_than_agreed():
    polling = Polling(900.0, 2)
    polling.watch([("ibm", f"b{number}") for number in range(5)], 0.0)
    assert [at for at, _ in looks(polling, 0.0, 200.0)] == [0.0, 0.0, 60.0, 60.0, 120.0]


def test_a_provider_that_says_later_is_left_alone_for_so_long_and_others_are_not():
    polling = Polling(900.0, 30)
    polling.watch([FEZ, TORINO, GARNET], 0.0)
    polling.call(FEZ, 0.0)
    polling.fail(FEZ, 0.0, 45.0)
    assert looks(polling, 0.0, 100.0) == [(0.0, GARNET), (45.0, FEZ), (45.0, TORINO)]


def test_a_provider_that_fails_again_and_again_is_asked_ever_less_often():
    polling = Polling(900.0, 30)
    polling.watch([FEZ], 0.0)
    at, waits = 0.0, []
    for _ in range(12):
        due, device = polling.next_look(at)
        waits.append(due - at)
        at = due
        polling.call(device, at)
        polling.fail(device, at, None)
    assert waits[:5] == [0.0, 1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == 300.0


def test_a_device_that_is_refused_is_asked_for_again_after_an_hour():
    polling = Polling(60.0, 30)
    polling.watch([FEZ], 0.0)
    polling.call(FEZ, 0.0)
    polling.refuse(FEZ, 0.0)
    assert polling.next_look(0.0) == (REFUSED_SECONDS, FEZ)


def test_without_devices_nothing_is_read():
    assert Polling(60.0, 30).next_look(0.0) is None
