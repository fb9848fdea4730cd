"""The same broker from Docker: the project's own image, for machines that have an engine and no Java."""

import contextlib
import time
from collections.abc import Iterator

from tools.kafka.broker import SETTINGS, answers, free_ports
from tools.kafka.jars import BrokerError

IMAGE = "apache/kafka:4.1.1"
_START_SECONDS = 120
_LOOPBACK = {"localhost", "127.0.0.1"}


def engine_answers() -> bool:
    """Whether a Docker engine can be reached, and the library to speak with it is installed."""
    try:
        import docker  # noqa: PLC0415 - a package of the tests, slow to import
        import testcontainers.core.container  # noqa: F401, PLC0415
    except ImportError:
        return False
    try:
        with contextlib.closing(docker.from_env(timeout=5)) as client:
            return bool(client.ping())
    except (docker.errors.DockerException, OSError):
        return False


@contextlib.contextmanager
def container() -> Iterator[str]:
    """Run one broker in a container; yields its address once it answers.

    Raises:
        BrokerError: It did not answer in time; with the end of its log.
    """
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415

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
