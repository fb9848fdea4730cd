"""Server-sent events over a real server: what is new, once, to whom may see it."""

import asyncio
import json
import time

import pytest

from qml_daemon.alert import Alert
from qml_daemon.query.feed import Feed
from qml_daemon.views.runs import RunRow
from quantum_mlops.events import FindingChanged, Job, MetricLogged, RunStarted
from tests.waiting import wait_for


def test_what_is_new_is_told_by_kind(served, listen) -> None:
    one = listen(served)
    assert one.response.headers["x-accel-buffering"] == "no"
    assert one.response.headers["content-type"].startswith("text/event-stream")
    served.emit("run.started", RunStarted(name="vqc"), runid="r1")
    served.emit("job.failed", Job(job_id="j1"), runid="r1")
    served.emit("metric.logged", MetricLogged(values={"loss": 1.0}), runid="r1")
    opened = FindingChanged(finding_id="f1", transition=0, rule="R", series="s", severity="info")
    served.emit("finding.opened", opened)
    wait_for(lambda: len(one.messages) >= 3, "three messages")
    assert [(event, json.loads(data)["id"]) for _, event, data in one.messages] == [
        ("run", "r1"), ("job", "j1"), ("finding", "f1"),
    ]  # fmt: skip


def test_alerts_that_change_are_told_and_those_that_were_there_are_not(served, listen, monkeypatch) -> None:
    monkeypatch.setattr("qml_daemon.query.watch.LOOK_SECONDS", 0.0)
    monkeypatch.setattr("qml_daemon.query.stream.LOOK_SECONDS", 0.05)
    old = Alert(
        key="old", fingerprint="x", finding_id="f", status="firing", rule="R", severity="info", starts=1, updated=1
    )
    served.alerts = [old]
    one = listen(served)
    new = Alert(
        key="new", fingerprint="y", finding_id="g", status="firing", rule="R", severity="info", starts=2, updated=2
    )
    served.alerts = [old, new]
    wait_for(lambda: one.messages, "a message")
    assert [(event, json.loads(data)["id"]) for _, event, data in one.messages] == [("alert", "new")]


def test_who_comes_back_is_told_what_came_meanwhile(served, listen) -> None:
    one = listen(served)
    served.emit("job.created", Job(job_id="j0"))
    wait_for(lambda: one.messages, "a message")
    one.close()
    for number in range(1, 4):
        served.emit("job.created", Job(job_id=f"j{number}"))
    again = listen(served, one.messages[-1][0])
    wait_for(lambda: len(again.messages) >= 3, "three messages again")
    assert [json.loads(data)["id"] for _, _, data in again.messages] == ["j1", "j2", "j3"]
    from_the_start = listen(served, one.first_id)
    wait_for(lambda: len(from_the_start.messages) >= 4, "four messages")


@pytest.mark.parametrize("last", ["00000000-5", "nonsense", "", "²"])
def test_an_id_that_is_not_remembered_is_told_to_look_anew(served, listen, last) -> None:
    one = listen(served, last.encode() or "x")
    wait_for(lambda: one.messages, "a message")
    assert one.messages[0][1] == "resync"


def test_a_listener_that_is_too_slow_is_told_to_look_anew(monkeypatch) -> None:
    monkeypatch.setattr("qml_daemon.query.feed.NOTICES_QUEUED", 3)

    async def check() -> None:
        feed = Feed()
        slow = feed.join(None, None)
        assert slow is not None
        feed.publish("run", [RunRow("iris", f"r{number}", 1, 1) for number in range(5)])
        lost, notices = slow.take()
        assert lost
        assert [json.loads(one.body)["id"] for one in notices] == ["r3", "r4"]
        assert feed.overflows == 1
        assert slow.take() == (False, [])

    asyncio.run(check())


def test_nothing_is_kept_while_nobody_listens_and_who_comes_late_looks_anew() -> None:
    async def check() -> None:
        now = [0.0]
        feed = Feed(lambda: now[0])
        first = feed.join(None, None)
        assert first is not None
        feed.publish("run", [RunRow("iris", "r0", 1, 1)])
        known = feed.last()
        feed.leave(first)
        now[0] = 5.0
        feed.publish("run", [RunRow("iris", "r1", 1, 1)])
        soon = feed.join(None, known)
        assert soon is not None
        assert not soon.lost
        assert len(soon.take()[1]) == 1
        feed.leave(soon)
        now[0] = 60.0
        feed.publish("run", [RunRow("iris", "r2", 1, 1)])
        late = feed.join(None, known)
        assert late is not None
        assert late.take() == (True, [])

    asyncio.run(check())


def test_listeners_are_bounded(monkeypatch, served, listen) -> None:
    monkeypatch.setattr("qml_daemon.query.feed.MOST_LISTENERS", 1)
    listen(served)
    answer = served.get("stream")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")


def test_a_token_of_one_project_is_told_of_it_alone(guarded, listen) -> None:
    one = listen(guarded, None, "iris-secret")
    every = listen(guarded, None, "all-secret")
    guarded.emit("job.created", Job(job_id="w"), project="wine")
    guarded.emit("job.created", Job(job_id="i"), project="iris")
    wait_for(lambda: len(every.messages) == 2 and one.messages, "both to be told")
    assert [json.loads(data)["id"] for _, _, data in one.messages] == ["i"]


def test_a_silent_stream_says_that_it_lives(served, monkeypatch) -> None:
    monkeypatch.setattr("qml_daemon.query.stream.HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr("qml_daemon.query.stream.LOOK_SECONDS", 0.02)
    with served.client.stream("GET", "/api/v1/stream") as response:
        lines = response.iter_lines()
        assert any(line == ": alive" for _, line in zip(range(20), lines, strict=False))


def test_the_stream_ends_with_the_service(served, listen) -> None:
    one = listen(served)
    began = time.monotonic()
    served.server.begin_stop()
    assert one.ended.wait(5)
    assert time.monotonic() - began < 2
