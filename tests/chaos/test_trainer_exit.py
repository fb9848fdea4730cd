"""How a training process ends: its events are there, its exit code and output are its own, 2 s at most."""

import signal
import subprocess
import sys
import time

import pytest

from quantum_mlops.spool.reader import read_folder


def run(tmp_path, code, **options):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"QML_SPOOL_DIR": str(tmp_path / "spool")}, timeout=60, capture_output=True, text=True, check=False, **options,
    )  # fmt: skip


def ends(tmp_path):
    return [
        (event.data.status, event.data.failure) for event in read_folder(tmp_path / "spool") if ".ended." in event.type
    ]


LOG = "import quantum_mlops as q, sys\nfor n in range(500): q.log_metrics({'n': n})\n"


@pytest.mark.parametrize(
    ("last", "code"),
    [("", 0), ("sys.exit(7)", 7), ("raise ValueError('bad angle')", 1), ("raise KeyboardInterrupt", -2)],
)
def test_everything_logged_right_before_the_end_is_there(tmp_path, last, code):
    done = run(tmp_path, LOG + last)
    assert done.returncode == code
    assert "quantum-mlops:" not in done.stderr
    assert len([event for event in read_folder(tmp_path / "spool") if ".metric." in event.type]) == 500


@pytest.mark.parametrize(
    ("last", "status", "failure"),
    [
        ("", "completed", None),
        ("raise ValueError('bad angle')", "failed", ("ValueError", "bad angle")),
        ("raise KeyboardInterrupt", "cancelled", ("KeyboardInterrupt", "")),
    ],
)
def test_the_implicit_run_ends_as_the_program_ends(tmp_path, last, status, failure):
    run(tmp_path, LOG + last)
    ((ended, why),) = ends(tmp_path)
    assert (ended, why and (why.code, why.message)) == (status, failure)


def test_a_handle_that_was_never_ended_ends_with_the_program(tmp_path):
    assert run(tmp_path, "import quantum_mlops as q; q.run('x').start()").returncode == 0
    assert ends(tmp_path) == [("completed", None)]


def test_segments_are_sealed_at_the_end(tmp_path):
    run(tmp_path, LOG)
    assert all(path.read_bytes()[-16:-12] == b"QS\x01\x02" for path in (tmp_path / "spool").iterdir())


def test_the_end_waits_at_most_two_seconds_for_a_stuck_writer(tmp_path):
    code = """
import quantum_mlops as q, time, atexit, sys
q.log_metrics({"a": 1}); q.flush()
from quantum_mlops.sdk.default import recorder
recorder.defer(lambda: time.sleep(30))
for n in range(10): q.log_metrics({"b": n})
begin = time.monotonic()
atexit.register(lambda: print(time.monotonic() - begin))
atexit._run_exitfuncs()
print(time.monotonic() - begin, flush=True)
"""
    start = time.monotonic()
    done = run(tmp_path, code)
    assert done.returncode == 0
    first, second, *_ = map(float, done.stdout.split())
    assert first < 1
    assert 1.9 < second < 3
    assert time.monotonic() - start < 10
    assert "events were not written within 2 s before the end" in done.stderr


def test_the_end_of_an_idle_program_is_quick(tmp_path):
    code = """
import quantum_mlops as q, time, atexit
q.log_metrics({"a": 1}); q.flush()
begin = time.monotonic()
atexit._run_exitfuncs()
print(time.monotonic() - begin)
"""
    assert float(run(tmp_path, code).stdout) < 0.5


def test_events_from_exit_handlers_registered_later_are_there(tmp_path):
    run(tmp_path, LOG + "import atexit; atexit.register(lambda: q.log_metrics({'last': 1}))")
    assert any("last" in getattr(event.data, "values", {}) for event in read_folder(tmp_path / "spool"))


def test_a_thread_that_outlives_the_main_one_still_delivers(tmp_path):
    code = """
import quantum_mlops as q, threading, time
def late():
    time.sleep(0.3)
    q.log_metrics({"late": 1})
q.autolog()
threading.Thread(target=late).start()
"""
    assert run(tmp_path, code).stderr == ""
    assert any("late" in getattr(event.data, "values", {}) for event in read_folder(tmp_path / "spool"))


def test_signal_handlers_stay_the_program_s_own(tmp_path):
    code = """
import signal
before = {number: signal.getsignal(number) for number in signal.valid_signals()}
import quantum_mlops as q
q.autolog()
with q.run("x"): q.log_metrics({"a": 1})
print(before == {number: signal.getsignal(number) for number in signal.valid_signals()})
"""
    assert run(tmp_path, code).stdout == "True\n"


def test_after_sigterm_what_was_older_than_the_interval_is_there(tmp_path):
    code = "import quantum_mlops as q, time\nfor n in range(100): q.log_metrics({'n': n})\ntime.sleep(0.3)\nprint('go', flush=True)\ntime.sleep(30)"
    trainer = subprocess.Popen(
        [sys.executable, "-c", code], env={"QML_SPOOL_DIR": str(tmp_path / "spool")}, stdout=subprocess.PIPE, text=True
    )
    assert trainer.stdout.readline() == "go\n"
    trainer.terminate()
    assert trainer.wait(10) == -signal.SIGTERM
    trainer.stdout.close()
    assert len([event for event in read_folder(tmp_path / "spool") if ".metric." in event.type]) == 100
    assert ends(tmp_path) == []
