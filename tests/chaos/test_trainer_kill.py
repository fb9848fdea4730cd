"""SIGKILL of the training process: what is older than 50 ms is in the spool.

The program notes each event's number and time in a shared mapping after `emit` returned, and for how
long in all its loop stood still by then: held up by the machine, or holding the interpreter lock in a
long C call, as the busy load does. While it stands still the writer's thread may as well, so an
event's age leaves that time out; it must then survive from 50 ms on, and 20 ms for the write itself.
"""

import mmap
import os
import random
import signal
import struct
import subprocess
import sys
import time

import pytest

from quantum_mlops.spool.reader import read_folder

SLOT = struct.Struct("<qq")
SLOTS = 200_000
WRITE_NS = 20_000_000

CODE = """
import mmap, struct, sys, time
import quantum_mlops as q
file = open(sys.argv[1], "r+b")
shared = mmap.mmap(file.fileno(), 0)
busy = sys.argv[2] == "busy"
slot = struct.Struct("<qq")
q.autolog(target="spool:" + sys.argv[3])
from quantum_mlops.sdk.default import recorder
from quantum_mlops.events import MetricLogged
q.log_metrics({"warm": 1}); q.flush()
print("ready", flush=True)
number, last, still = 0, time.monotonic_ns(), 0
while True:
    at = time.time_ns()
    kind = ("metric.logged", "com.example.note")[number % 2]
    data = MetricLogged(values={"number": number}) if kind == "metric.logged" else {"number": number}
    recorder.emit(kind, data, time=at)
    now = time.monotonic_ns()
    still, last = still + (now - last if now - last > 3_000_000 else 0), now
    slot.pack_into(shared, 16 * (number + 1), at, still)
    number += 1
    slot.pack_into(shared, 0, number, still)
    if busy and number % 40 == 0:
        sum(range(3_000_000))
    time.sleep(0.001)
"""


@pytest.mark.parametrize("load", ["quiet", "busy"])
def test_what_is_older_than_50_ms_survives_sigkill(tmp_path, load):
    chance = random.Random(f"kill {load}")
    for attempt in range(6):
        spool, note = tmp_path / f"spool-{attempt}", tmp_path / f"note-{attempt}"
        note.write_bytes(bytes(16 * SLOTS))
        command = [sys.executable, "-c", CODE, str(note), load, str(spool)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as trainer:
            ready = trainer.stdout.readline()
            time.sleep(chance.uniform(0.4, 0.9))  # the random moment of the kill, not a wait for a condition
            killed = time.time_ns()
            os.kill(trainer.pid, signal.SIGKILL)
        assert ready == "ready\n"
        with note.open("r+b") as file, mmap.mmap(file.fileno(), 0) as shared:
            count, _ = SLOT.unpack_from(shared, 0)
            notes = [SLOT.unpack_from(shared, 16 * (number + 1)) for number in range(count)]
        last, still = notes[-1]
        still += killed - last
        ages = [killed - at - (still - before) for at, before in notes]
        expected = {number for number, age in enumerate(ages) if age > 50_000_000 + WRITE_NS}
        events = read_folder(spool)
        survived = {
            round(event.data.values["number"]) for event in events if "number" in getattr(event.data, "values", {})
        }
        survived |= {
            int(bytes(event.data.json).split(b":")[1][:-1]) for event in events if event.type.startswith("com.")
        }
        assert len(expected) > 10
        assert expected <= survived, f"lost {[(n, ages[n] / 1e6) for n in sorted(expected - survived)]} of {count}"
