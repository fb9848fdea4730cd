"""`quantum-mlops runs` and `jobs`, beside a daemon or without one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from qml_daemon.cli.jobs import _line
from qml_daemon.follow import Follower
from qml_daemon.query import resources
from qml_daemon.views.projector import no_listener
from qml_daemon.views.upkeep import Views
from quantum_mlops.clock import DAY, SECOND, ManualClock
from quantum_mlops.events import Context, Cost, Event, Failure, Job, Money, RunEnded, RunStarted, type_name
from quantum_mlops.transports.sqlite import SqliteLog

NOW = 1_795_176_000 * SECOND
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def store(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    clock = ManualClock(NOW)
    log = SqliteLog(tmp_path / "state" / "store.sqlite", clock=clock)
    views = Views(tmp_path / "state", log, 30 * DAY, no_listener)
    follower = Follower(log, [views.seat])
    cost = Cost(estimated=Money(amount="1.50", currency="USD"))
    told = [
        ("run.started", RunStarted(name="vqc\x1b[2J"), "r1"),
        ("job.completed", Job(job_id="j1", backend="ibm_hanoi", shots_requested=1024, cost=cost), "r1"),
        ("job.failed", Job(job_id="j2", backend="ibm_osaka", failure=Failure(code="1517", message="no")), "r1"),
        ("run.ended", RunEnded(status="failed", duration_seconds=1.0, failure=Failure(code="E", message="gone")), "r1"),
        ("run.started", RunStarted(name="other"), "r2"),
    ]
    for number, (short, data, runid) in enumerate(told):
        event = Event(
            id=f"{number:016x}", source="qml://h/a/0", type=type_name(short), time=NOW, partitionkey="iris",
            project="iris", context=Context(runid=runid, step=number), data=data,
        )  # fmt: skip
        log.append([event])
    while follower.step():
        pass
    views.close()
    log.close()


@pytest.mark.usefixtures("store")
def test_runs_are_listed_with_their_state_and_their_jobs(run) -> None:
    code, out, _ = run("runs")
    assert code == 0
    assert out.splitlines() == [
        "2026-11-20 12:00:00  running    other  r2  project=iris  step=4",
        "2026-11-20 12:00:00  failed     vqc?[2J  r1  project=iris  step=3  jobs: 1 completed 1 failed  E: gone",
        "2 runs",
    ]
    assert run("runs", "--status", "failed")[1].splitlines()[-1] == "1 run"


@pytest.mark.usefixtures("store")
def test_jobs_are_listed_with_backend_cost_and_failure(run) -> None:
    code, out, _ = run("jobs", "-n", "1")
    assert code == 0
    assert out.splitlines() == [
        "2026-11-20 12:00:00  failed     j2  ibm_osaka  run=r1  step=2  1517: no",
        "1 job; there are more (--limit)",
    ]
    assert "j1  ibm_hanoi  run=r1  step=1  1024 shots  1.50 USD (not final)" in run("jobs", "--backend", "ibm_hanoi")[1]


def test_a_jobs_line_says_executions_queue_device_seconds_and_warnings() -> None:
    at = "2026-11-20T12:00:00Z"
    facts = {
        "executions": 9, "shots_requested": 1000, "queue_seconds": 5400.25, "qpu_seconds": 12.5,
        "cost_final": Money(amount="0", currency="USD"), "warnings": ["BackendSamplerV2\x1b"],
    }  # fmt: skip
    job = resources.Job(
        id="j", project="iris", status="completed", seen=at, changed=at, first_time=at, last_time=at, **facts
    )
    assert _line(job) == (
        "2026-11-20 12:00:00  completed  j  9 x 1000 shots  5400.25 s in the queue  12.5 s on the device  0 USD"
        "  warning: BackendSamplerV2?"
    )
    assert "  9 executions  " in _line(replace(job, shots_requested=None))
    assert "  1 execution  " in _line(replace(job, executions=1, shots_requested=None))
    assert "  998 shots  " in _line(replace(job, executions=1, shots_executed=998))


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(("command", "name", "count"), [("runs", "run", 2), ("jobs", "job", 2)])
def test_since_is_a_duration_before_now_or_a_time(run, monkeypatch, command, name, count) -> None:
    monkeypatch.setattr("quantum_mlops.clock.time.time_ns", lambda: NOW + 3 * DAY)
    assert run(command, "--since", "4d")[1].endswith(f"{count} {name}s\n")
    assert run(command, "--since", "2d12h")[1] == f"0 {name}s\n"
    assert run(command, "--since", "2026-11-20T12:00:00Z")[1].endswith(f"{count} {name}s\n")
    assert run(command, "--since", "2026-11-20T12:00:01Z")[1] == f"0 {name}s\n"


@pytest.mark.usefixtures("store")
def test_json_is_what_the_service_answers(run) -> None:
    page = json.loads(run("jobs", "--json", "--run", "r1")[1])
    assert [item["id"] for item in page["items"]] == ["j2", "j1"]
    assert page["items"][1]["cost_estimated"] == {"amount": "1.50", "currency": "USD"}
    assert [item["name"] for item in json.loads(run("runs", "--json")[1])["items"]] == ["other", "vqc\x1b[2J"]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["runs", "--status", "done"], "--status: invalid value 'done'; known are running, silent"),
        (["runs", "--since", "2026-11-20T25:00:00Z"], "--since: "),
        (
            ["jobs", "--since", "monday"],
            "--since: 'monday' is not a duration; write it like 30s, 5m, 1h30m or 7d, or a time like 2026",
        ),
    ],
)
def test_a_wrong_option_is_one_line(run, arguments, why) -> None:
    code, _, error = run(*arguments)
    assert code == 2
    assert len(error.splitlines()) == 1
    assert why in error


def test_without_a_daemon_ever_started_it_says_so(run, tmp_path: Path) -> None:
    code, _, error = run("jobs")
    assert (code, len(error.splitlines())) == (2, 1)
    assert "start `quantum-mlops daemon`" in error
    (tmp_path / "state").mkdir(exist_ok=True)
    SqliteLog(tmp_path / "state" / "store.sqlite").close()
    assert "no views there yet" in run("jobs")[2]
