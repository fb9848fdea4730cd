"""Forked trainers: each child has a nonce of its own, and parent and children deliver all of theirs once."""

import subprocess
import sys

import pytest

from quantum_mlops.spool.reader import read_folder

HEAD = """
import os, sys, threading, multiprocessing, time, warnings
warnings.filterwarnings("ignore", category=DeprecationWarning)  # Python 3.12 dislikes any fork beside a thread
import quantum_mlops as q
from quantum_mlops.sdk.default import recorder

def log(name, number=100):
    for value in range(number):
        q.log_metrics({name: value})
"""

PROGRAMS = {
    "os.fork, child leaves by flush and _exit": """
with q.run("x"):
    log("parent")
    child = os.fork()
    if not child:
        log("child")
        os._exit(0 if q.flush(10) else 1)
    log("later")
    sys.exit(os.waitpid(child, 0)[1])
""",
    "os.fork, child runs to its end": """
with q.run("x"):
    log("parent")
    child = os.fork()
    if child:
        log("later")
        code = os.waitpid(child, 0)[1]
    else:
        log("child")
        code = 0
sys.exit(code)
""",
    "multiprocessing, fork": """
if __name__ == "__main__":
    with q.run("x"):
        log("parent")
        process = multiprocessing.get_context("fork").Process(target=log, args=("child",))
        process.start()
        log("later")
        process.join()
    sys.exit(process.exitcode)
""",
    "a fork while another thread emits": """
stop = threading.Event()
def storm():
    while not stop.is_set():
        q.log_metrics({"storm": 1})
        time.sleep(0.0001)
thread = threading.Thread(target=storm)
with q.run("x"):
    thread.start()
    log("parent")
    child = os.fork()
    if not child:
        log("child")
        os._exit(0 if q.flush(10) else 1)
    log("later")
    code = os.waitpid(child, 0)[1]
    stop.set(); thread.join()
sys.exit(code)
""",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_parent_and_child_deliver_everything_once_under_their_own_nonce(tmp_path, name):
    program = tmp_path / "program.py"
    program.write_text(HEAD + PROGRAMS[name])
    done = subprocess.run(
        [sys.executable, str(program)],
        env={"QML_SPOOL_DIR": str(tmp_path / "spool")}, timeout=60, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    events = read_folder(tmp_path / "spool")
    assert len({event.key for event in events}) == len(events)
    logged, nonces, runs = {}, {}, {}
    for event in events:
        for metric, value in getattr(event.data, "values", {}).items():
            logged.setdefault(metric, []).append(value)
            nonces.setdefault(metric, set()).add(event.source.split("/")[3])
            runs.setdefault(metric, set()).add(event.context.runid)
    hundred = [float(number) for number in range(100)]
    assert (logged["parent"], logged["later"], logged["child"]) == (hundred, hundred, hundred)
    assert nonces["parent"] == nonces["later"]
    assert len(nonces["child"]) == 1
    assert nonces["child"] != nonces["parent"]
    assert runs["parent"] == runs["child"] == runs["later"]
    assert [event.type.split(".")[2] for event in events if ".run." in event.type] == ["started", "ended"]


def test_children_of_children_and_many_of_them_all_differ(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        HEAD
        + """
q.log_metrics({"p": 1})
children = []
for number in range(8):
    child = os.fork()
    if not child:
        grandchild = os.fork()
        q.log_metrics({f"c{number}-{bool(grandchild)}": 1})
        if grandchild:
            os.waitpid(grandchild, 0)
        os._exit(0 if q.flush(10) else 1)
    children.append(child)
sys.exit(max(os.waitpid(child, 0)[1] for child in children))
"""
    )
    done = subprocess.run(
        [sys.executable, str(program)],
        env={"QML_SPOOL_DIR": str(tmp_path / "spool")}, timeout=60, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    sources = {name: event.source.split("/")[3] for event in read_folder(tmp_path / "spool") for name in getattr(event.data, "values", {})}  # fmt: skip
    assert len(sources) == 17
    assert len(set(sources.values())) == 17
