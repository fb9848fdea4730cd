"""A process that is killed at any step of a commit leaves the commit whole or nothing of it."""

import signal
import subprocess
import sys

import pytest

from quantum_mlops.transports.base import Checkpoint, Commit, Stream

CHILD = """
import os, signal, sys
from quantum_mlops.events import Event, Tick, type_name
from quantum_mlops.transports.base import Commit, DeadLetter
from quantum_mlops.transports.kafka.log import KafkaLog
from quantum_mlops.transports.kafka.settings import KafkaSettings

servers, prefix, when = sys.argv[1:]
commits = 0

def fault(step):
    if commits == 2 and step == when:
        os.kill(os.getpid(), signal.SIGKILL)

def tick(number):
    return Event(id=str(number), source="s", type=type_name("tick"), time=number, partitionkey="iris", data=Tick())

log = KafkaLog(KafkaSettings(bootstrap_servers=(servers,), topic_prefix=prefix), fault=fault)
log.checkpoint(1)
for commits in range(1, 4):
    log.commit(1, Commit(
        watermark=b"%d" % commits, findings=[tick(commits)], summaries=[tick(commits)], forwards=[tick(commits)],
        dead_letters=[DeadLetter(data=b"x", reason=str(commits), origin="log")],
        rows={b"last": b"%d" % commits, b"row%d" % commits: b"x" * 100_000},
    ))
"""


def look(log):
    """Return the numbers of the commits as each stream shows them."""
    found = [
        [record.event.time for record in log.read(stream, 1, 0, 10)] for stream in (Stream.FINDINGS, Stream.SUMMARIES)
    ]
    found.append([int(record.event.reason) for record in log.read(Stream.DEAD_LETTERS, 1, 0, 10)])
    found.append([record.event.time for record in log.read(Stream.EVENTS, log.partition_of("iris"), 0, 10)])
    return found


@pytest.mark.parametrize(("when", "commits"), [("begun", 1), ("sent", 1), ("committed", 2)])
def test_a_kill_between_the_steps_of_a_commit(kafka, prefix, open_log, tick, when, commits):
    log = open_log()
    done = subprocess.run([sys.executable, "-c", CHILD, kafka, prefix, when], timeout=60, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    whole = list(range(1, commits + 1))
    rows = {b"last": b"%d" % commits} | {b"row%d" % number: b"x" * 100_000 for number in whole}
    assert log.checkpoint(1) == Checkpoint(watermark=b"%d" % commits, rows=rows)
    assert look(log) == [whole] * 4
    log.commit(1, Commit(watermark=b"9", findings=[tick(9)], summaries=[tick(9)], rows={b"row1": None}))
    assert look(log)[0] == [*whole, 9]
    assert log.checkpoint(1).watermark == b"9"
