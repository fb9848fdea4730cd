"""`quantum-mlops dead-letters`: what lies there, and what goes back in, beside a daemon or without one."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from qml_daemon.cli.letter_text import data_lines
from qml_processors.runner import Runner
from quantum_mlops import codec
from quantum_mlops.clock import DAY, SECOND, ManualClock
from quantum_mlops.events import Event, MetricLogged, Tick, type_name
from quantum_mlops.transports.base import DeadLetter, Stream
from quantum_mlops.transports.sqlite import SqliteLog

NOW = 1_795_176_000 * SECOND
METRIC = Event(
    id="000000000000002a", source="qml://h/a/0", type=type_name("metric.logged"), time=NOW, partitionkey="iris",
    project="iris", data=MetricLogged(values={"loss": 0.5}),
)  # fmt: skip
TICK = Event(id="1", source="s", type=type_name("tick"), time=NOW, partitionkey="iris", project="iris", data=Tick())
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(run: Run) -> Run:
    return partial(run, "dead-letters")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "state" / "store.sqlite"
    log = SqliteLog(path, clock=ManualClock(NOW))
    raised = codec.encode(replace(METRIC, id="0000000000000001"))
    log.append(
        [],
        dead_letters=[
            DeadLetter(data=b"\xff\x00 no event", reason="malformed at byte 7", origin="spool"),
            DeadLetter(data=b"{}", reason="malformed at byte 12\x1b[2J", origin="spool"),
            DeadLetter(data=raised, reason="KeyError: 'x'", origin="processor:drift", key=("qml://h/a/0", "1"), time=NOW - 8 * DAY),
            DeadLetter(data=codec.encode(METRIC), reason="unknown field", origin="log"),
            DeadLetter(data=codec.encode(TICK), reason="this type is made by the service itself", origin="spool"),
        ],
    )  # fmt: skip
    log.close()
    return path


def events_of(path: Path) -> list[Event]:
    reader = SqliteLog.open_reader(path)
    try:
        return [record.event for record in reader.read(Stream.EVENTS, 0, 0, 100)]
    finally:
        reader.close()


@pytest.mark.usefixtures("path")
def test_letters_are_listed_with_place_reason_and_counts_of_each_kind(run) -> None:
    code, out, _ = run("list", "--limit", "2")
    assert code == 0
    assert out.splitlines() == [
        "2026-11-20 12:00:00  0/3       log  unknown field",
        "2026-11-20 12:00:00  0/4       spool  this type is made by the service itself",
        "the last 2 of 5 (--limit)",
        "       1  log: unknown field",
        "       1  processor:drift: KeyError: 'x'",
        "       1  spool: malformed at byte #",
        "       1  spool: malformed at byte #?[#J",
        "       1  spool: this type is made by the service itself",
        "5 dead letters",
    ]
    told = json.loads(run("list", "--json")[1])
    assert told["total"] == 5
    assert [one["id"] for one in told["letters"]] == ["0/2", "0/0", "0/1", "0/3", "0/4"]


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["--origin", "processor"], ["0/2"]),
        (["--origin", "SPOOL", "--reason", "byte 12"], ["0/1"]),
        (["--since", "2026-11-20T00:00:00Z"], ["0/0", "0/1", "0/3", "0/4"]),
        (["--reason", "nothing like it"], []),
    ],
)
def test_filters_choose(run, filters, found) -> None:
    assert [one["id"] for one in json.loads(run("list", "--json", *filters)[1])["letters"]] == found


@pytest.mark.usefixtures("path")
def test_one_letter_is_shown_whole_and_says_whether_it_can_go_back(run) -> None:
    out = run("show", "0/3")[1]
    assert "it can go back in: quantum-mlops dead-letters retry 0/3" in out
    assert '    "values": {' in out
    out = run("show", "0/0")[1]
    assert "00000000  ff 00 20 6e 6f 20 65 76 65 6e 74                 |.. no event|" in out
    assert "it stays: JSON is malformed" in out
    assert "the other processors have applied this event" in run("show", "2")[1]
    told = json.loads(run("show", "0/4", "--json")[1])
    assert told["stays"] == "quantum_mlops.tick.v1 is made by the service itself"


def test_large_bytes_are_cut() -> None:
    assert len(list(data_lines(b"\xff" * 60_000))) == 129
    lines = list(data_lines(json.dumps({"a": list(range(5000)), "b": "x" * 5000}).encode()))
    assert len(lines) == 401
    assert max(map(len, data_lines(json.dumps(["y" * 5000]).encode()))) < 500


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["show", "x"], "'x' is no dead letter's id"),
        (["show", "0/99"], "there is no dead letter 0/99"),
        (["show", "7/0"], "there is no dead letter 7/0"),
        (["retry"], "name the letters, or take --all"),
        (["retry", "0/1", "--origin", "spool"], "--origin, --reason and --since belong to --all"),
        (["list", "--since", "gestern"], "--since: "),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(run, arguments, text) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"quantum-mlops: {text}")
    assert len(err.splitlines()) == 1


def test_what_no_processor_saw_goes_back_in_once_and_the_rest_says_why_not(run, path) -> None:
    code, out, err = run("retry", "--all", "--dry-run")
    assert (code, out) == (1, "1 would go back in, 4 stay\n")
    assert events_of(path) == []
    code, out, err = run("retry", "--all")
    assert (code, out) == (1, "1 put back in, 4 stay\n")
    assert [line.partition(":")[0] for line in err.splitlines()] == [f"0/{n} stays" for n in (0, 1, 2, 4)]
    [event] = events_of(path)
    assert replace(event, ingestedtime=None) == METRIC
    assert run("retry", "--all", "--origin", "log") == (0, "0 put back in, 0 stay\n", "")
    assert "was put back in before" in run("retry", "0/3")[2]
    assert "put back in 20" in run("list", "--origin", "log")[1]
    assert len(events_of(path)) == 1
    assert run("retry", "0/3", "--again") == (0, "1 put back in, 0 stay\n", "")
    log = SqliteLog(path)
    runner = Runner(log, [])
    runner.open(0)
    while runner.process_batch():
        pass
    [partition] = runner.stats().partitions
    assert (partition.counts.events, partition.counts.duplicates) == (1, 1)
    log.close()


def test_another_letter_in_the_place_of_a_marked_one_is_not_marked(run, path) -> None:
    assert run("retry", "0/3")[0] == 0
    path.unlink()
    log = SqliteLog(path)
    other = DeadLetter(data=codec.encode(replace(METRIC, id="000000000000002b")), reason="unknown field", origin="log")
    log.append([], dead_letters=[other] * 4)
    log.close()
    assert run("retry", "0/3") == (0, "1 put back in, 0 stay\n", "")


def test_a_log_that_another_process_writes_is_not_touched(run, path) -> None:
    log = SqliteLog(path)
    try:
        code, _, err = run("retry", "0/3")
    finally:
        log.close()
    assert code == 2
    assert "no daemon with HTTP runs on" in err
