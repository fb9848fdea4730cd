"""A trainer that ships to a service: killed, forked, ended while the service is away. Nothing is lost, copies are known."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from quantum_mlops.spool.reader import read_folder
from tests.service import CUT_AFTER, Answer

HEAD = """
import os, sys, time
import quantum_mlops as q
q.autolog(project="iris")
def log(name, number=100):
    for value in range(number):
        q.log_metrics({name: value})
"""


@pytest.fixture
def environ(tmp_path, service):
    return {
        "PATH": os.environ["PATH"],
        "QML_STATE_DIR": str(tmp_path / "state"),
        "QML_TARGET": service.url,
        "QML_TOKEN": "hunter2-secret",
        "HOME": str(tmp_path),
    }


@pytest.fixture
def train(tmp_path, environ):
    """Run a program to its end."""

    def run(code, **more):
        path = tmp_path / "program.py"
        path.write_text(HEAD + code)
        command = [sys.executable, "-W", "ignore::DeprecationWarning", str(path)]
        return subprocess.run(command, env=environ | more, capture_output=True, text=True, timeout=60, check=False)

    return run


@pytest.fixture
def ship(environ):
    """Run `quantum-mlops ship --once`."""

    def run(*arguments, **more):
        command = [sys.executable, "-m", "quantum_mlops", "ship", "--once", *map(str, arguments)]
        return subprocess.run(command, env=environ | more, capture_output=True, text=True, timeout=60, check=False)

    return run


def spool_of(tmp_path):
    (folder,) = (tmp_path / "state" / "spool").glob(".to-*")
    return folder


def hundred(start=0):
    return [float(number) for number in range(start, start + 100)]


def test_a_program_that_ends_has_delivered_everything_and_says_nothing(train, service, tmp_path):
    done = train("with q.run('x'):\n    log('a')\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert service.values("a") == hundred()
    assert set(service.copies.values()) == {1}
    assert {event.type.split(".")[2] for event in service.events.values() if ".run." in event.type} == {
        "started",
        "ended",
    }
    assert [path.name for path in spool_of(tmp_path).rglob("*") if path.is_file()] == []


def test_flush_returns_when_the_service_has_it(train, service):
    done = train(
        "log('a')\nassert q.flush(20)\nassert q.stats().acknowledged >= 100\nprint(q.stats().trouble, flush=True)\nos._exit(0)\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "None\n", "")
    assert service.values("a") == hundred()


def test_an_absent_service_delays_the_end_by_the_bound_and_one_line_says_what_stays_where(
    train, ship, service, tmp_path
):
    service.stop()
    started = time.monotonic()
    done = train("log('a')\nassert not q.flush(0.2)\n", QML_FLUSH_SECONDS="0.5")
    assert time.monotonic() - started < 10
    folder = spool_of(tmp_path)
    assert done.returncode == 0
    last = done.stderr.splitlines()[-1]
    assert "KiB of events are not at" in last
    assert f"--spool {folder} --target {service.url}" in last
    assert "hunter2" not in done.stderr
    assert len(read_folder(folder)) >= 100
    service.start()
    sent = ship("--spool", folder)
    assert sent.returncode == 0, sent.stderr
    assert service.values("a") == hundred()
    assert list(folder.glob("*.qseg")) == []


def test_a_service_that_is_away_for_a_while_costs_nothing(train, service):
    service.plan.extend([Answer(503, headers={"Retry-After": "0"}), CUT_AFTER, Answer(502), CUT_AFTER])
    done = train("with q.run('x'):\n    log('a')\n    assert q.flush(20)\n")
    assert done.returncode == 0, done.stderr
    assert service.values("a") == hundred()
    assert all("hunter2" not in line for line in done.stderr.splitlines())


def test_a_wrong_token_is_said_without_the_token_and_the_end_does_not_wait(train, service, tmp_path):
    service.token = "another"  # noqa: S105 - made up
    started = time.monotonic()
    done = train("log('a')\nassert not q.flush(10)\n", QML_FLUSH_SECONDS="30")
    assert time.monotonic() - started < 15
    assert done.returncode == 0
    assert "answered 401 (no such token): it wants a valid token: set QML_TOKEN or QML_TOKEN_FILE" in done.stderr
    assert "hunter2" not in done.stderr
    assert len(read_folder(spool_of(tmp_path))) >= 100


def test_parent_and_forked_child_each_deliver_their_own_once(train, service):
    done = train(
        "log('parent'); q.flush(20)\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    log('child'); os._exit(0 if q.flush(20) else 1)\n"
        "log('later')\n"
        "sys.exit(os.waitpid(child, 0)[1])\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [service.values(name) for name in ("parent", "child", "later")] == [hundred()] * 3
    assert set(service.copies.values()) == {1}
    assert len({event.source.split("/")[3] for event in service.events.values()}) == 2


KILLED = """
print("ready", flush=True)
value = 0
while True:
    q.log_metrics({"a": value})
    value += 1
    time.sleep(0.0005)
