"""`quantum-mlops emit`: lines in, events in the spool or at a service, every bad line named."""

import io
import json
import sys
from types import SimpleNamespace

import pytest

from qml_daemon.cli import main
from quantum_mlops.spool.reader import read_folder
from tests.service import Answer


@pytest.fixture
def emit(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("QML_SPOOL_DIR", str(tmp_path / "spool"))
    for name in ("QML_TARGET", "QML_PROJECT", "QML_TOKEN", "QML_DISABLED"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments, stdin=b"", terminal=False):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin), isatty=lambda: terminal))
        code = main(["emit", *arguments])
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


def test_one_event_from_options(emit, tmp_path):
    data = '{"values": {"loss": 0.3}}'
    assert emit("--type", "metric.logged", "--data", data, "--run", "r1", "--step", "7", "--project", "iris") == (
        0,
        "",
        "",
    )
    (event,) = read_folder(tmp_path / "spool")
    assert event.data.values == {"loss": 0.3}
    assert (event.context.runid, event.context.step, event.project, event.partitionkey) == ("r1", 7, "iris", "iris")


def test_lines_become_events_in_their_order_with_what_they_say_themselves(emit, tmp_path):
    lines = [
        {"type": "metric.logged", "data": {"values": {"a": 1}}, "time": "2026-11-21T10:00:00Z", "runid": "own"},
        {"type": "com.example.note", "data": {"text": "é"}, "subject": "fridge", "specversion": "1.0"},
        {"type": "quantum_mlops.metric.logged.v1", "data": {"values": {"a": 2}}},
    ]
    stdin = "\n\n".join(map(json.dumps, lines)).encode()
    code, _, stderr = emit("--run", "r1", stdin=stdin)
    assert (code, stderr) == (0, "quantum-mlops emit: 3 events taken, 0 lines wrong\n")
    note, first, second = sorted(read_folder(tmp_path / "spool"), key=lambda event: (event.type, event.id))
    assert (first.data.values, first.context.runid, first.time) == ({"a": 1.0}, "own", 1_795_255_200 * 10**9)
    assert (second.data.values, second.context.runid) == ({"a": 2.0}, "r1")
    assert (note.context.subject, json.loads(bytes(note.data.json))) == ("fridge", {"text": "é"})
    assert len({event.key for event in (note, first, second)}) == 3


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"nonsense", "JSON is malformed: invalid character (byte 4)"),
        (b"[1]", "Expected `object`, got `array`"),
        (b'{"data": {}}', "it has no type"),
        (b'{"type": ""}', "a type is a text of 1 to 512 characters"),
        (b'{"type": ["a"]}', "type is a text"),
        (b'{"type": "tick"}', "this type is made by the service itself"),
        (b'{"type": "job.created"}', "Object missing required field `job_id`"),
        (b'{"type": "metric.logged", "data": {"valus": {}}}', "MetricLogged has no field valus"),
        (b'{"type": "metric.logged", "data": {"values": {"a": "b"}}}', "Expected `float"),
        (b'{"type": "com.x", "data": 3}', "data is an object with named fields"),
        (b'{"type": "com.x", "id": "1"}', "id: made here; events that have their own go to POST /api/v1/events"),
        (b'{"type": "com.x", "stp": 1}', "unknown: stp; an event has "),
        (b'{"type": "com.x", "step": -1}', "Expected `int` >= 0 - at `$.step`"),
        (b'{"type": "com.x", "time": "noon"}', "noon"),
        (b'{"type": "com.x", "time": 5}', "time is a text"),
        (b'{"type": "com.x", "specversion": "0.3"}', 'specversion is "1.0"'),
        (
            b'{"type": "com.x", "project": "other"}',
            "its project is 'other': another one needs a call of its own, with --project",
        ),
        (b'{"type": "com.x", "data": {"a": "' + b"x" * 70_000 + b'"}}', "bytes of JSON, at most 65536"),
        (b'{"type": "com.x", "data": {"a": "' + b"x" * 3_000_000 + b'"}}', "a line has at most 1048576 bytes"),
        (b'{"type": "com.x", "data": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}", "nested deeper than 32 levels"),
        (b'{"type": "com.x", "data": {"a": 1e999}}', "out of range"),
    ],
)
def test_a_bad_line_is_named_with_its_number_and_the_others_are_sent(emit, tmp_path, line, reason):
    good = b'{"type": "metric.logged", "data": {"values": {"a": 1}}}'
    code, stdout, stderr = emit(stdin=b"\n".join([good, line, good]))
    assert (code, stdout) == (2, "")
    first, last = stderr.splitlines()
    assert first.startswith("quantum-mlops emit: line 2: ")
    assert reason in first
    assert len(first) < 700
    assert last == "quantum-mlops emit: 2 events taken, 1 lines wrong"
    assert len(read_folder(tmp_path / "spool")) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "{}"), "--data needs --type"),
        (("--type", "com.x", "--data", "{"), "--data: Input data was truncated"),
        (("--target", "amqp://h"), "target 'amqp:...': possible are"),
        (("--type", "com.x", "--step", "-1"), "--step"),
    ],
)
def test_a_wrong_option_is_one_line(emit, arguments, message):
    code, stdout, stderr = emit(*arguments)
    assert (code, stdout) == (2, "")
    assert len(stderr.splitlines()) == 1
    assert message in stderr


def test_one_bad_event_from_options_is_one_line(emit):
    code, _, stderr = emit("--type", "job.created", "--data", "{}")
    assert (code, stderr) == (2, "quantum-mlops emit: Object missing required field `job_id`\n")


def test_a_service_gets_the_lines_and_the_spool_is_empty_then(emit, tmp_path, service):
    lines = b"".join(b'{"type": "metric.logged", "data": {"values": {"a": %d}}}\n' % number for number in range(2000))
    code, _, stderr = emit("--target", service.url, stdin=lines)
    assert (code, stderr) == (0, "quantum-mlops emit: 2000 events taken, 0 lines wrong\n")
    assert service.values("a") == [float(number) for number in range(2000)]
    assert list((tmp_path / "spool").rglob("*.qseg")) == []


def test_a_service_that_is_away_leaves_the_event_in_the_spool_and_says_where(emit, tmp_path, service, monkeypatch):
    service.stop()
    monkeypatch.setenv("QML_FLUSH_SECONDS", "0.3")
    code, _, stderr = emit("--type", "com.example.note", "--target", service.url)
    assert code == 1
    assert "of events are not at" in stderr
    (folder,) = (tmp_path / "spool").glob(".to-*")
    assert len(read_folder(folder)) == 1


def test_a_refused_token_is_said(emit, service, monkeypatch):
    monkeypatch.setenv("QML_TOKEN", "hunter2")
    service.otherwise = Answer(403, "no scope")
    code, _, stderr = emit("--type", "com.example.note", "--target", service.url)
    assert code == 1
    assert "answered 403 (no scope)" in stderr
    assert "hunter2" not in stderr


def test_a_person_at_a_terminal_is_told_what_it_waits_for(emit):
    _, _, stderr = emit(terminal=True)
    assert "reading lines from the terminal; Ctrl-D ends them" in stderr


def test_switched_off_it_sends_nothing(emit, tmp_path, monkeypatch):
    monkeypatch.setenv("QML_DISABLED", "1")
    assert emit("--type", "com.x") == (0, "", "quantum-mlops emit: QML_DISABLED is set; nothing is sent\n")
    assert not (tmp_path / "spool").exists()
