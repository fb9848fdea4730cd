"""One real broker: start, stop, kill, pause and start it again on the same ports and data.

    python tools/kafka/broker.py --run COMMAND ...

starts one (or takes Docker's, or the one that QML_TEST_KAFKA names already: see choice.py), says where it is in
QML_TEST_KAFKA, runs the command, stops the broker and exits with the command's code.
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

if not __package__:  # run as a script
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.kafka.certificates import Authority
from tools.kafka.jars import BrokerError, executable, jars
from tools.kafka.listeners import Listener

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
    "broker.session.timeout.ms": "6000",  # after a kill the start waits for the old registration to end
    "broker.heartbeat.interval.ms": "1000",
    "log.retention.check.interval.ms": "10000",
}
_START_SECONDS, _STOP_SECONDS = 120, 30
_PORTS = range(20_000, 32_000)  # below what systems give to outgoing connections: a restart finds its ports free


class Broker:
    """One node, broker and controller, on the loopback; use it in a `with` statement.

    `bootstrap` is a plaintext door that is always there; `bootstraps` are those of `listeners`, by name.
    `authority` (ca.pem in its `file`) exists where a listener has TLS. Users hold for every SASL mechanism.
    """

    def __init__(
        self,
        folder: Path,
        *,
        listeners: Sequence[Listener] = (),
        users: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
        heap_megabytes: int = 512,
    ) -> None:
        self.folder = folder.absolute()
        self.heap_megabytes = heap_megabytes
        self.process: subprocess.Popen[bytes] | None = None
        self.authority: Authority | None = None
        self._listeners = tuple(listeners)
        self._users = dict(users or {})
        ports = free_ports(2 + len(self._listeners))
        self.bootstrap = f"127.0.0.1:{ports[0]}"
        self._controller = f"127.0.0.1:{ports[1]}"
        self.bootstraps = {one.name: f"127.0.0.1:{port}" for one, port in zip(self._listeners, ports[2:], strict=True)}
        self._properties = {**SETTINGS, **self._doors(), **(properties or {})}

    @property
    def log(self) -> str:
        """What the broker has written on its output so far."""
        path = self.folder / "broker.log"
        return path.read_text(errors="replace") if path.is_file() else ""

    def start(self) -> Self:
        """Start it and wait until it answers (about 3 s); the data of an earlier start is kept.

        Raises:
            BrokerError: Java, the jars or Maven are missing, or it did not come up; with the end of its log.
        """
        if self.process is not None:
            raise BrokerError("the broker runs already")
        if not (self.folder / "data" / "meta.properties").is_file():
            self._format()
        with (self.folder / "broker.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self._java(f"-Xmx{self.heap_megabytes}m"), "kafka.Kafka", str(self.folder / "server.properties")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + _START_SECONDS
        while not answers(self.bootstrap):
            code = self.process.poll()
            if code is not None or time.monotonic() > deadline:
                self.kill()
                ended = "it did not answer in time" if code is None else f"it ended with exit code {code}"
                raise BrokerError(f"no broker: {ended}; its log ends:\n{self.log[-2000:]}")
            time.sleep(0.1)
        return self

    def stop(self) -> None:
        """End it in order (SIGTERM); kill it where that takes longer than 30 s. Nothing if it does not run."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut of the process does (SIGKILL)."""
        self._end(signal.SIGKILL)

    def restart(self) -> Self:
        """Start it again, on the same ports and data, if need be after stopping it."""
        self.stop()
        return self.start()

    def pause(self) -> None:
        """Let it hang (SIGSTOP): connections are accepted and nobody answers."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        self._running().send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _running(self) -> "subprocess.Popen[bytes]":
        if self.process is None:
            raise BrokerError("the broker does not run")
        return self.process

    def _end(self, number: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_STOP_SECONDS)

    def _doors(self) -> dict[str, str]:
        names = {"PLAINTEXT": ("PLAINTEXT", self.bootstrap), "CONTROLLER": ("PLAINTEXT", self._controller)}
        names |= {one.name.upper(): (one.protocol, self.bootstraps[one.name]) for one in self._listeners}
        doors = {
            "listeners": ",".join(f"{name}://{address}" for name, (_, address) in names.items()),
            "advertised.listeners": ",".join(
                f"{name}://{address}" for name, (_, address) in names.items() if name != "CONTROLLER"
            ),
            "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, (protocol, _) in names.items()),
            "controller.quorum.bootstrap.servers": self._controller,
            "log.dirs": str(self.folder / "data"),
        }
        for one in self._listeners:
            doors |= one.properties(self._users, self.folder / "tls")
        return doors

    def _format(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if any(one.tls for one in self._listeners):
            self.authority = Authority(self.folder / "tls")
            certificate, key = self.authority.issue("server")
            (self.folder / "tls" / "server-chain.pem").write_bytes(key.read_bytes() + certificate.read_bytes())
        path = self.folder / "server.properties"
        path.write_text("".join(f"{name}={text}\n" for name, text in self._properties.items()))
        command = [*self._java("-XX:TieredStopAtLevel=1"), "kafka.tools.StorageTool", "format", "--standalone"]
        command += ["-t", str(uuid.uuid4()), "-c", str(path)]
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            if any(one.mechanism == mechanism for one in self._listeners):
                for name, password in self._users.items():
                    command += ["--add-scram", f"{mechanism}=[name={name},password={password}]"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_START_SECONDS)
        if done.returncode:
            raise BrokerError(f"the broker's storage could not be formatted:\n{done.stdout}{done.stderr}")

    def _java(self, *options: str) -> list[str]:
        java = executable("java", "default-jre-headless")
        return [java, *options, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{jars()}/*"]


def answers(address: str, seconds: float = 2) -> bool:
    """Whether a broker at `address` answers Kafka's first question, ApiVersions version 0."""
    host, port = address.rsplit(":", 1)
    try:
        with socket.create_connection((host, int(port)), seconds) as connection:
            connection.settimeout(seconds)
            question = struct.pack(">hhih", 18, 0, 1, -1)  # the key, its version, a number to recognise, no client id
            connection.sendall(struct.pack(">i", len(question)) + question)
            answer = connection.recv(10, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(answer) == 10 and struct.unpack(">iih", answer)[1:] == (1, 0)  # noqa: PLR2004


def free_ports(number: int) -> list[int]:
    """Return ports of the loopback that nobody listens on now."""
    found: list[int] = []
    with contextlib.ExitStack() as held:
        for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):  # seeded tests do not meet
            one = held.enter_context(socket.socket())
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.append(port)
            if len(found) == number:
                return found
    raise BrokerError("no free ports on 127.0.0.1")


def _run(command: Sequence[str]) -> int:
    from tools.kafka.choice import shared_broker  # noqa: PLC0415 - it imports this module

    folder = Path(tempfile.mkdtemp(prefix="quantum-mlops-kafka-"))
    try:
        with shared_broker(folder / "broker") as address:
            return subprocess.run(command, env={**os.environ, "QML_TEST_KAFKA": address}, check=False).returncode
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Run the command line; return the exit code: the command's, 2 where no broker can be had."""
    parser = argparse.ArgumentParser(description="Run a command beside a real Apache Kafka (QML_TEST_KAFKA names it).")
    parser.add_argument("--run", nargs=argparse.REMAINDER, required=True, metavar="COMMAND")
    command = parser.parse_args().run
    if not command:
        parser.error("--run wants a command")
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        return _run(command)
    except BrokerError as error:
        print(f"kafka: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
