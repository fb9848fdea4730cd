"""`POST /api/v1/events` over loopback: what is answered, and what the log then holds."""

import gzip
import json
import socket
import threading
import time
from pathlib import Path

import httpx
import pytest

from qml_daemon.http.token_file import Token, TokenFile, hash_secret, write_tokens
from qml_daemon.ingest import body as bodies
from quantum_mlops.errors import LogError
from quantum_mlops.version import __version__


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    rows = [("mine", "mine", ["ingest"], 20_000), ("all", "*", ["ingest"], 20_000), ("look", "mine", ["read"], 20_000)]
    rows.append(("slow", "mine", ["ingest"], 10))
    made = [
        Token(name=name, project=project, scopes=scopes, sha256=hash_secret(name), events_per_second=rate)
        for name, project, scopes, rate in rows
    ]
    write_tokens(tmp_path / "t", made)
    return TokenFile(tmp_path / "t")


def test_one_event_and_a_batch_are_in_the_log_when_they_are_answered(serve, make_event) -> None:
    served = serve()
    answer = served.post(make_event(1))
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "rejected": []})
    assert [event.id for event in served.events()] == ["1"]
    answer = served.post([make_event(number) for number in range(2, 300)])
    assert (answer.status_code, answer.json()["accepted"]) == (202, 298)
    assert [event.id for event in served.events()] == [str(number) for number in range(1, 300)]
    assert served.post([]).json() == {"accepted": 0, "rejected": []}


def test_a_compressed_batch_is_taken(serve, make_event) -> None:
    served = serve()
    body = gzip.compress(json.dumps([make_event(1), make_event(2)]).encode())
    kind = "application/cloudevents-batch+json"
    assert served.post(body, content_encoding="gzip", content_type=kind).json()["accepted"] == 2


def test_a_batch_of_nothing_is_answered_with_the_version_so_that_a_sender_can_try_its_token(serve, tokens) -> None:
    served = serve(tokens)
    tried = served.post([], "mine")
    assert (tried.status_code, tried.json()) == (202, {"accepted": 0, "rejected": []})
    assert tried.headers["qml-version"] == __version__
    assert "qml-version" not in served.post([], "wrong").headers, "who is not let in is told nothing"


def test_what_is_rejected_is_listed_and_the_rest_taken(serve, make_event) -> None:
    served = serve()
    answer = served.post([make_event(1), make_event(2, time="1970-01-02T00:00:00Z"), make_event(3)])
    assert answer.status_code == 202
    reason = "time lies before 2000 or more than a day ahead; check the sender's clock"
    rejected = [{"index": 1, "id": "2", "code": "time", "reason": reason}]
    assert answer.json() == {"accepted": 2, "rejected": rejected}
    assert [event.id for event in served.events()] == ["1", "3"]


def test_where_nothing_is_taken_the_answer_is_a_problem_with_every_reason(serve) -> None:
    served = serve()
    answer = served.post([{"id": "1"}, 3])
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    said = answer.json()
    assert said["detail"] == "no event was taken; event 0: Object missing required field `source` (and 1 more)"
    assert [(one["index"], one["id"], one["code"]) for one in said["rejected"]] == [
        (0, "1", "malformed"),
        (1, None, "malformed"),
    ]
    assert served.events() == []


def bomb() -> bytes:
    return gzip.compress(b" " * (bodies.MAX_BODY_BYTES + 1))


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{}", {"content_type": "application/json"}, 415),
        (b"{}", {"content_encoding": "br"}, 415),
        (b"not gzip", {"content_encoding": "gzip"}, 400),
        (gzip.compress(b"{}", mtime=0)[:-9], {"content_encoding": "gzip"}, 400),
        (gzip.compress(b"{}", mtime=0) + b"more", {"content_encoding": "gzip"}, 400),
        (bomb(), {"content_encoding": "gzip"}, 413),
        (b" " * (bodies.MAX_BODY_BYTES + 1), {}, 413),
    ],
)
def test_a_request_that_is_wrong_as_a_whole_is_a_problem(serve, body: bytes, headers, status: int) -> None:
    served = serve()
    answer = served.post(body, **headers)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert served.door.stats().refused == {str(status): 1}


def test_a_body_without_a_length_is_bounded_as_well(serve) -> None:
    served = serve()

    def chunks():
        for _ in range(80):
            yield b" " * 65_536

    headers = {"content-type": "application/cloudevents+json"}
    assert served.client.post("/api/v1/events", content=chunks(), headers=headers).status_code == 413


