"""deploy/compose.yaml without Docker: its files, images, doors, commands, and what the tools say of its configuration.

These tests fail where Debian's packages `prometheus` and `prometheus-alertmanager` are missing.
"""

import email
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from qml_daemon.http.token_file import read_tokens

ROOT = next(folder for folder in Path(__file__).parents if (folder / "pyproject.toml").is_file())
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"].startswith("quantum-mlops:")}
STANDING = {name: one for name, one in SERVICES.items() if one.get("restart") != "no"}
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


def run(*command, **more):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=100, **more)


def quantum_mlops(*arguments, **environment):
    environ = {name: text for name, text in os.environ.items() if not name.startswith("QML_")} | environment
    return run(sys.executable, "-m", "quantum_mlops", *arguments, env=environ)


def mounts(service):
    return [entry.split(":") for entry in SERVICES[service].get("volumes", ())]


def source_of(service, target):
    """Return the file of the checkout that the service sees at `target`."""
    return next(DEPLOY / mount[0] for mount in mounts(service) if mount[1] == target)


def test_every_part_is_there():
    assert set(SERVICES) == {
        "kafka", "init", "access", "daemon", "worker-1", "worker-2", "prometheus", "alertmanager", "grafana",
    }  # fmt: skip
    for name in ("worker-1", "worker-2"):
        assert SERVICES[name]["command"][-2:] == ["--instance", name]
    assert {**SERVICES["worker-1"], "command": ()} == {**SERVICES["worker-2"], "command": ()}


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_mounted_exists_and_files_are_read_only(service):
    for source, _target, *mode in mounts(service):
        if source.startswith("."):
            assert (DEPLOY / source).is_file(), source
            assert mode == ["ro"], source
        else:
            assert source in COMPOSE["volumes"]
    for secret in SERVICES[service].get("secrets", ()):
        assert secret in COMPOSE["secrets"]


def test_every_volume_and_secret_is_used():
    assert {mount[0] for name in SERVICES for mount in mounts(name) if not mount[0].startswith(".")} == set(
        COMPOSE["volumes"]
    )
    assert {secret for one in SERVICES.values() for secret in one.get("secrets", ())} == set(COMPOSE["secrets"])


def test_secrets_are_files_that_git_does_not_take():
    for secret in COMPOSE["secrets"].values():
        path = DEPLOY / secret["file"]
        assert run("git", "check-ignore", path, cwd=ROOT).returncode == 0
    for one in SERVICES.values():
        words = {name for name in one.get("environment", {}) if re.search("PASSWORD|SECRET|TOKEN", name)}
        assert all(name.endswith("__FILE") for name in words), words


def test_images_are_pinned_to_a_version():
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    for image in [one["image"] for one in SERVICES.values()] + bases:
        assert re.fullmatch(r"[a-z0-9./-]+:v?\d+\.\d+\.\d+(-[a-z-]+)?", image), image
    assert len(set(bases)) == 1


def test_the_image_has_the_version_of_the_package():
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    assert {one["image"] for one in OURS.values()} == {f"quantum-mlops:{version}"}


def test_the_broker_is_the_one_that_is_tested():
    tested = re.search(
        r"<artifactId>kafka_2.13</artifactId>\s*<version>(.+)</version>", (ROOT / "tools/kafka/pom.xml").read_text()
    )
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{tested[1]}"


def test_ports_are_published_on_the_loopback_only():
    published = [port for one in SERVICES.values() for port in one.get("ports", ())]
    assert published
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in published)
    assert len({port.split(":")[1] for port in published}) == len(published)


@pytest.mark.parametrize("service", STANDING)
def test_who_stays_up_has_a_health_check_and_comes_back(service):
    assert STANDING[service]["restart"] == "unless-stopped"
    check = STANDING[service]["healthcheck"]["test"]
    assert check[0] == "CMD"
    assert re.search(r"127\.0\.0\.1:\d+", " ".join(check))


@pytest.mark.parametrize("service", SERVICES)
def test_nobody_can_gain_rights(service):
    assert SERVICES[service]["cap_drop"] == ["ALL"]
    assert SERVICES[service]["security_opt"] == ["no-new-privileges:true"]
    assert not SERVICES[service].get("privileged")


def test_our_containers_write_to_volumes_only_and_not_as_root():
    assert all(one["read_only"] for one in OURS.values())
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE) == ["10001:10001"]


@pytest.mark.parametrize("service", SERVICES)
def test_who_is_waited_for_exists_and_can_come_true(service):
    waits = SERVICES[service].get("depends_on", {})
    conditions = [
        (other, waits[other]["condition"] if isinstance(waits, dict) else "service_started") for other in waits
    ]
    for other, condition in conditions:
        assert other in SERVICES
        if condition == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        if condition == "service_completed_successfully":
            assert SERVICES[other]["restart"] == "no"


@pytest.mark.parametrize("service", [name for name in OURS if name != "access"])
def test_commands_exist_with_their_options(service):
    words = OURS[service]["command"]
    names = [word for word in words if re.fullmatch("[a-z-]+", word) and not word.startswith("-")]
    command = names[:2] if names[0] == "kafka" else names[:1]
    told = quantum_mlops(*command, "--help")
    assert told.returncode == 0, told.stderr
    for option in (word for word in words if word.startswith("--")):
        assert option in told.stdout


