"""What deploy/compose.yaml starts, started here without Docker: its broker's settings, its commands, its configuration.

Only names and places are others: every service is on the loopback, on ports of its own.
"""

import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from tests.waiting import wait_for
from tools.kafka.broker import answers, free_ports
from tools.kafka.jars import executable, jars

DEPLOY = next(folder for folder in Path(__file__).parents if (folder / "pyproject.toml").is_file()) / "deploy"
SERVICES = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
SHARED = "/var/lib/quantum-mlops-access"


@contextmanager
def running(command, output, **more):
    """Run a process to the end of the block, ended by SIGTERM; what it says goes to `output`."""
    with output.open("ab") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, **more)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def broker(own_broker, tmp_path):
    """Run the broker as the image does: server.properties from the environment; return its INTERNAL address.

    `own_broker` looks for Java and Maven.
    """
    internal, host, controller = free_ports(3)
    environment = dict(SERVICES["kafka"]["environment"])
    cluster, heap = environment.pop("CLUSTER_ID"), environment.pop("KAFKA_HEAP_OPTS").split()
    lines = {name.removeprefix("KAFKA_").lower().replace("_", "."): text for name, text in environment.items()}
    text = "".join(f"{name}={value}\n" for name, value in lines.items())
    for old, new in {
        "0.0.0.0:9092": f"127.0.0.1:{internal}", "kafka:9092": f"127.0.0.1:{internal}",
        "0.0.0.0:19092": f"127.0.0.1:{host}", "127.0.0.1:19092": f"127.0.0.1:{host}",
        "127.0.0.1:9093": f"127.0.0.1:{controller}", "/var/lib/kafka/data": str(tmp_path / "data"),
    }.items():  # fmt: skip
        assert old in text
        text = text.replace(old, new)
    properties = tmp_path / "server.properties"
    properties.write_text(text)
    java = [executable("java", "default-jre-headless"), *heap, "-cp", f"{jars()}/*"]
    format_it = [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", properties]
    subprocess.run(format_it, check=True, capture_output=True, timeout=120)
    with running([*java, "kafka.Kafka", properties], tmp_path / "broker.log"):
        wait_for(lambda: answers(f"127.0.0.1:{internal}") and answers(f"127.0.0.1:{host}"), "the broker", 120)
        yield f"127.0.0.1:{internal}"


@pytest.mark.timeout(300)  # ten starts of Java and Python
def test_the_parts_of_the_compose_file_work_together(broker, tmp_path):
    port, first, second = free_ports(3)
    text = (DEPLOY / "compose/quantum-mlops.toml").read_text()
    for old, new in {"kafka:9092": broker, "0.0.0.0:8765": f"0.0.0.0:{port}", SHARED: str(tmp_path)}.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "c.toml").write_text(text)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("QML_")}
    environ |= {"QML_CONFIG": str(tmp_path / "c.toml"), "QML_STATE_DIR": str(tmp_path / "state")}
    quantum_mlops = [sys.executable, "-m", "quantum_mlops"]

    def once(service, command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environ)
        assert done.returncode == 0, (service, done.stderr)
        return done.stdout

    script = SERVICES["access"]["command"][0].replace(SHARED, str(tmp_path))
    once(
        "access",
        [*SERVICES["access"]["entrypoint"], script.replace("quantum-mlops token", " ".join([*quantum_mlops, "token"]))],
    )
    once("init", [*quantum_mlops, *SERVICES["init"]["command"]])
    assert once("init", [*quantum_mlops, *SERVICES["init"]["command"]]) is not None
    secret = (tmp_path / "prometheus").read_text().strip()

    def worker(name, port):
        command = [word.replace("0.0.0.0:8766", f"0.0.0.0:{port}") for word in SERVICES[name]["command"]]
        return running([*quantum_mlops, *command], tmp_path / f"{name}.log", env=environ)

    def answer(port, path):
        try:
            return httpx.get(
                f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {secret}"}, trust_env=False
            )
        except httpx.TransportError:
            return httpx.Response(599)

    with ExitStack() as stack:
        daemon = running([*quantum_mlops, *SERVICES["daemon"]["command"]], tmp_path / "daemon.log", env=environ)
        processes = [
            stack.enter_context(one) for one in (daemon, worker("worker-1", first), worker("worker-2", second))
        ]
        for which in (port, first, second):
            wait_for(lambda which=which: answer(which, "/-/ready").status_code == 200, f"{which} is ready", 120)
            assert answer(which, "/-/healthy").status_code == 200
            assert "\nqml_" in answer(which, "/metrics").text
            assert httpx.get(f"http://127.0.0.1:{which}/metrics", trust_env=False).status_code == 401
        told = once("status", [*quantum_mlops, "kafka", "status"])
        assert "12 of 12 partitions owned" in told
        assert all(name in told for name in ("worker-1", "worker-2")), told
        assert [process.poll() for process in processes] == [None] * 3
    assert [process.returncode for process in processes] == [0] * 3
