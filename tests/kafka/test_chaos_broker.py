"""A broker that is killed or away under working workers: exact afterwards. The seed is in the name."""

import random
import time

import pytest

from qml_daemon.worker.process import CRASHED
from tests.kafka.chaos import ROUNDS, SEED, flow, judge, tell
from tests.kafka.crew import Crew

EVENTS = 12_000
ENGINES = ["aiokafka", pytest.param("faust", marks=pytest.mark.soak)]
LONG = [pytest.mark.soak, pytest.mark.timeout(7200)]

pytestmark = pytest.mark.timeout(500)


@pytest.fixture(scope="module", params=[SEED], ids=lambda seed: f"seed-{seed}")
def tale(request):
    return tell(request.param, EVENTS)


@pytest.fixture
def chance(tale):
    return random.Random(len(tale.items))


def break_off(crew, tale, broker, chance, *, times, away_seconds):
    """Kill the broker and start it again, while workers work and events flow."""
    crew.start(2)
    crew.wait_until(lambda: all(hand.is_ready() for hand in crew.hands), "the workers are ready")
    flowing = flow(crew, tale.items, 6.0 * times)
    for _ in range(times):
        until = time.monotonic() + chance.uniform(2.0, 6.0)
        crew.wait_until(lambda until=until: time.monotonic() > until, "the next stroke", 60)
        broker.kill()
        until = time.monotonic() + away_seconds
        crew.wait_until(lambda until=until: time.monotonic() > until, "the broker's return", away_seconds + 60)
        broker.start()
    crew.wait_until(lambda: not flowing.is_alive(), "everything is sent", 180)
    crew.finish(240)
    assert {one.code for one in crew.ended} <= {CRASHED}, crew.ended
    judge(crew, tale, resent=True)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("times", [pytest.param(2, id="twice"), pytest.param(ROUNDS, id="long", marks=LONG)])
def test_a_broker_killed_and_started_again_costs_nothing(tmp_path, own_broker, tale, chance, engine, times):
    broker = own_broker()
    with Crew(tmp_path, broker.bootstrap, "qml.", engine=engine, batch=150) as crew:
        break_off(crew, tale, broker, chance, times=times, away_seconds=0.0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seconds", [pytest.param(15.0, id="15s"), pytest.param(60.0, id="60s", marks=LONG)])
def test_a_broker_that_is_away_for_a_while_costs_nothing(tmp_path, own_broker, tale, chance, engine, seconds):
    broker = own_broker()
    with Crew(tmp_path, broker.bootstrap, "qml.", engine=engine, batch=150) as crew:
        break_off(crew, tale, broker, chance, times=1, away_seconds=seconds)
