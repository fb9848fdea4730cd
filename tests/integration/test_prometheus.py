"""Rules, configuration and dashboard under the real promtool; a scrape of a real daemon by a real Prometheus.

These tests fail where Debian's package `prometheus` is missing: apt-get install prometheus.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import yaml

from qml_daemon.http.token_file import Token, hash_secret, write_tokens
from qml_daemon.metrics.catalogue import METRICS, PROCESS
from quantum_mlops.events import Cost, Job, MetricLogged, Money
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings

ROOT = next(folder for folder in Path(__file__).parents if (folder / "pyproject.toml").is_file())
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = PROMETHEUS / "quantum-mlops.rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "quantum-mlops.json"
ALERTS = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"] if "alert" in rule]
RECORDED = {
    rule["record"]
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
    if "record" in rule
}
SECRET = "secret-of-prometheus-0123456789"  # noqa: S105 - a test's own

CONFIG = """
[[rules.threshold]]
name = "LowAccuracy"
metric = "accuracy"
below = 0.5
[state]
dir = "state"
[http]
listen = "127.0.0.1:0"
tokens_file = "tokens.toml"
"""
SCRAPE = """
global: {scrape_interval: 500ms, evaluation_interval: 500ms}
rule_files: [%s]
scrape_configs:
  - job_name: quantum-mlops
    authorization: {credentials_file: %s}
    static_configs: [{targets: ["%s"]}]
