"""Alerts as the processors make them, and a web server that answers what a test wants."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from qml_daemon.alert import Alert
from qml_daemon.notification import Notification

NOW = 1_795_176_000_000_000_000


def drift_alert(number: int = 0, **fields: Any) -> Alert:
    known: dict[str, Any] = {
        "key": f"k{number}",
        "fingerprint": f"k{number}",
        "finding_id": f"{number:02d}0102030405060708090a0b0c0d0e0f",
        "status": "firing",
        "rule": "CircuitDrift",
        "severity": "critical",
        "starts": NOW,
        "updated": NOW,
        "open": [f"{number}"],
        "labels": {"backend": "ibm_hanoi", "qubits": "0-1-2-3", "project": "iris", "rule": "CircuitDrift"},
        "annotations": {
            "summary": "ibm_hanoi qubits 0-1-2-3: outcomes moved by 0.087 (Hellinger), more than 0.05",
            "description": "The footprint was recalibrated; the values that changed are ranked, which does not make the first the cause.",
            "calibration_before": "k1:9e828b99ede4a3a1",
            "calibration_after": "k1:8100f0d558c49ed8",
        },
        "values": {"hellinger": 0.08709, "hellinger_low": 0.0794, "hellinger_high": 0.095, "minimum_effect": 0.05, "shots": 8192.0},
        "details": {
            "changed_calibrations": [
                {"name": "cx_error", "qubits": "2-3", "before": "0.0089", "after": "0.0309", "change": "0.022 per operation, worse"},
                {"name": "sx_error", "qubits": "3", "before": "0.000155", "after": "0.0056", "change": "0.0054 per operation, worse"},
            ]
        },
    }  # fmt: skip
    return Alert(**{**known, **fields})


def notification(*alerts: Alert, group: str = "g", **fields: Any) -> Notification:
    counts = {status: sum(alert.status == status for alert in alerts) for status in ("firing", "resolved", "notice")}
    known: dict[str, Any] = {
        "id": "n1",
        "group": group,
        "receiver": "team",
        "reason": "first notification",
        "time": NOW,
        "alerts": list(alerts),
        "firing": counts["firing"],
        "resolved": counts["resolved"],
        "notices": counts["notice"],
    }
    return Notification(**{**known, **fields})


@pytest.fixture
def make_alert() -> Callable[..., Alert]:
    return drift_alert


@pytest.fixture
def make_notification() -> Callable[..., Notification]:
    return notification


class Server(ThreadingHTTPServer):
    """Answers each request with the next of `answers`: (status, headers, body), "hang" or "close"."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Any] = []
        self.bodies: list[bytes] = []
        self.release = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/services/T0/B0/verysecret"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        answer = self.server.answers.pop(0) if self.server.answers else (200, {}, "ok")
        if answer == "hang":
            self.server.release.wait(20)
            return
        if answer == "close":
            self.close_connection = True
            self.connection.close()
            return
        status, headers, body = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield found
        found.release.set()
        found.shutdown()
        thread.join()