"""


@contextlib.contextmanager
def killed(tmp_path, environ, seconds):
    """A trainer that was killed in the middle of its work."""
    path = tmp_path / "killed.py"
    path.write_text(HEAD + KILLED)
    with subprocess.Popen([sys.executable, str(path)], env=environ, stdout=subprocess.PIPE, text=True) as trainer:
        assert trainer.stdout.readline() == "ready\n"
        time.sleep(seconds)  # the moment of the kill, not a wait for a condition
        os.kill(trainer.pid, signal.SIGKILL)
    yield


@pytest.mark.parametrize("away", [True, False])
def test_what_a_killed_trainer_spooled_is_adopted_by_ship(tmp_path, environ, ship, service, away):
    if away:
        service.stop()
    with killed(tmp_path, environ, 1.4):
        folder = spool_of(tmp_path)
        left = {event.key for event in read_folder(folder)}
    if away:
        service.start()
    before = set(service.events)
    sent = ship("--spool", folder)
    assert sent.returncode == 0, sent.stderr
    assert set(service.events) == before | left
    values = service.values("a")
    assert values == [float(number) for number in range(len(values))]
    assert len(values) > 500
    assert list(folder.glob("*.qseg")) == []
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    if not away:
        assert len(before) > 100
        assert sum(service.copies.values()) < 2 * len(service.copies)  # it went on where the trainer had come to


def test_what_a_killed_trainer_spooled_is_adopted_by_the_next_one(tmp_path, environ, train, service, wait_for):
    service.stop()
    with killed(tmp_path, environ, 0.7):
        left = {event.key for event in read_folder(spool_of(tmp_path))}
    service.start()
    done = train(
        f"from pathlib import Path\nleft = list(Path({str(spool_of(tmp_path))!r}).glob('*.qseg'))\n"
        "log('b'); q.flush(20)\n"
        "until = time.monotonic() + 20\n"
        "while any(path.exists() for path in left) and time.monotonic() < until:\n"
        "    time.sleep(0.02)\n"
    )
    assert done.returncode == 0, done.stderr
    assert left < set(service.events)
    assert service.values("b") == hundred()
    assert list(spool_of(tmp_path).glob("*.qseg")) == []


def test_ship_leaves_a_trainer_alone_that_ships_itself(tmp_path, environ, ship, service):
    path = tmp_path / "running.py"
    path.write_text(HEAD + "log('a'); q.flush(20); print('ready', flush=True); sys.stdin.readline()\nlog('b')\n")
    with subprocess.Popen(
        [sys.executable, str(path)], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as trainer:
        assert trainer.stdout.readline() == "ready\n"
        requests = len(service.requests)
        sent = ship("--spool", spool_of(tmp_path))
        assert sent.returncode == 0
        assert "1 running programs ship their own" in sent.stderr
        assert len(service.requests) == requests
        trainer.communicate("\n")
    assert (service.values("a"), service.values("b")) == (hundred(), hundred())
    assert set(service.copies.values()) == {1}
