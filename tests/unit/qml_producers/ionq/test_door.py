"""The door against the API on this machine, and against servers that would hold it forever."""

import os
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from qml_producers.ionq.door import IonqDoor
from qml_producers.observing.door import Asked
from quantum_mlops.errors import ConfigError, PermanentError, RetryableError
from quantum_mlops.events import Cost, Failure, Money
from tests.waiting import wait_for

USD = {"currency": "USD", "source": "IonQ API"}
ESTIMATE = Money(amount="25.5", **USD)
LIMIT = 0.4
SERVED = 10.0  # so long a server or a resolver would hold the door
WITHIN = f"no answer within {LIMIT} s"


@pytest.fixture
def door(cloud):
    door = IonqDoor.open({"IONQ_API_KEY": cloud.key, "IONQ_API_URL": cloud.url}, 5.0)
    yield door
    door.close()


@pytest.fixture
def asked(cloud, qpu, ghz):
    def submit(*statuses):
        cloud.statuses = statuses
        job = qpu.run(ghz, shots=100)
        cloud.requests.clear()
        return Asked(job_id=job.job_id(), backend="qpu.forte-1")

    return submit


def test_a_job_is_seen_from_its_submission_to_its_bill(cloud, door, asked):
    job = asked("submitted", "ready", "started", "completed")

    seen = [door.look(job) for _ in range(4)]

    assert [sight.status for sight in seen] == ["created", "queued", "running", "completed"]
    assert seen[0].cost == Cost(estimated=ESTIMATE, reserved=ESTIMATE)
    assert (seen[1].predicted_queue_seconds, seen[1].predicted_execution_seconds) == (5.0, 0.3)
    assert seen[2].queue_seconds == 4.0
    assert not any(sight.is_billed for sight in seen[:3])
    end = seen[3]
    assert end.cost == Cost(estimated=ESTIMATE, final=Money(amount="24.83", **USD))
    assert (end.is_billed, end.qpu_seconds, end.queue_seconds, end.shots_executed) == (True, 0.25, 4.0, 100)
    assert (end.times.ended - end.times.started).total_seconds() == 0.25
    assert cloud.asked("/results") == 0  # a result is never read
    assert cloud.asked("/cost") == 2


@pytest.mark.parametrize(("status", "ours"), [("failed", "failed"), ("canceled", "cancelled")])
def test_a_job_without_a_result_costs_nothing(cloud, door, asked, status, ours):
    cloud.cost = None

    sight = door.look(asked(status))

    assert sight.status == ours
    assert sight.cost == Cost(estimated=ESTIMATE, final=Money(amount="0", **USD))
    assert sight.is_billed
    reason = Failure(code="QuantumComputerError", message="the ions were lost") if status == "failed" else None
    assert sight.failure == reason


def test_a_bill_that_is_not_written_yet_is_not_final(cloud, door, asked):
    cloud.cost = None
    job = asked("completed")
    assert not door.look(job).is_billed
    cloud.cost = {"value": 3, "unit": "credits"}
    sight = door.look(job)
    assert (sight.is_billed, sight.cost) == (True, Cost(estimated=ESTIMATE))


def test_a_simulators_job_has_no_bill_to_wait_for(cloud, door, simulator, ghz):
    cloud.estimated_cost = None
    sight = door.look(Asked(job_id=simulator.run(ghz).job_id()))

    assert (sight.status, sight.is_billed, sight.cost, sight.qpu_seconds) == ("completed", True, None, None)


@pytest.mark.parametrize(("word", "status", "text"), [("running", "running", None), ("paused", "unknown", "paused")])
def test_words_that_the_sdk_refuses(door, asked, word, status, text):
    sight = door.look(asked(word))

    assert (sight.status, sight.status_text) == (status, text)


