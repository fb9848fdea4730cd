"""What doctor and the status page say of the follower."""

import time

import pytest
from msgspec.structs import replace

from qml_daemon.configuration import read_config
from qml_daemon.exporters.process import ProcessStats
from qml_daemon.following.report import remark_follower, report_follower
from qml_daemon.following.status import FollowerStatus, ProviderStatus, read_follower_status, write_follower_status
from quantum_mlops.clock import SECOND

RUNS = ProcessStats(name="follower", pid=7, starts=1, failures=0, last_exit=None, given_up=None)


def provider(**fields):
    return ProviderStatus(**({"open_jobs": 0, "unbilled_jobs": 0, "looks": 0, "refusals": 0, "errors": 0} | fields))


def status_of(*, ago=0.0, **fields):
    known = {
        "version": "1", "pid": 7, "state": "running", "started": 0, "written": time.time_ns() - round(ago * SECOND),
        "behind": 0, "removed": 0, "told": {}, "given_up": 0, "refused_events": 0, "fault": None, "providers": {},
    }  # fmt: skip
    return FollowerStatus(**(known | fields))


@pytest.fixture
def said(tmp_path):
    def say(status=None, process=RUNS, text=""):
        file = tmp_path / "quantum-mlops.toml"
        file.write_text(f'[state]\ndir = "."\n{text}')
        if status is not None:
            write_follower_status(tmp_path, status)
        return [line[1:] for line in report_follower(read_config(file, {"HOME": "/x"}), process)]

    return say


def test_nothing_is_said_where_none_is_wanted_and_none_ever_ran(said):
    assert said(process=None) == []


def test_before_its_first_start_it_says_so(said):
    assert said(process=None, text="[follower]\nenabled = true") == [
        ("note", "none has run here yet; it starts with the daemon")
    ]


def test_jobs_and_the_last_look_at_each_provider(said):
    now = time.time_ns()
    ibm = provider(open_jobs=2, looks=9, last_look=now - 4 * SECOND)
    ionq = provider(
        unbilled_jobs=1,
        looks=3,
        errors=1,
        last_look=now - 9 * SECOND,
        last_error="429",
        last_error_time=now - 2 * SECOND,
    )
    braket = provider()
    assert said(status_of(providers={"braket": braket, "ibm": ibm, "ionq": ionq})) == [
        ("ok", "2 open jobs, 1 without a bill"),
        ("ok", "ibm: 2 open jobs, last asked 4 s ago"),
        ("note", "ionq: 0 open jobs, 1 without a bill, last asked 9 s ago; 429 (2 s ago)"),
    ]


def test_when_a_provider_that_said_no_is_asked_again(said):
    now = time.time_ns()
    one = provider(
        open_jobs=1, errors=1, last_error="429 slow down", last_error_time=now, asked_again=now + 90 * SECOND
    )
    ((_, first), (verdict, text)) = said(status_of(providers={"ibm": one}))
    assert (first, verdict) == ("1 open job", "note")
    assert text.startswith("ibm: 1 open job, not asked yet; 429 slow down (0 s ago, asked again in ")


def test_an_error_that_is_over_is_still_told(said):
    now = time.time_ns()
    one = provider(open_jobs=1, looks=9, errors=1, last_look=now, last_error="503", last_error_time=now - 60 * SECOND)
    assert said(status_of(providers={"ibm": one}))[1] == (
        "ok",
        "ibm: 1 open job, last asked 0 s ago; last error 60 s ago: 503",
    )


def test_a_provider_without_credentials_fails_where_jobs_wait_for_it(said):
    closed = provider(open_jobs=1, errors=1, closed="no token: set QISKIT_IBM_TOKEN")
    waits = ("fail", "ibm: 1 open job; cannot be asked: no token: set QISKIT_IBM_TOKEN")
    assert said(status_of(providers={"ibm": closed}))[1] == waits
    assert said(status_of(providers={"ibm": replace(closed, open_jobs=0)}))[1][0] == "note"
    assert said(status_of(state="stopped", providers={"ibm": closed}))[1][0] == "note"


@pytest.mark.parametrize(
    ("fields", "verdict", "text"),
    [
        ({"state": "stopped"}, "note", "0 open jobs; stopped"),
        ({"ago": 100.0}, "fail", "it hangs or was killed"),
        ({"fault": "the disk is full"}, "fail", "0 open jobs; the disk is full"),
    ],
)
def test_what_is_wrong_with_it(said, fields, verdict, text):
    found = said(status_of(**fields))[0]
    assert found[0] == verdict
    assert text in found[1]


def test_what_was_lost_is_counted(said):
    lines = said(status_of(removed=5, given_up=2, refused_events=1))[1:]
    assert [text.split(" ")[0] for _, text in lines] == ["5", "2", "1"]


def test_a_process_that_does_not_run_says_why(said):
    assert said(process=replace(RUNS, pid=None, given_up="no log"))[0] == ("fail", "does not run: no log")
    ended = replace(RUNS, pid=None, last_exit=1, failures=3)
    assert said(process=ended)[0] == ("fail", "ended with 1, 3 times; it is started again")


def test_the_status_page_says_the_same(tmp_path):
    write_follower_status(tmp_path, status_of())
    assert [(one.name, one.verdict, one.text) for one in remark_follower(tmp_path, RUNS)] == [
        ("follower", "ok", "0 open jobs")
    ]
    assert remark_follower(tmp_path, None) == []


def test_figures_that_cannot_be_read_are_none(tmp_path):
    assert read_follower_status(tmp_path) is None
    (tmp_path / "follower.json").write_text("{")
    assert read_follower_status(tmp_path) is None
