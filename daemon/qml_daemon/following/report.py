"""What `doctor` and the status page say of the follower, from its own figures and the daemon's."""

import time
from collections.abc import Iterator
from pathlib import Path

from qml_daemon.exporters.process import ProcessStats
from qml_daemon.exporters.report import Line, Remark, Verdict
from qml_daemon.following.status import FollowerStatus, ProviderStatus, read_follower_status
from quantum_mlops.clock import SECOND
from quantum_mlops.config.sections import Config

STALE_SECONDS = 30
NAME = "follower"


def report_follower(config: Config, process: ProcessStats | None) -> Iterator[Line]:
    """Yield what is to be said of the follower; nothing where none is enabled and none ever ran.

    `process` is what the running daemon last wrote of its own.
    """
    if process is not None:
        yield from _report_process(process)
    status = read_follower_status(config.state_dir)
    if status is not None:
        yield from _report(status, is_wanted=process is not None and process.pid is not None)
    elif config.follower.enabled:
        yield NAME, "note", "none has run here yet; it starts with the daemon"


def remark_follower(state_dir: Path, process: ProcessStats | None) -> list[Remark]:
    """Return what is to be said of the follower of a running daemon."""
    if process is None:
        return []
    status = read_follower_status(state_dir)
    lines = [*_report_process(process), *(() if status is None else _report(status, is_wanted=process.pid is not None))]
    return [Remark(name=name, verdict=verdict, text=text) for name, verdict, text in lines]


def _report_process(process: ProcessStats) -> Iterator[Line]:
    if process.given_up is not None:
        yield NAME, "fail", f"does not run: {process.given_up}"
    elif process.pid is None and process.last_exit is not None:
        yield NAME, "fail", f"ended with {process.last_exit}, {process.failures} times; it is started again"


def _report(status: FollowerStatus, *, is_wanted: bool) -> Iterator[Line]:
    age = (time.time_ns() - status.written) / SECOND
    known = status.providers.values()
    text = f"{_jobs(sum(one.open_jobs for one in known), sum(one.unbilled_jobs for one in known))}"
    verdict: Verdict = "ok"
    if status.state == "stopped":
        verdict, text = "note", f"{text}; stopped {age:.0f} s ago"
    elif age > STALE_SECONDS:
        verdict = "fail" if is_wanted else "note"
        text = f"{text}; last heard of {age:.0f} s ago: it hangs or was killed"
    elif status.fault is not None:
        verdict, text = "fail", f"{text}; {status.fault}"
    yield NAME, verdict, text
    if status.removed:
        yield NAME, "note", f"{status.removed} records were removed by log.retention before it read them"
    if status.given_up:
        yield (
            NAME,
            "note",
            f"{status.given_up} jobs are followed no longer: over follower.max_jobs, or open for 14 days",
        )
    if status.refused_events:
        yield NAME, "note", f"{status.refused_events} answers were no event that the log takes; see its own lines"
    for name, one in status.providers.items():
        yield from _report_provider(name, one, is_over=status.state == "stopped")


def _report_provider(name: str, one: ProviderStatus, *, is_over: bool) -> Iterator[Line]:
    jobs = _jobs(one.open_jobs, one.unbilled_jobs)
    if one.closed is not None:
        yield (
            NAME,
            "fail" if one.open_jobs and not is_over else "note",
            f"{name}: {jobs}; cannot be asked: {one.closed}",
        )
        return
    if not (one.open_jobs or one.unbilled_jobs or one.errors or one.looks):
        return
    last = "not asked yet" if one.last_look is None else f"last asked {_ago(one.last_look)}"
    if one.last_error is None or one.last_error_time is None:
        yield NAME, "ok", f"{name}: {jobs}, {last}"
    elif one.last_look is None or one.last_error_time >= one.last_look:
        again = "" if one.asked_again is None else f", asked again {_in(one.asked_again)}"
        yield NAME, "note", f"{name}: {jobs}, {last}; {one.last_error} ({_ago(one.last_error_time)}{again})"
    else:
        yield NAME, "ok", f"{name}: {jobs}, {last}; last error {_ago(one.last_error_time)}: {one.last_error}"


def _jobs(open_jobs: int, unbilled_jobs: int) -> str:
    """Say how many jobs there are.

    >>> _jobs(1, 0), _jobs(0, 2)
    ('1 open job', '0 open jobs, 2 without a bill')
    """
    text = f"{open_jobs} open job{'' if open_jobs == 1 else 's'}"
    return f"{text}, {unbilled_jobs} without a bill" if unbilled_jobs else text


def _ago(time_ns: int) -> str:
    return f"{max(0.0, (time.time_ns() - time_ns) / SECOND):.0f} s ago"


def _in(time_ns: int) -> str:
    return f"in {max(0.0, (time_ns - time.time_ns()) / SECOND):.0f} s"
