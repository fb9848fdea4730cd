"""kill -9 of the log's writing process at random moments: what it acknowledged is there exactly once."""

import random
import subprocess
import sys
import time

import pytest

from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.sqlite import SqliteLog

WRITER = """
import sys
from quantum_mlops.events import Event, Tick, type_name
from quantum_mlops.transports.base import Commit, Stream
from quantum_mlops.transports.sqlite import SqliteLog

log = SqliteLog(sys.argv[1])
number = int.from_bytes(log.cursor("written") or b"", "big")
while True:
    events = [
        Event(id=f"{number + n:016x}", source="s", type=type_name("tick"), time=0, partitionkey="iris", data=Tick())
        for n in range(1 + number % 97)
    ]
    number += len(events)
    log.append(events, cursors={"written": number.to_bytes(8, "big")})
    print("append", number, flush=True)
    log.commit(0, Commit(findings=events[:1], watermark=b"%d" % number, rows={b"n": b"%d" % number, b"%d" % (number % 50): b"x"}))
    print("commit", number, flush=True)
"""


def kill_after(seconds, path):
    """Run the writer, kill it, return the last append and commit that it acknowledged."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    first = process.stdout.readline()  # it writes by now
    time.sleep(seconds)
    process.kill()
    lines = [first, *process.communicate()[0].splitlines(keepends=True)]
    acknowledged = {"append": 0, "commit": 0}
    for line in lines:
        if line.endswith("\n"):
            what, number = line.split()
            acknowledged[what] = int(number)
    return acknowledged


@pytest.mark.timeout(60)
def test_what_was_acknowledged_is_there_exactly_once_after_every_kill(tmp_path):
    chance = random.Random(20260101)
    path = tmp_path / "log.sqlite"
    for _ in range(25):
        acknowledged = kill_after(chance.uniform(0, 0.12), path)
        log = SqliteLog(path)
        count = log.end(Stream.EVENTS, 0)
        assert count >= acknowledged["append"] > 0
        # Whole batches only: the position that went with them is exactly where they end.
        assert int.from_bytes(log.cursor("written"), "big") == count
        checkpoint = log.checkpoint(0)
        if acknowledged["commit"]:
            assert acknowledged["commit"] <= int(checkpoint.watermark) <= count
            assert checkpoint.rows[b"n"] == checkpoint.watermark
        assert log._connection.execute("PRAGMA integrity_check").fetchall() == [(b"ok",)]
        log.close()
    log = SqliteLog(path)
    offset = 0
    while records := log.read(Stream.EVENTS, 0, offset, 5000):
        assert [int(record.event.id, 16) for record in records] == [record.offset for record in records]
        assert records[0].offset == offset
        offset = records[-1].offset + 1
    assert offset == log.end(Stream.EVENTS, 0) > 5000
    log.close()
