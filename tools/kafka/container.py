"""The same broker from Docker: the project's own image, for machines that have an engine and no Java."""

import contextlib
import importlib.util
import os
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from tools.kafka.broker import SETTINGS, answers, free_ports
from tools.kafka.jars import BrokerError

IMAGE = "apache/kafka:4.1.1"
_START_SECONDS = 120
_LOOPBACK = {"localhost", "127.0.0.1"}


def engine_answers() -> bool:
    """Whether a Docker engine listens (DOCKER_HOST, else its usual socket) and the library to speak with it is there."""
    if importlib.util.find_spec("testcontainers") is None:
        return False
    place = urlsplit(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
    family = socket.AF_UNIX if place.scheme == "unix" else socket.AF_INET
    with socket.socket(family) as connection:  # not by docker's client: it leaves sockets open where there is no engine
        connection.settimeout(5)
        try:
            connection.connect(place.path if place.scheme == "unix" else (place.hostname, place.port or 2375))
        except OSError:
            return False
    return True


@contextlib.contextmanager
def container() -> Iterator[str]:
    """Run one broker in a container; yields its address once it answers.

    Raises:
        BrokerError: It did not answer in time; with the end of its log.
    """
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - a package of the tests

    port = free_ports(1)[0]  # the same inside and outside: the broker must know what it is called
    one = DockerContainer(IMAGE)
    host = one.get_docker_client().host()
    host = "127.0.0.1" if host in _LOOPBACK else host
    settings = {
        **SETTINGS,
        "listeners": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://127.0.0.1:9093",
        "advertised.listeners": f"PLAINTEXT://{host}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.quorum.voters": "1@127.0.0.1:9093",
    }
    one.with_envs(**{f"KAFKA_{name.replace('.', '_').upper()}": text for name, text in settings.items()})
    one.with_bind_ports(port, port)
    with one:
        deadline = time.monotonic() + _START_SECONDS
        while not answers(f"{host}:{port}"):
            if time.monotonic() > deadline:
                said = b"\n".join(one.get_logs()).decode(errors="replace")
                raise BrokerError(f"{IMAGE} did not answer in {_START_SECONDS} s; its log ends:\n{said[-2000:]}")
            time.sleep(0.2)
        yield f"{host}:{port}"
