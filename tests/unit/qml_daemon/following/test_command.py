"""`quantum-mlops follow`, in this process, with doors by script."""

import json
import os

import pytest

from qml_daemon.cli import main
from qml_daemon.following import session
from quantum_mlops.errors import RetryableError


@pytest.fixture
def follow(room, monkeypatch, capsys):
    monkeypatch.setenv("QML_STATE_DIR", str(room.folder))
    monkeypatch.setenv("QML_SPOOL_DIR", str(room.folder / "spool"))
    monkeypatch.delenv("QML_CONFIG", raising=False)
    monkeypatch.chdir(room.folder)

    def call(doors, *words):
        monkeypatch.setattr(session, "known_providers", lambda: sorted(doors))
        monkeypatch.setattr(
            session, "find_doors", lambda named, *_: {name: doors[name].open for name in (named or doors)}
        )
        code = main(["follow", *words])
        return (code, *capsys.readouterr())

    return call


def test_once_prints_a_line_for_each_event_and_ends_with_0(room, follow, scripted, sights):
    room.tell(room.event("created"))
    code, out, err = follow({"ibm": scripted({"j1": [sights["billed"]]})}, "--once")
    end, bill = out.splitlines()
    assert code == 0
    assert end.split("  ")[1:] == [
        "completed",
        "j1",
        "ibm_fez",
        "project=iris",
        "run=r1",
        "3 s on the device",
        "1.20 USD",
    ]
    assert "  billed " in bill
    assert err == "quantum-mlops follow: 1 billed, 1 completed; ibm 0 open and 0 unbilled\n"
    room.intake.poll(10)
    assert room.kinds() == ["job.completed", "job.billed"]


def test_as_json_each_event_is_one_line(room, follow, scripted, sights):
    room.tell(room.event("created"))
    code, out, _ = follow({"ibm": scripted({"j1": [sights["billed"]]})}, "--once", "--json")
    found = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [one["type"] for one in found] == ["quantum_mlops.job.completed.v1", "quantum_mlops.job.billed.v1"]
    assert (found[0]["source"], found[0]["runid"], found[1]["data"]["cost"]["final"]["amount"]) == (
        "urn:quantum-mlops:follower:ibm",
        "r1",
        "1.20",
    )


def test_once_ends_with_1_where_somebody_could_not_be_asked(room, follow, scripted):
    room.tell(room.event("created"))
    code, out, err = follow({"ibm": scripted({"j1": [RetryableError("503 busy")]})}, "--once")
    assert (code, out) == (1, "")
    assert "nothing new; ibm 1 open and 0 unbilled" in err


def test_without_credentials_the_one_that_was_named_is_a_mistake_with_its_mend(room, follow, scripted):
    code, _, err = follow({"ibm": scripted({}, fault="no token: set QISKIT_IBM_TOKEN")}, "--once", "--provider", "ibm")
    assert code == 2
    assert "quantum-mlops: ibm: no token: set QISKIT_IBM_TOKEN" in err


def test_an_unknown_provider_is_a_mistake(follow, scripted):
    code, _, err = follow({"ibm": scripted({})}, "--provider", "ibn")
    assert (code, err) == (2, "quantum-mlops: no provider is called 'ibn'; known are ibm\n")


def test_without_a_log_it_says_what_to_start(follow, scripted, monkeypatch, tmp_path):
    monkeypatch.setenv("QML_STATE_DIR", str(tmp_path / "nowhere"))
    code, _, err = follow({"ibm": scripted({})})
    assert code == 2
    assert "no log there; start `quantum-mlops daemon` once" in err


def test_where_no_provider_is_installed_it_says_so(follow):
    code, _, err = follow({})
    assert (code, "no provider is installed" in err) == (2, True)


def test_the_help_names_the_section_and_the_credentials(capsys):
    assert main(["follow", "--help"]) == 0
    text = capsys.readouterr().out
    for word in ("[follower]", "QISKIT_IBM_TOKEN", "AWS_PROFILE", "IONQ_API_KEY", "--once", "Exit codes", "Examples"):
        assert word in text


def test_the_process_of_the_daemon_ends_with_its_input(room):
    import subprocess
    import sys

    environ = {**os.environ, "QML_STATE_DIR": str(room.folder), "QML_SPOOL_DIR": str(room.folder / "spool")}
    command = [sys.executable, "-P", "-m", "qml_daemon.following", "--attached"]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environ, timeout=60, cwd=room.folder
    )
    assert (done.returncode, done.stderr) == (0, "")
    environ["QML_STATE_DIR"] = str(room.folder / "nowhere")
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environ, timeout=60, cwd=room.folder
    )
    assert done.returncode == 2
    assert "quantum-mlops: follower: " in done.stderr
