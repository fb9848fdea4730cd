"""kill -9 of the intake, at every step of a poll and at random: every spooled event is on the log exactly once."""

import random
import signal
import subprocess
import sys
import time
from collections import defaultdict

import pytest

from qml_daemon.intake.adoption import this_host
from qml_daemon.intake.intake import Intake
from quantum_mlops.clock import system_clock
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.sqlite import SqliteLog

WRITER = """
import pathlib, sys
import msgspec
from quantum_mlops.events import Context, type_name
from quantum_mlops.spool import writer as spool_writer
from quantum_mlops.spool.segment import SpoolClass, SpoolRecord, this_process

folder, nonce, count, pause = sys.argv[1:]
spool_writer.SEGMENT_BYTES = 32 * 1024
writer = spool_writer.SpoolWriter(pathlib.Path(folder), this_process(nonce, "test"))
metric = type_name("metric.logged")
for start in range(0, int(count), 50):
    for stream, of in enumerate(SpoolClass):
        records = [SpoolRecord(stream, n, metric, n, "iris", "iris", Context(), msgspec.Raw(b"\\x80")) for n in range(start, start + 50)]
        writer.write(of, [msgspec.msgpack.encode(record) for record in records], 0)
    print(start + 50, flush=True)
    if float(pause):
        import time; time.sleep(float(pause))
"""

INTAKE = """
import os, signal, sys, time
from pathlib import Path
from qml_daemon.intake.adoption import this_host
from qml_daemon.intake.intake import Intake
from quantum_mlops.clock import system_clock
from quantum_mlops.transports import sqlite

store, folder, step, count = sys.argv[1:]
left = int(count)

def fault(here):
    global left
    if here == step:
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

def around(owner, name, before, after):
    original = getattr(owner, name)
    def wrapped(*arguments, **named):
        fault(before)
        result = original(*arguments, **named)
        fault(after)
        return result
    setattr(owner, name, wrapped)

around(sqlite, "_move", "rows written", "cursors written")
around(sqlite.SqliteLog, "append", "before append", "after append")
around(Path, "unlink", "before unlink", "after unlink")
around(sqlite.SqliteLog, "move_cursors", "before forget", "after forget")
log = sqlite.SqliteLog(store)
intake = Intake(log, folder, system_clock, this_host(), slice_bytes=4096)
while True:
    if not intake.poll(200):
        time.sleep(0.005)
"""

STEPS = [
    "before append", "rows written", "cursors written", "after append",
    "before unlink", "after unlink", "before forget", "after forget",
]  # fmt: skip


def start(code, *arguments):
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def finish(store, folder):
    """Drain what is left in this process; return the numbers on the log by source, and the dead letters."""
    log = SqliteLog(store)
    intake = Intake(log, folder, system_clock, this_host())
    while intake.poll(1000):
        pass
    assert list(folder.iterdir()) == []
    assert log.cursors("spool/") == {}
    found = defaultdict(list)
    for record in log.read(Stream.EVENTS, 0, 0, 10**7):
        found[record.event.source].append(int(record.event.id, 16))
    letters = log.read(Stream.DEAD_LETTERS, 0, 0, 10)
    intake.close()
    log.close()
    return found, letters


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_every_step_of_a_poll(tmp_path, step):
    folder, store = tmp_path / "spool", tmp_path / "log.sqlite"
    writer = start(WRITER, folder, "00000000000a", 2000, 0)
    writer.communicate()
    for count in (0, 1, 2):
        killed = start(INTAKE, store, folder, step, count)
        assert killed.wait(30) == -signal.SIGKILL
        killed.communicate()
    found, letters = finish(store, folder)
    assert len(found) == 2
    assert all(numbers == list(range(2000)) for numbers in found.values())
    assert letters == []


@pytest.mark.timeout(60)
def test_killed_at_random_while_writers_write_and_die(tmp_path):
    chance = random.Random(20260102)
    folder, store = tmp_path / "spool", tmp_path / "log.sqlite"
    acknowledged = {}
    for turn in range(12):
        nonce = f"{turn:012x}"
        writer = start(WRITER, folder, nonce, 10**9, 0.001)
        intake = start(INTAKE, store, folder, "never", 0)
        writer.stdout.readline()
        time.sleep(chance.uniform(0.05, 0.3))
        for process in chance.sample([writer, intake], 2):
            process.kill()
        lines = [line for line in writer.communicate()[0].splitlines(keepends=True) if line.endswith("\n")]
        intake.communicate()
        acknowledged[nonce] = int(lines[-1]) if lines else 50
    found, letters = finish(store, folder)
    # A kill may tear the write under way, which nobody acknowledged: at most one tail a segment that was open.
    assert all("damaged bytes" in letter.event.reason for letter in letters)
    assert len(letters) <= 2 * len(acknowledged)
    assert len(found) == 2 * len(acknowledged)
    for source, numbers in found.items():
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= acknowledged[source.split("/")[3]]
