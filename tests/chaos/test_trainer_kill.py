"""SIGKILL of the training process: what is older than 50 ms is in the spool.

The program notes each event's number and time in a shared mapping after `emit` returned, and the
longest time its loop stood still (the machine's scheduling, or the interpreter lock held by a long C
call). Such a stall holds back the writer's thread as well, so it is added to the 50 ms; so are 20 ms
for the write itself.
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
WRITE_SECONDS = 0.02

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
number, last, longest = 0, time.monotonic_ns(), 0
while True:
    at = time.time_ns()
    kind = ("metric.logged", "com.example.note")[number % 2]
    data = MetricLogged(values={"number": number}) if kind == "metric.logged" else {"number": number}
    recorder.emit(kind, data, time=at)
    now = time.monotonic_ns()
    longest, last = max(longest, now - last), now
    slot.pack_into(shared, 16 * (number + 1), at, longest)
    number += 1
    slot.pack_into(shared, 0, number, longest)
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
            time.sleep(chance.uniform(0.2, 0.7))  # the random moment of the kill, not a wait for a condition
            killed = time.time_ns()
            os.kill(trainer.pid, signal.SIGKILL)
        assert ready == "ready\n"
        with note.open("r+b") as file, mmap.mmap(file.fileno(), 0) as shared:
            count, longest = SLOT.unpack_from(shared, 0)
            times = [SLOT.unpack_from(shared, 16 * (number + 1))[0] for number in range(count)]
        due = killed - 50_000_000 - longest - round(WRITE_SECONDS * 1e9)
        expected = {number for number, at in enumerate(times) if at < due}
        events = read_folder(spool)
        survived = {
            round(event.data.values["number"]) for event in events if "number" in getattr(event.data, "values", {})
        }
        survived |= {
            int(bytes(event.data.json).split(b":")[1][:-1]) for event in events if event.type.startswith("com.")
        }
        assert len(expected) > 20
        assert expected <= survived, (
            f"lost {sorted(expected - survived)[:5]} of {count}, longest stall {longest / 1e6} ms"
        )
