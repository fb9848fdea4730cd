"""`emit` makes no system call: counted by the kernel, between marks that the program leaves in the trace."""

import re

import pytest

pytestmark = pytest.mark.system_tool("strace")

WINDOWS = 40
# not emit's: memory for what the queue keeps, and the interpreter's lock when the writer's thread wakes
NOT_EMITS = re.compile(r"mmap|munmap|mremap|brk|madvise|futex|sched_yield|clock_nanosleep_time64")

CODE = """
import os, sys
import quantum_mlops as q
from quantum_mlops.events import MetricLogged
from quantum_mlops.sdk.default import recorder
data = MetricLogged(values={"loss": 1.0})
values = {"loss": 1.0}
calls = {
    "emit": lambda: recorder.emit("metric.logged", data),
    "log_metrics": lambda: q.log_metrics(values, 3),
    "defer": lambda: recorder.defer(list),
    "getpid": os.getpid,
}
call = calls[sys.argv[1]]
with q.run("x"):
    for _ in range(200):
        call()
    q.flush()
    for _ in range(int(sys.argv[2])):
        os.access("/mark-begin", 0)
        for _ in range(200):
            call()
        os.access("/mark-end", 0)
"""


def windows(script, tmp_path, call):
    trace = tmp_path / f"{call}.strace"
    done = script(CODE, call, WINDOWS, prefix=("strace", "-o", str(trace)))
    assert done.returncode == 0, done.stderr
    found = re.findall(r"mark-begin[^\n]*\n(.*?)[^\n]*mark-end", trace.read_text(), re.DOTALL)
    assert len(found) == WINDOWS
    return [[line.partition("(")[0] for line in window.splitlines() if re.match(r"\w+\(", line)] for window in found]


def assert_none(found):
    assert sum(not window for window in found) >= WINDOWS * 3 // 4
    assert [name for window in found for name in window if not NOT_EMITS.fullmatch(name)] == []


def test_emit_makes_no_system_call(script, tmp_path):
    assert_none(windows(script, tmp_path, "emit"))


def test_log_metrics_makes_no_system_call(script, tmp_path):
    assert_none(windows(script, tmp_path, "log_metrics"))


def test_deferring_makes_no_system_call(script, tmp_path):
    assert_none(windows(script, tmp_path, "defer"))


def test_the_count_would_see_one(script, tmp_path):
    assert all(window.count("getpid") == 200 for window in windows(script, tmp_path, "getpid"))
