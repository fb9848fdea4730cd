"""systemd's notify socket."""

import socket
from pathlib import Path

import pytest

from qml_daemon.readiness import notify_systemd


@pytest.mark.parametrize("abstract", [False, True])
def test_a_state_reaches_the_socket(tmp_path: Path, abstract: bool) -> None:
    name = f"@quantum-mlops-test-{tmp_path.name}" if abstract else str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name[1:] if abstract else name)
        assert notify_systemd({"NOTIFY_SOCKET": name}, "READY=1")
        assert listener.recv(100) == b"READY=1"


def test_without_a_socket_or_with_a_dead_one_nothing_happens(tmp_path: Path) -> None:
    assert not notify_systemd({}, "READY=1")
    assert not notify_systemd({"NOTIFY_SOCKET": str(tmp_path / "gone")}, "READY=1")
    assert not notify_systemd({"NOTIFY_SOCKET": "vsock:2:1"}, "READY=1")
