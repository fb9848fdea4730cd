"""The engine faust under kills and stops, at seeded moments: nothing lost, nothing counted twice, nothing found twice."""

import random
import signal
import subprocess
import time

import pytest

from tests.waiting import wait_for
from tests.workers import SESSION_SECONDS

SEEDS = {"kill": 20261121, "stop": 20261122, "rolling": 20261123}


@pytest.fixture
def dice(request):
    seed = SEEDS[request.param]
    print(f"{request.param}: seed {seed}")  # noqa: T201 - shown where the test fails
    return random.Random(seed)


def pour(fleet, source, seconds, pause=0.1):
    """Append 100 events every `pause` seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        fleet.append(source.events(100))
        time.sleep(pause)


@pytest.mark.parametrize("dice", ["kill"], indirect=True)
def test_five_kills_at_random_lose_nothing(make_fleet, source, assert_exact, dice):
    fleet = make_fleet(engine="faust", partitions=4)
    workers = [fleet.start("a"), fleet.start("b")]
    for worker in workers:
        worker.ready()
    for number in range(5):
        pour(fleet, source, dice.uniform(0.5, 3.0))
        victim = dice.randrange(2)
        workers[victim].kill()
        workers[victim] = fleet.start(f"w{number}")
    pour(fleet, source, 1.0)
    fleet.wait_until_processed(90)
    assert assert_exact(fleet) > 100
    assert [worker.stop() for worker in workers] == [0, 0]


@pytest.mark.parametrize("dice", ["stop"], indirect=True)
def test_a_worker_that_stood_still_past_its_session_writes_nothing_twice(make_fleet, source, assert_exact, dice):
    fleet = make_fleet(engine="faust", partitions=4)
    workers = [fleet.start("a"), fleet.start("b")]
    wait_for(lambda: all(len(worker.owned()) == 2 for worker in workers), "two partitions each", 40)
    for number in range(2):
        pour(fleet, source, dice.uniform(0.5, 2.0))
        victim = dice.randrange(2)
        workers[victim].signal(signal.SIGSTOP)
        pour(fleet, source, SESSION_SECONDS + dice.uniform(1.0, 4.0), pause=0.5)
        workers[victim].signal(signal.SIGCONT)
        pour(fleet, source, 1.0)
        if not is_running(workers[victim]):  # fenced: it ends, and is started again
            assert workers[victim].wait() == 70
            workers[victim] = fleet.start(f"w{number}")
    for number, worker in enumerate(workers):
        if not is_running(worker):
            assert worker.wait() == 70
            workers[number] = fleet.start(f"z{number}")
    fleet.wait_until_processed(90)
    assert_exact(fleet)


@pytest.mark.parametrize("dice", ["rolling"], indirect=True)
def test_a_rolling_restart_loses_nothing(make_fleet, source, assert_exact, dice):
    fleet = make_fleet(engine="faust", partitions=4)
    workers = [fleet.start("a"), fleet.start("b")]
    for worker in workers:
        worker.ready()
    for number in range(4):
        pour(fleet, source, dice.uniform(0.3, 1.5))
        assert workers[number % 2].stop() == 0
        workers[number % 2] = fleet.start(f"w{number}")
        workers[number % 2].ready()
    fleet.wait_until_processed(60)
    assert_exact(fleet)
    assert [worker.stop() for worker in workers] == [0, 0]


def is_running(worker):
    """Return whether the process is there, a moment after it could have noticed that it was replaced."""
    try:
        worker.wait(3)
    except subprocess.TimeoutExpired:
        return True
    return False
