"""Two real pid namespaces on one spool folder: equal pids, and neither may judge the other's."""

import os
import subprocess
import sys
import time

import pytest

from quantum_mlops.spool.segment import pid_namespace

pytestmark = pytest.mark.system_tool("unshare")

WRITER = """
import sys, time
import msgspec
from quantum_mlops.events import Context, type_name
from quantum_mlops.spool.segment import SpoolClass, SpoolRecord, this_process
from quantum_mlops.spool.writer import SpoolWriter
import pathlib

folder, nonce = sys.argv[1:]
writer = SpoolWriter(pathlib.Path(folder), this_process(nonce, "test"))
def write(number):
    record = SpoolRecord(0, number, type_name("metric.logged"), 0, "iris", "iris", Context(), msgspec.Raw(b"\\x80"))
    writer.write(SpoolClass.LIFECYCLE, [msgspec.msgpack.encode(record)], 0)
write(0)
print(this_process(nonce, "test").pid, this_process(nonce, "test").pid_namespace, flush=True)
for line in sys.stdin:
    write(int(line))
    print("written", flush=True)
writer.abandon()
"""


def unshare():
    """The command that starts a process in a new pid namespace, as root or, where it is allowed, as anybody."""
    as_root = ["--pid", "--fork", "--kill-child", "--mount-proc"]
    return ["unshare", *(as_root if os.geteuid() == 0 else ["--user", "--map-root-user", *as_root])]


@pytest.fixture
def start(spool):
    processes = []

    def start(nonce, *, outside):
        command = [sys.executable, "-c", WRITER, str(spool.folder), nonce]
        process = subprocess.Popen(
            [*(unshare() if outside else []), *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        pid, namespace = process.stdout.readline().split()
        return process, int(pid), namespace

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def say(process, number):
    process.stdin.write(f"{number}\n")
    process.stdin.flush()
    assert process.stdout.readline() == "written\n"


def names(spool):
    return {path.name[:12] for path in spool.files()}


def test_a_writer_in_another_pid_namespace_is_not_taken_for_dead(spool, start):
    spool.clock.now = time.time_ns()
    inside, _, own = start("00000000000a", outside=False)
    outside, foreign_pid, foreign = start("00000000000b", outside=True)
    assert own == pid_namespace() != foreign
    assert foreign_pid == 1  # alive here as well, but another process
    spool.drain()
    assert sorted(spool.numbers()) == [0, 0]
    # Whether its pid is alive or dead here, only the lease tells: both writers go on, nothing is lost.
    for number in range(1, 4):
        say(outside, number)
        say(inside, number)
        spool.drain()
    assert names(spool) == {"00000000000a", "00000000000b"}
    inside.kill()
    outside.kill()
    inside.wait()
    outside.wait()
    spool.drain()
    # The one of this namespace is known to be dead at once; the other one's lease has to run out.
    assert names(spool) == {"00000000000b"}
    spool.clock.now = time.time_ns()  # the lease runs from its last beat, which is real time
    spool.clock.advance_seconds(301)
    spool.drain()
    assert names(spool) == set()
    assert sorted(spool.numbers()) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert spool.letters() == []


def test_an_intake_in_another_namespace_does_not_adopt_from_this_one(spool, start):
    """The same from the other side: the intake runs in a new namespace, where this writer's pid does not exist."""
    inside, pid, _ = start("00000000000a", outside=False)
    code = f"""
import os, pathlib, sys
from qml_daemon.intake.adoption import this_host
from qml_daemon.intake.intake import Intake
from quantum_mlops.clock import system_clock
from quantum_mlops.transports.memory import MemoryLog
try:
    os.kill({pid}, 0)
except ProcessLookupError:
    print("no such pid")
intake = Intake(MemoryLog(), {str(spool.folder)!r}, system_clock, this_host())
print(intake.poll(10), intake.poll(10), intake.stats().adopted, len(list(pathlib.Path({str(spool.folder)!r}).iterdir())))
"""
    result = subprocess.run([*unshare(), sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stdout.splitlines() == ["no such pid", "1 0 0 1"], result.stderr
    say(inside, 1)
