"""Workers that are killed, stopped and replaced, under both engines: exact each time. The seed is in the name."""

import random
import signal
import time

import pytest

from qml_daemon.worker.process import CRASHED, DONE
from quantum_mlops.transports.base import Stream
from tests.kafka.chaos import ROUNDS, SEED, judge, storm, tell
from tests.kafka.crew import Crew, count_uncommitted
from tests.kafka.derived import read_stream

ENGINES = ["aiokafka", "faust"]
SESSION_SECONDS = 6.0
EVENTS = 16_000
TIMES = [
    pytest.param(5, id="five-times"),
    pytest.param(ROUNDS, id="long", marks=[pytest.mark.soak, pytest.mark.timeout(7200)]),
]

pytestmark = pytest.mark.timeout(500)


@pytest.fixture(scope="module", params=[SEED], ids=lambda seed: f"seed-{seed}")
def tale(request):
    return tell(request.param, EVENTS)


@pytest.fixture
def chance(tale):
    return random.Random(len(tale.items))


@pytest.fixture(params=ENGINES)
def crew(request, tmp_path, kafka, prefix):
    with Crew(tmp_path, kafka, prefix, engine=request.param, batch=150) as crew:
        yield crew


@pytest.mark.parametrize("times", TIMES)
def test_workers_killed_at_random_lose_and_double_nothing(crew, tale, chance, times):
    crew.start(3)
    storm(crew, tale, chance, lambda: chance.choice(crew.hands).signal(signal.SIGKILL), times=times, every_seconds=4.0)
    assert sum(one.code == -signal.SIGKILL for one in crew.ended) >= times - 1  # two may strike one
    judge(crew, tale)


@pytest.mark.parametrize("times", [pytest.param(1, id="once"), TIMES[1]])
def test_a_worker_that_hangs_longer_than_its_session_loses_and_doubles_nothing(crew, tale, chance, times):
    crew.start(2)

    def hang():
        hand = chance.choice(crew.hands)
        hand.signal(signal.SIGSTOP)
        until = time.monotonic() + SESSION_SECONDS + chance.uniform(1.0, 4.0)
        crew.wait_until(lambda: time.monotonic() > until, "its session is over", 60)
        hand.signal(signal.SIGCONT)

    storm(crew, tale, chance, hang, times=times, every_seconds=8.0)
    assert {one.code for one in crew.ended} <= {CRASHED}
    judge(crew, tale)


@pytest.mark.parametrize("times", [pytest.param(3, id="all-once"), TIMES[1]])
def test_workers_replaced_one_after_the_other_lose_and_double_nothing(crew, tale, chance, times):
    crew.start(3)

    def replace():
        hand = crew.hands[0]
        crew.drop(hand)
        hand.signal(signal.SIGTERM)
        ended = hand.wait()
        assert ended.code == DONE, ended
        crew.start()

    storm(crew, tale, chance, replace, times=times, every_seconds=6.0)
    assert crew.ended == []
    judge(crew, tale)


@pytest.mark.parametrize("step", ["begin", "outputs sent", "state sent", "before commit", "after commit"])
def test_a_worker_killed_at_a_step_of_its_transactions_loses_and_doubles_nothing(
    tale, chance, tmp_path, kafka, prefix, step
):
    with Crew(tmp_path, kafka, prefix, batch=150, instance="one") as crew:
        crew.send(tale.items)
        for _ in range(3):
            (hand,) = crew.start(fault_step=step, fault_number=chance.randrange(8, 30))
            assert hand.wait(60).code == -signal.SIGKILL
            crew.drop(hand)
        crew.start()
        crew.finish()
        assert crew.ended == []
        judge(crew, tale)


@pytest.mark.parametrize("step", ["outputs sent", "before commit"])
def test_a_zombie_that_wakes_in_the_middle_of_its_transaction_is_fenced(tale, chance, tmp_path, kafka, prefix, step):
    with Crew(tmp_path, kafka, prefix, batch=150) as crew:
        crew.send(tale.items)
        (zombie,) = crew.start(fault_step=step, fault_number=chance.randrange(20, 40), fault_signal=signal.SIGSTOP)
        crew.wait_until(zombie.is_stopped, "it hangs in its transaction", tend=False)
        crew.drop(zombie)
        crew.start()
        crew.finish()  # the heir has done all the zombie's work
        assert crew.ended == []
        zombie.signal(signal.SIGCONT)
        ended = zombie.wait()
        assert ended.code == CRASHED
        assert "another process has taken over" in ended.line
        judge(crew, tale)
        written = {
            stream: count_uncommitted(crew.settings, crew.log.topics.of(stream))
            for stream in (Stream.FINDINGS, Stream.SUMMARIES)
        }
        committed = {stream: len(read_stream(crew.log, stream)) for stream in written}
        assert sum(written.values()) > sum(
            committed.values()
        )  # its outputs are there, for a reader of uncommitted ones