"""


def promtool(*words, stdin=None):
    tool = shutil.which("promtool")
    assert tool, "promtool is missing: apt-get install prometheus"
    done = subprocess.run([tool, *map(str, words)], input=stdin, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def known_names():
    names = {"up", *PROCESS, *RECORDED}
    for metric in METRICS:
        names |= {metric.name + end for end in (("_bucket", "_count", "_sum") if metric.kind == "histogram" else ("",))}
    return names


def named_in(expr):
    return set(re.findall(r"\b(?:qml_\w+|process_\w+|up)\b(?!\s*:)", re.sub(r'"[^"]*"', '""', expr)))


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_for(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain, with {found}"
        time.sleep(0.05)
    return found


def test_the_files_are_those_of_the_list(tmp_path):
    subprocess.run([sys.executable, ROOT / "tools" / "write_monitoring.py", "--into", tmp_path], check=True, timeout=60)
    for path in (RULES, DASHBOARD):
        written = tmp_path / path.relative_to(ROOT / "deploy")
        assert path.read_text() == written.read_text(), "run tools/write_monitoring.py and read the difference"


def test_promtool_finds_no_fault_in_the_rules():
    said = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert f"{len(ALERTS) + len(RECORDED)} rules found" in said


def test_promtool_finds_no_fault_in_the_configuration(tmp_path):
    token = tmp_path / "token"
    token.write_text(SECRET)
    shutil.copy(RULES, tmp_path)
    text = (PROMETHEUS / "prometheus.yml").read_text()
    assert text.count("/etc/quantum-mlops/prometheus-token") == 1
    (tmp_path / "prometheus.yml").write_text(text.replace("/etc/quantum-mlops/prometheus-token", str(token)))
    said = promtool("check", "config", tmp_path / "prometheus.yml")
    assert "1 rule files found" in said


def test_the_rules_pass_their_own_tests():
    files = sorted((PROMETHEUS / "tests").glob("*.yml"))
    assert files
    assert promtool("test", "rules", *files).count("SUCCESS") == len(files)


def test_every_alert_is_raised_by_a_test_of_the_rules():
    text = "".join(path.read_text() for path in (PROMETHEUS / "tests").glob("*.yml"))
    assert {rule["alert"] for rule in ALERTS} == set(re.findall(r'alertname="(\w+)"', text))


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_has_words_and_a_page(rule):
    assert rule["labels"]["severity"] in {"info", "warning", "critical"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"]
    page = ROOT / rule["annotations"]["runbook_url"]
    assert page.name == f"{rule['alert']}.md"
    text = page.read_text()
    assert text.startswith(f"# {rule['alert']}\n")
    assert all(f"\n## {part}\n" in text for part in ("First checks", "How to tune it", "What closes it"))


def test_alerts_and_recordings_name_only_metrics_that_exist():
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    for rule in rules:
        assert named_in(rule["expr"])
        assert named_in(rule["expr"]) <= known_names(), rule


def panels():
    return json.loads(DASHBOARD.read_text())["panels"]


def fill_in(expr):
    return expr.replace("$__rate_interval", "5m").replace("$instance", ".*")


def test_every_expression_of_the_dashboard_parses_and_names_metrics_that_exist(tmp_path):
    exprs = [target["expr"] for panel in panels() for target in panel.get("targets", ())]
    for expr in exprs:
        assert named_in(expr)
        assert named_in(expr) <= known_names(), expr
    rules = [{"record": f"dashboard:expr:n{number}", "expr": fill_in(expr)} for number, expr in enumerate(exprs)]
    path = tmp_path / "dashboard.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(exprs)} rules found" in promtool("check", "rules", "--lint=all", "--lint-fatal", path)


def test_the_dashboard_shows_every_metric_and_nothing_twice_in_one_place():
    shown = {name for panel in panels() for target in panel.get("targets", ()) for name in named_in(target["expr"])}
    for metric in METRICS:
        assert metric.name in shown or f"{metric.name}_bucket" in shown or metric.name == "qml_build_info"
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels()]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_the_dashboard_takes_its_source_from_a_variable():
    dashboard = json.loads(DASHBOARD.read_text())
    assert dashboard["uid"] == "quantum-mlops"
    assert [one["type"] for one in dashboard["templating"]["list"]] == ["datasource", "query"]
    used = {target["datasource"]["uid"] for panel in panels() for target in panel.get("targets", ())}
    assert used == {"${DS_PROMETHEUS}"}


class Prometheus:
    """A real one, scraping one daemon twice a second."""

    def __init__(self, folder, target):
        binary = shutil.which("prometheus")
        assert binary, "prometheus is missing: apt-get install prometheus"
        token, config = folder / "token", folder / "prometheus.yml"
        token.write_text(SECRET)
        config.write_text(SCRAPE % (RULES, token, target))
        self.log = (folder / "prometheus.log").open("w+")
        place = f"127.0.0.1:{free_port()}"
        self.process = subprocess.Popen(
            [binary, f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address={place}"],
            stdout=self.log, stderr=self.log,
        )  # fmt: skip
        self.client = httpx.Client(base_url=f"http://{place}/api/v1", trust_env=False, timeout=10)

    def ask(self, path, **parameters):
        try:
            answer = self.client.get(path, params=parameters)
        except httpx.TransportError:
            assert self.process.poll() is None, Path(self.log.name).read_text()
            return None
        return answer.json()["data"] if answer.status_code == 200 else None

    def query(self, expr):
        found = self.ask("/query", query=expr) or {"result": []}
        return {
            tuple(text for name, text in sorted(one["metric"].items()) if name not in {"__name__", "job", "instance"}):
            float(one["value"][1]) for one in found["result"]
        }  # fmt: skip

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        self.client.close()
        self.log.close()


@pytest.fixture
def daemon(tmp_path):
    """Start a real daemon that wants tokens; return its address."""
    (tmp_path / "c.toml").write_text(CONFIG)
    token = Token(name="prometheus", project="*", scopes=["read"], sha256=hash_secret(SECRET))
    write_tokens(tmp_path / "tokens.toml", [token])
    environ = {name: text for name, text in os.environ.items() if not name.startswith("QML_")}
    command = [sys.executable, "-m", "quantum_mlops", "daemon", "--config", str(tmp_path / "c.toml")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ)
    ready = next((line for line in process.stderr if "READY" in line), None)
    assert ready
    yield re.search(r"http=http://(\S+)", ready)[1]
    process.terminate()
    process.communicate(timeout=20)


@pytest.fixture
def prometheus(tmp_path, daemon):
    found = Prometheus(tmp_path, daemon)
    yield found
    found.close()


def emit(folder):
    recorder = Recorder(Settings(spool=str(folder / "state" / "spool"), project="iris"))
    recorder.start()
    for number in range(3):
        job = Job(
            job_id=f"j{number}", backend="ibm_hanoi", provider="ibm", shots_executed=1024, executions=4,
            duration_seconds=2.5, cost=Cost(final=Money(amount="0.25", currency="USD")),
        )  # fmt: skip
        for short in ("created", "completed", "completed"):
            assert recorder.emit(f"job.{short}", job, context={"runid": "r1"})
    assert recorder.emit("metric.logged", MetricLogged(values={"accuracy": 0.1}), context={"runid": "r1"})
    assert recorder.close(5.0)


def test_a_real_prometheus_reads_back_what_happened(tmp_path, daemon, prometheus):
    wait_for(lambda: prometheus.query("up") == {(): 1.0})
    emit(tmp_path)
    job = ("ibm_hanoi", "iris", "ibm")
    wait_for(lambda: prometheus.query("qml_jobs_total") == {(*job, "completed"): 3.0, (*job, "created"): 3.0})
    wait_for(lambda: prometheus.query("qml_findings_open") == {("LowAccuracy/below", "warning"): 1.0})
    assert prometheus.query("qml_job_shots_total") == {job: 3 * 4 * 1024.0}
    assert prometheus.query("qml_job_cost_total") == {("ibm_hanoi", "USD", "iris", "ibm"): 0.75}
    assert prometheus.query("histogram_quantile(0.5, qml_job_duration_seconds_bucket)") == {("ibm_hanoi",): 5.5}
    assert prometheus.query("qml_runs_active") == {("iris",): 1.0}
    told = prometheus.query("qml_events_total")
    assert (told["job.created",], told["job.completed",]) == (3, 6)
    wait_for(lambda: prometheus.query("qml_intake_events_total")[()] >= 10)
    wait_for(lambda: prometheus.query("qml_runner_lag_records") == {("0",): 0.0})
    assert prometheus.query("process_resident_memory_bytes")[()] > 10 * 2**20
    assert prometheus.query("ALERTS") == {}

    target = prometheus.ask("/targets")["activeTargets"][0]
    assert (target["health"], target["lastError"]) == ("up", "")
    kinds = {name: one[0]["type"] for name, one in prometheus.ask("/metadata").items()}
    for metric in METRICS:
        assert kinds[metric.name.removesuffix("_total")] == metric.kind, metric.name

    failed = {
        rule["name"]: rule["lastError"]
        for group in prometheus.ask("/rules")["groups"]
        for rule in group["rules"]
        if rule["health"] == "err"
    }
    assert failed == {}
    for panel in panels():
        for one in panel.get("targets", ()):
            assert prometheus.ask("/query", query=fill_in(one["expr"])) is not None, one["expr"]
    glanced = {
        panel["title"]: prometheus.query(fill_in(panel["targets"][0]["expr"]))
        for panel in panels()
        if panel["type"] == "stat"
    }
    assert all(glanced.values()), glanced
    assert glanced["Daemons up"] == {(): 1.0}
    assert glanced["Findings open"] == {(): 1.0}


def test_promtool_finds_no_fault_in_what_a_daemon_answers(tmp_path, daemon):
    url, headers = f"http://{daemon}/metrics", {"Authorization": f"Bearer {SECRET}"}
    emit(tmp_path)
    body = wait_for(
        lambda: "qml_jobs_total{" in (text := httpx.get(url, headers=headers, trust_env=False).text) and text
    )
    promtool("check", "metrics", stdin=body)
    assert httpx.get(url, trust_env=False).status_code == 401


def test_promtool_would_find_a_fault():
    with pytest.raises(AssertionError, match="qml_camelCase"):
        promtool("check", "metrics", stdin="# TYPE qml_camelCase counter\nqml_camelCase 1\n")
