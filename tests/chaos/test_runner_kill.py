"""kill -9 of the process that runs the processors: nothing it derived is lost, doubled or renamed."""

import random
import subprocess
import sys
import time

from msgspec.structs import replace

from qml_processors.runner import Runner, RunnerConfig, config_event, load_processors, replay, tick_event
from quantum_mlops.clock import MINUTE, SECOND, ManualClock
from quantum_mlops.codec import encode
from quantum_mlops.config.rules import DriftRule, Rules, SummariesRule, ThresholdRule
from quantum_mlops.events import Context, Event, MetricLogged, Outcomes, RunEnded, ShotsMeasured, type_name
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.sqlite import SqliteLog

START = 1_800_000_000 * SECOND
RULES = Rules(
    threshold=[ThresholdRule(name="HighLoss", metric="loss", above=0.7)],
    drift=DriftRule(warmup=5),
    summaries=SummariesRule(window="10s"),
)
CHILD = """
import random, sys
import scipy.special  # as a warm process has: a kill inside a slow first batch would only repeat it
from qml_processors.runner import Runner, RunnerConfig, load_processors
from quantum_mlops.transports.sqlite import SqliteLog

log = SqliteLog(sys.argv[1])
runner = Runner(log, load_processors(), RunnerConfig(checkpoint_seconds=0.2, checkpoint_rows=2))
assert runner.open(0)
chance = random.Random(int(sys.argv[2]))
print("open", flush=True)
while runner.process_batch(chance.randrange(1, 9)):
    pass
print("done", flush=True)
sys.stdin.read()
"""


def story(rng):
    """Yield (time, event): three runs, a canary that shifts, some events twice, a source that skips."""
    now, counter, sent = START, 0, []
    for number in range(6000):
        now += rng.choice([0, 0, SECOND // 10, SECOND])
        if sent and rng.random() < 0.05:
            yield now, rng.choice(sent[-50:])
            continue
        counter += rng.choice([1, 1, 1, 1, 2])
        kind = rng.choice(["metric", "metric", "canary", "ended"] if number % 97 == 0 else ["metric", "canary"])
        if kind == "canary":
            first = sum(rng.random() < (0.5 if number < 3000 else 0.8) for _ in range(200))
            outcomes = Outcomes(bits=1, keys=b"\x00\x01", counts=[first, 200 - first])
            data = ShotsMeasured(
                job_id=f"j{number}",
                backend="hanoi",
                circuit="c1:x",
                parameters="p",
                reference="canary",
                shots=200,
                outcomes=outcomes,
            )
        elif kind == "ended":
            data = RunEnded(status="completed", duration_seconds=1.0)
        else:
            data = MetricLogged(values={"loss": rng.random()})
        names = {"canary": "canary.measured", "ended": "run.ended", "metric": "metric.logged"}
        sent.append(
            Event(
                id=f"{counter:016x}",
                source="qml://host/0a1b/0",
                type=type_name(names[kind]),
                time=now,
                partitionkey="iris",
                project="iris",
                context=Context(runid=f"run-{rng.randrange(3)}"),
                data=data,
            )
        )
        yield now, sent[-1]


def fill(path):
    clock = ManualClock(START)
    log = SqliteLog(path, clock=clock)
    log.append([config_event(RULES, "qml://daemon/c/0", effective=0, time=START)])
    batch = []
    for clock.now, event in story(random.Random(5)):
        batch.append(replace(event, ingestedtime=clock.now))
    log.append(batch)
    clock.now += 10 * MINUTE
    log.append([tick_event("qml://daemon/t/0", 1, clock.now)])
    log.close()


def run_and_kill(path, seed, seconds):
    """Return whether the child had not finished when it was killed."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), str(seed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "open\n"
    time.sleep(seconds)
    child.kill()
    return "done" not in child.communicate()[0]


def test_findings_summaries_and_states_are_those_of_one_replay_after_every_kill(tmp_path):
    path = tmp_path / "log.sqlite"
    fill(path)
    chance = random.Random(11)
    inside = sum(run_and_kill(path, seed, chance.uniform(0.0, 0.12)) for seed in range(12))
    assert inside >= 5, "the kills came after the work"
    log = SqliteLog(path)
    runner = Runner(log, load_processors(), RunnerConfig())
    assert runner.open(0)
    while runner.process_batch():
        pass
    expected = replay(log, load_processors())
    assert runner.stats().partitions[0].mismatches == 0
    assert log.end(Stream.DEAD_LETTERS, 0) == 0
    assert runner.states() == expected.states
    for stream, derived in ((Stream.FINDINGS, expected.findings), (Stream.SUMMARIES, expected.summaries)):
        stored = [replace(record.event, ingestedtime=None) for record in log.read(stream, 0, 0, 10**6)]
        assert [encode(event) for event in stored] == [encode(event) for event in derived]
        assert stored
    assert {"CircuitDrift", "HighLoss/above"} <= {event.data.rule for event in expected.findings}
    log.close()


def test_a_replay_of_the_same_log_twice_gives_the_same_bytes_and_writes_nothing(tmp_path):
    path = tmp_path / "log.sqlite"
    fill(path)
    log = SqliteLog(path)
    first, second = replay(log, load_processors()), replay(log, load_processors())
    assert first == second
    assert not log.checkpoint(0).rows
    assert log.end(Stream.FINDINGS, 0) == 0
    log.close()
