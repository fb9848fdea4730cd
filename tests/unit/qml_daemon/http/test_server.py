"""The service's thread: bound at once, stopped within a second, whatever its clients do."""

import asyncio
import contextlib
import socket
import threading
import time

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from qml_daemon.http import health
from qml_daemon.http.address import Address
from qml_daemon.http.app import build_app
from qml_daemon.http.health import Health
from qml_daemon.http.problem import Problem
from qml_daemon.http.server import HttpServer
from quantum_mlops.errors import ConfigError


def test_a_port_that_is_taken_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as refused:
            HttpServer(build_app([]), Address("127.0.0.1", port))
    said = str(refused.value)
    assert said.startswith(f"http.listen: port {port} of 127.0.0.1 is taken by another program")
    assert f'QML_HTTP__LISTEN="127.0.0.1:{port + 1}"' in said
    assert "\n" not in said


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match="^http.listen: "):
        HttpServer(build_app([]), Address(host, 1))


def test_a_closed_server_leaves_its_port() -> None:
    first = HttpServer(build_app([]), Address("127.0.0.1", 0))
    assert first.close()
    second = HttpServer(build_app([]), first.address)
    second.start()
    assert second.close()
    assert second.close()


@pytest.mark.parametrize("watches", [True, False])
def test_an_open_stream_does_not_hold_up_the_stop(serve, watches: bool) -> None:
    ended = threading.Event()

    async def endless(request: Request) -> StreamingResponse:
        async def lines():
            stopping = request.app.state.stopping if watches else asyncio.Event()
            try:
                yield b"first\n"
                await stopping.wait()
                yield b"last\n"
            finally:
                ended.set()

        return StreamingResponse(lines(), media_type="text/event-stream")

    server, client = serve([Route("/", endless)])
    with client.stream("GET", "/") as answer:
        lines = answer.iter_lines()
        assert next(lines) == "first"
        began = time.monotonic()
        assert server.close()
        assert time.monotonic() - began < 1.0
        if watches:
            assert next(lines) == "last"
            assert list(lines) == []
    assert ended.wait(5)
    with pytest.raises(httpx.TransportError):
        client.get("/")


def test_requests_under_way_are_answered_before_the_end(serve) -> None:
    inside, go = threading.Event(), threading.Event()

    def slow(request: Request) -> PlainTextResponse:
        inside.set()
        go.wait(5)
        return PlainTextResponse("done")

    server, client = serve([Route("/", slow)])
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(client.get("/").text))
    asking.start()
    assert inside.wait(5)
    server.begin_stop()
    go.set()
    asking.join(5)
    assert answers == ["done"]


def test_idle_connections_do_not_hold_up_the_stop(serve) -> None:
    server, client = serve([Route("/", lambda request: PlainTextResponse("in"))])
    assert client.get("/").text == "in"
    with socket.create_connection((server.address.host, server.address.port)) as silent:
        began = time.monotonic()
        assert server.close()
        assert time.monotonic() - began < 1.0
        assert silent.recv(10) == b""


@pytest.mark.parametrize("turns", range(10))
def test_a_connection_accepted_while_the_server_stops_is_ended_too(serve, turns: int) -> None:
    """The loop is held still `turns` after the stop began, and finds a new client when it goes on."""
    held, connected = threading.Event(), threading.Event()

    async def hold(_: Request) -> PlainTextResponse:
        server.begin_stop()
        for _ in range(turns):
            await asyncio.sleep(0)
        held.set()
        assert connected.wait(10)
        return PlainTextResponse("held")

    server, client = serve([Route("/", hold)])
    asking = threading.Thread(target=client.get, args=("/",))
    asking.start()
    assert held.wait(10)
    try:
        silent = socket.create_connection((server.address.host, server.address.port))
    except ConnectionRefusedError:  # the listener was closed already
        silent = None
    connected.set()
    asking.join(10)
    assert server.close()
    if silent is not None:
        with silent:
            silent.settimeout(5)
            with contextlib.suppress(ConnectionResetError):
                assert silent.recv(10) == b""


def test_refusals_and_failures_are_problems_and_the_service_goes_on(serve, caplog) -> None:
    def refuse(request: Request) -> None:
        raise Problem(429, "later", {"Retry-After": "7"}, {"left": 0})

    def fail(request: Request) -> None:
        raise RuntimeError("a secret detail")

    _, client = serve([Route("/refuse", refuse), Route("/fail", fail)])
    refused = client.get("/refuse")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "7")
    expected = {"type": "about:blank", "title": "Too Many Requests", "status": 429, "detail": "later", "left": 0}
    assert refused.json() == expected
    for path, method, status in (("/none", "GET", 404), ("/refuse", "POST", 405), ("/fail", "GET", 500)):
        answer = client.request(method, path)
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert answer.headers["content-type"] == "application/problem+json"
        assert "secret" not in answer.text
    assert client.get("/refuse").headers["x-content-type-options"] == "nosniff"
    assert caplog.text.count("GET /fail failed") == 1


def test_ready_says_why_not(serve) -> None:
    now = [0.0]
    state = Health(lambda: now[0])
    _, client = serve(health.routes(state))

    def ask(path: str) -> tuple[int, str]:
        answer = client.get(path)
        return answer.status_code, answer.text.strip() if answer.status_code == 200 else answer.json()["detail"]

    assert ask("/-/ready") == (503, "the daemon is starting")
    state.state = "running"
    assert ask("/-/ready") == (200, "ready")
    state.fault = "the disk is full"
    assert ask("/-/ready") == (503, "the log cannot be written: the disk is full")
    assert ask("/-/healthy") == (200, "healthy")
    state.fault, now[0] = None, 11.0
    assert ask("/-/ready") == (503, "the main loop has not come round for 11 s")
    assert ask("/-/healthy") == (200, "healthy")
    now[0] = 61.0
    assert ask("/-/healthy") == (503, "the main loop has not come round for 61 s")
    state.beat()
    assert (ask("/-/ready"), ask("/-/healthy")) == ((200, "ready"), (200, "healthy"))