def test_bodies_that_are_read_together_are_bounded(serve, make_event, monkeypatch) -> None:
    served = serve()
    monkeypatch.setattr(served.door._bodies, "_room", 1000)
    assert served.post(b" " * 2000).status_code == 503
    assert served.post(make_event(1)).status_code == 202
    assert served.door._bodies._room == 1000


def test_a_body_that_does_not_come_is_not_waited_for(serve, monkeypatch) -> None:
    served = serve()
    monkeypatch.setattr(served.door._bodies, "_read_seconds", 0.05)
    with socket.create_connection((served.server.address.host, served.server.address.port), timeout=10) as slow:
        lines = ["POST /api/v1/events HTTP/1.1", "Host: localhost", "Content-Type: application/cloudevents+json"]
        slow.sendall("\r\n".join([*lines, "Content-Length: 100", "", "{"]).encode())
        assert slow.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_a_token_owns_what_it_sends(serve, tokens, make_event) -> None:
    served = serve(tokens)
    assert served.post(make_event(1)).status_code == 401
    assert served.post(make_event(1), "wrong").status_code == 401
    assert served.post(make_event(1), "look").status_code == 403
    assert served.events() == []
    assert served.door.stats().refused == {"401": 2, "403": 1}
    assert served.post([make_event(1), make_event(2, project=None)], "mine").status_code == 202
    assert {(event.project, event.partitionkey) for event in served.events()} == {("mine", "mine")}
    assert served.post(make_event(3), "all").status_code == 202
    assert served.events()[-1].project == "iris"


def test_a_token_that_sends_too_much_is_told_when_to_come_again(serve, tokens, make_event) -> None:
    served = serve(tokens)
    assert served.post([make_event(number) for number in range(60)], "slow").status_code == 202
    refused = served.post(make_event(100), "slow")
    assert (refused.status_code, refused.json()["detail"]) == (429, "the token slow may send 10 events a second")
    assert 3 <= int(refused.headers["retry-after"]) <= 5
    assert served.post(make_event(101), "mine").status_code == 202
    assert len(served.events()) == 61


def test_a_full_inbox_says_so_before_it_reads_more(serve, make_event) -> None:
    served = serve(max_events=2)
    served.paused.set()
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(served.post([make_event(1), make_event(2)]).status_code))
    waiting.start()
    deadline = time.monotonic() + 10
    while not served.inbox.is_full():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    with httpx.Client(base_url=served.server.address.url) as other:
        headers = {"content-type": "application/cloudevents+json"}
        refused = other.post("/api/v1/events", content=json.dumps(make_event(3)), headers=headers)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    served.paused.clear()
    waiting.join(5)
    assert answers == [202]
    assert [event.id for event in served.events()] == ["1", "2"]


def test_an_ill_log_and_a_daemon_that_stops_are_worth_another_try(serve, make_event, monkeypatch) -> None:
    served = serve()

    def fail(events, **more) -> None:
        raise LogError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(served.log, "append", fail)
        refused = served.post(make_event(1))
    assert (refused.status_code, refused.json()["detail"]) == (503, "the log cannot be written: the disk is full")
    assert refused.headers["retry-after"] == "5"
    assert served.post(make_event(1)).status_code == 202
    served.inbox.close()
    assert served.post(make_event(2)).status_code == 503
    assert len(served.events()) == 1


def test_what_only_the_log_refuses_is_sorted_out(serve, make_event, monkeypatch) -> None:
    monkeypatch.setattr("qml_daemon.ingest.batch._EXPANSION", 0)  # the door looks away
    served = serve()
    values = {f"v{number}": 1e15 for number in range(4000)}
    grown = json.dumps(make_event(2, data={"values": values})).replace("1000000000000000.0", "1e15")
    body = f"[{json.dumps(make_event(1))},{grown},{json.dumps(make_event(3))}]".encode()
    answer = served.post(body, content_type="application/cloudevents-batch+json").json()
    assert answer["accepted"] == 2
    assert [(one["index"], one["code"]) for one in answer["rejected"]] == [(1, "too_large")]
    assert [event.id for event in served.events()] == ["1", "3"]


def test_counts_are_by_reason(serve, make_event) -> None:
    served = serve()
    served.post([make_event(1), {}, make_event(2, type="quantum_mlops.tick.v1", data={})])
    served.post([{}])
    served.post(b"", content_type="text/plain")
    stats = served.door.stats()
    assert (stats.requests, stats.accepted, stats.waiting) == (3, 1, 0)
    assert stats.rejected == {"malformed": 2, "reserved_type": 1}
    assert stats.refused == {"422": 1, "415": 1}