def test_later_is_later_and_no_is_no(cloud, door, asked):
    job = asked("ready")
    cloud.fail(job.job_id, 429, Retry_After="7")
    with pytest.raises(RetryableError, match="429") as later:
        door.look(job)
    assert later.value.retry_after_seconds == 7.0
    cloud.fail(job.job_id, 503, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT")
    with pytest.raises(RetryableError, match="503") as later:
        door.look(job)
    assert later.value.retry_after_seconds == 0.0
    cloud.fail(job.job_id, 500)
    with pytest.raises(RetryableError, match="500") as later:
        door.look(job)
    assert later.value.retry_after_seconds is None
    with pytest.raises(PermanentError, match="404 for jobs"):
        door.look(Asked(job_id="../backends/simulator"))
    assert cloud.requests[-1] == ("GET", "/v0.4/jobs/..%2Fbackends%2Fsimulator")
    cloud.key = "another"
    with pytest.raises(PermanentError, match="401 for jobs; is the API key right") as refused:
        door.look(job)
    assert "ionq-test-key" not in str(refused.value)


def test_a_cost_that_cannot_be_read_does_not_hide_the_status(cloud, door, asked):
    job = asked("completed")
    for status in (403, 500):
        cloud.fail("/cost", status)
        sight = door.look(job)
        assert (sight.status, sight.cost, sight.is_billed) == ("completed", None, False)
    cloud.fail("/cost", 429, Retry_After="2")
    with pytest.raises(RetryableError, match="429"):
        door.look(job)


def test_half_an_answer_is_none(cloud, door, asked):
    job = asked("ready")
    cloud.is_truncated = True

    with pytest.raises(RetryableError, match="no JSON, or a part of one"):
        door.look(job)


def test_calibrations_are_the_newest_characterization(cloud, door):
    columns = {column.name: column.values for column in door.calibration("qpu.forte-1")}

    assert columns["t1"] == [100.0]
    assert columns["two_qubit_error"] == [pytest.approx(0.0054)]
    assert cloud.requests == [("GET", "/v0.4/backends/qpu.forte-1/characterizations?limit=1")]
    assert door.calibration("simulator.aria-1") == []
    cloud.characterizations = None
    assert door.calibration("qpu.forte-1") == []


def test_v03_is_spoken_where_the_address_says_so(cloud):
    older = {
        "id": "1", "date": 1490932820, "backend": "qpu.aria-1", "qubits": 25,
        "fidelity": {"spam": {"mean": 0.99}}, "timing": {"t1": 10},
    }  # fmt: skip
    door = IonqDoor.open({"IONQ_API_TOKEN": cloud.key, "IONQ_API_URL": cloud.url.replace("v0.4", "v0.3")}, 5.0)
    cloud.documents["/v0.3/characterizations/backends/qpu.aria-1/current"] = older
    cloud.documents["/v0.3/jobs/a"] = {"status": "completed", "target": "qpu.aria-1", "cost_usd": 12.41}
    columns = {column.name: column for column in door.calibration("qpu.aria-1")}
    sight = door.look(Asked(job_id="a"))
    door.close()

    assert columns["t1"].values == [10.0]
    assert columns["t1"].times == [1490932820.0]
    assert (sight.cost, sight.is_billed) == (Cost(final=Money(amount="12.41", **USD)), True)


def test_credentials_are_those_of_the_sdk():
    with pytest.raises(ConfigError, match="no API key; set IONQ_API_KEY"):
        IonqDoor.open({}, 1.0)
    with pytest.raises(ConfigError, match="IONQ_API_URL is no http address"):
        IonqDoor.open({"IONQ_API_TOKEN": "k", "IONQ_API_URL": "ftp://x"}, 1.0)
    with pytest.raises(ConfigError, match="characters that none has") as refused:
        IonqDoor.open({"QISKIT_IONQ_API_TOKEN": "secret\nkey"}, 1.0)
    assert "secret" not in str(refused.value)


def _read_request(connection):
    asked = b""
    while b"\r\n\r\n" not in asked:
        asked += connection.recv(4096)


def _silence(connection, stopped):
    stopped.wait(SERVED)


def _trickle_head(connection, stopped):
    _read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not stopped.wait(0.02):
        connection.sendall(b"X-A: b\r\n")


def _trickle_body(connection, stopped):
    _read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{")
    while not stopped.wait(0.02):
        connection.sendall(b" ")


def _pour(connection, stopped):
    _read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not stopped.is_set():
        connection.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")


def _redirect(connection, _stopped):
    _read_request(connection)
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def _hang_up(connection, _stopped):
    _read_request(connection)


@contextmanager
def _server(behave):
    """Serve `behave` to each connection; yield the address and how many connections there were."""
    stopped, connections = threading.Event(), []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(connection)
            threads.append(threading.Thread(target=answer, args=(connection,)))
            threads[-1].start()

    def answer(connection):
        try:
            behave(connection, stopped)
        except OSError:  # the door hung up
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=serve)]
    threads[0].start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v0.4", connections
    finally:
        stopped.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in threads:
            thread.join(20)
        assert not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize(
    ("behave", "message"),
    [
        (_silence, WITHIN),
        (_trickle_head, WITHIN),
        (_trickle_body, WITHIN),
        (_pour, "an answer over 4 MiB"),
        (_redirect, "a redirect, which is not followed"),
        (_hang_up, "no connection"),
    ],
)
def test_no_server_holds_the_door(behave, message):
    limit = LIMIT if message is WITHIN else 20.0
    with _server(behave) as (url, connections):
        door = IonqDoor.open({"IONQ_API_KEY": "k", "IONQ_API_URL": url}, limit)
        begun = time.monotonic()
        with pytest.raises(RetryableError, match=message):
            door.look(Asked(job_id="a"))
        took = time.monotonic() - begun
        door.close()

        assert took < SERVED  # it did not wait for the server
        wait_for(lambda: connections, "the server took the connection")
        assert len(connections) == 1


def test_a_resolver_that_hangs_does_not_hold_the_door(monkeypatch):
    released, lookup = threading.Event(), socket.getaddrinfo

    def hang(*arguments, **options):
        released.wait(SERVED)
        return lookup(*arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    door = IonqDoor.open({"IONQ_API_KEY": "k", "IONQ_API_URL": "http://localhost:9/v0.4"}, LIMIT)
    begun = time.monotonic()
    with pytest.raises(RetryableError, match="no answer within"):
        door.look(Asked(job_id="a"))
    took = time.monotonic() - begun
    released.set()
    door.close()

    assert took < SERVED


def test_nobody_there_is_later():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    door = IonqDoor.open({**os.environ, "IONQ_API_KEY": "k", "IONQ_API_URL": url}, 10.0)

    with pytest.raises(RetryableError, match="no connection"):
        door.look(Asked(job_id="a"))
    door.close()
    door.close()