def test_the_token_of_prometheus_is_made_once(tmp_path):
    shell, script = SERVICES["access"]["entrypoint"], SERVICES["access"]["command"][0]
    assert shell == ["/bin/sh", "-euc"]
    script = script.replace("/var/lib/quantum-mlops-access", str(tmp_path))
    script = script.replace("quantum-mlops token", f"{shlex.quote(sys.executable)} -m quantum_mlops token")
    for _ in range(2):
        done = run(*shell, script)
        assert done.returncode == 0, done.stderr
    assert [(one.project, one.scopes) for one in read_tokens(tmp_path / "tokens.toml")] == [("*", ["read"])]
    assert (tmp_path / "prometheus").read_text().strip()
    assert sorted(path.name for path in tmp_path.iterdir() if "lock" not in path.name) == ["prometheus", "tokens.toml"]


def test_our_configuration_passes_its_check(tmp_path):
    path = source_of("daemon", "/etc/quantum-mlops/quantum-mlops.toml")
    done = quantum_mlops("config", "check", "--config", path, QML_STATE_DIR=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(source_of(name, "/etc/quantum-mlops/quantum-mlops.toml") == path for name in OURS)


def test_our_configuration_names_the_parts_as_compose_does():
    text = source_of("daemon", "/etc/quantum-mlops/quantum-mlops.toml").read_text()
    listeners = SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert "INTERNAL://kafka:9092" in listeners
    assert 'bootstrap_servers = ["kafka:9092"]' in text
    assert 'url = "http://alertmanager:9093"' in text
    assert 'listen = "0.0.0.0:8765"' in text
    assert "127.0.0.1:8765:8765" in SERVICES["daemon"]["ports"]
    host = re.search(r"HOST://(127\.0\.0\.1:\d+)", listeners)[1]
    assert f"{host}:{host.split(':')[1]}" in SERVICES["kafka"]["ports"]


def test_promtool_finds_no_fault(tmp_path):
    text = source_of("prometheus", "/etc/prometheus/prometheus.yml").read_text()
    token = tmp_path / "token"
    token.write_text("secret")
    (tmp_path / "prometheus.yml").write_text(text.replace("/etc/prometheus/access/prometheus", str(token)))
    shutil.copy(source_of("prometheus", "/etc/prometheus/quantum-mlops.rules.yml"), tmp_path)
    done = run("promtool", "check", "config", tmp_path / "prometheus.yml")
    assert done.returncode == 0, done.stderr
    assert "1 rule files found" in done.stdout
    assert "access:/etc/prometheus/access:ro" in SERVICES["prometheus"]["volumes"]


def test_prometheus_scrapes_the_daemon_and_the_workers_where_they_listen():
    jobs = {one["job_name"]: one["static_configs"][0]["targets"]
            for one in yaml.safe_load((DEPLOY / "compose/prometheus.yml").read_text())["scrape_configs"]}  # fmt: skip
    assert jobs["quantum-mlops"] == ["daemon:8765"]
    command = SERVICES["worker-1"]["command"]
    port = command[command.index("--listen") + 1].split(":")[1]
    assert jobs["quantum-mlops-worker"] == [f"worker-1:{port}", f"worker-2:{port}"]


def test_amtool_finds_no_fault_and_the_secret_is_where_compose_puts_it():
    path = source_of("alertmanager", "/etc/alertmanager/alertmanager.yml")
    done = run("amtool", "check-config", path)
    assert done.returncode == 0, done.stderr
    assert f"/run/secrets/{SERVICES['alertmanager']['secrets'][0]}" in path.read_text()


def test_grafana_finds_its_source_and_its_dashboard():
    source = yaml.safe_load(source_of("grafana", "/etc/grafana/provisioning/datasources/quantum-mlops.yml").read_text())
    assert source["datasources"][0]["url"] == "http://prometheus:9090"
    boards = yaml.safe_load(source_of("grafana", "/etc/grafana/provisioning/dashboards/quantum-mlops.yml").read_text())
    folder = boards["providers"][0]["options"]["path"]
    dashboard = json.loads(source_of("grafana", f"{folder}/quantum-mlops.json").read_text())
    assert dashboard["templating"]["list"][0]["type"] == "datasource"
    environment = SERVICES["grafana"]["environment"]
    assert environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == f"{folder}/quantum-mlops.json"
    assert environment["GF_SECURITY_ADMIN_PASSWORD__FILE"] == f"/run/secrets/{SERVICES['grafana']['secrets'][0]}"


def copied():
    lines = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    return [(source, words[-1]) for words in map(str.split, lines) for source in words[:-1]]


def test_the_wheel_is_built_from_what_the_image_copies(tmp_path):
    for source, target in copied():
        place = tmp_path / (target.removeprefix("./") or source)
        place = tmp_path / source if target == "./" else place
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, place)
    done = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "dist", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next((tmp_path / "dist").iterdir())) as wheel:
        names = wheel.namelist()
        metadata = email.message_from_bytes(wheel.read(next(name for name in names if name.endswith("/METADATA"))))
    assert "qml_daemon/alert_pages/README.md" in names
    extras = re.search(r"^ARG EXTRAS=(\S+)$", DOCKERFILE, re.MULTILINE)[1]
    assert set(extras.split(",")) <= set(metadata.get_all("Provides-Extra"))


def test_the_image_takes_the_versions_of_the_lock(tmp_path):
    command = re.search(r"^RUN (sed .+) > /constraints.txt", DOCKERFILE, re.MULTILINE)[1]
    done = run("sh", "-c", command, cwd=ROOT)
    pinned = [Requirement(line) for line in done.stdout.splitlines()]
    locked = re.findall(r"^([A-Za-z0-9][^ =]*)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert [one.name for one in pinned] == locked
    assert {"aiokafka", "cramjam", "msgspec", "uvicorn"} <= set(locked)


def test_nothing_that_the_image_needs_is_kept_from_docker():
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert {line[1:] for line in lines if line.startswith("!")} == {source for source, _ in copied()}
    assert "*" in lines
