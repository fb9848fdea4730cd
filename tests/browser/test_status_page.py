"""The status page of a real daemon in a real Chromium, wide and narrow: what it shows, and that it asks nobody else."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from qml_daemon.status import read_status
from quantum_mlops.events import Footprint, Job, MetricLogged, Outcomes, RunStarted, ShotsMeasured
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings

CONFIG = """
[[rules.threshold]]
name = "LowAccuracy"
metric = "val_accuracy"
below = 0.8
[state]
dir = "state"
[http]
listen = "127.0.0.1:0"
"""
SIZES = {"wide": (1280, 800), "narrow": (390, 844)}


class Place:
    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        (folder / "c.toml").write_text(CONFIG)
        environ = {name: text for name, text in os.environ.items() if not name.startswith("QML_")}
        command = [sys.executable, "-m", "quantum_mlops", "daemon", "--config", str(folder / "c.toml")]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ)
        assert any("READY" in line for line in iter(self.process.stderr.readline, ""))
        self.address = read_status(self.state / "status.json").http

    def emit(self, *events) -> None:
        recorder = Recorder(Settings(spool=str(self.state / "spool"), project="iris"))
        recorder.start()
        for short, data, step in events:
            assert recorder.emit(short, data, context={"runid": "run-1", "step": step})
        assert recorder.close(5.0)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    found = Place(tmp_path_factory.mktemp("page"))
    yield found
    found.process.send_signal(signal.SIGTERM)
    found.process.communicate(timeout=15)


@pytest.fixture(scope="module")
def browser():
    executable = shutil.which("chromium")
    assert executable, "Chromium is needed: apt-get install chromium"
    with sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield made
        made.close()


@pytest.fixture(params=SIZES)
def page(request, browser, place):
    width, height = SIZES[request.param]
    context = browser.new_context(viewport={"width": width, "height": height}, bypass_csp=False)
    made = context.new_page()
    made.asked, made.errors = [], []
    made.on("request", lambda asked: made.asked.append(asked.url))
    made.on("console", lambda said: made.errors.append(said.text) if said.type == "error" else None)
    made.on("pageerror", lambda error: made.errors.append(str(error)))
    yield made
    context.close()


def some_events():
    footprint = Footprint(qubits=[0, 1], edges=[(0, 1)], calibration_id="k1:0123456789abcdef")
    job = Job(job_id="job-1", provider="ibm", backend="ibm_hanoi", primitive="sampler", footprint=footprint)
    canary = ShotsMeasured(
        job_id="job-1", backend="ibm_hanoi", circuit="c1:" + "0" * 32, shots=100, reference="canary",
        footprint=footprint, outcomes=Outcomes(bits=2, keys=bytes([0, 3]), counts=[50, 50]),
    )  # fmt: skip
    metrics = [
        ("metric.logged", MetricLogged(values={"val_accuracy": 0.9 - step / 50}, phase="validate"), step)
        for step in range(9)
    ]
    return [
        ("run.started", RunStarted(name="vqc <b>bold</b>"), None), ("job.created", job, 0), ("job.completed", job, 0),
        ("canary.measured", canary, 0), *metrics,
    ]  # fmt: skip


def test_the_page_shows_what_there_is_and_what_comes_without_a_request_to_anybody_else(page, place):
    page.goto(place.address + "/")
    expect(page.locator("#service")).to_contain_text("up since")
    place.emit(*some_events())
    expect(page.locator("#firing .card")).to_contain_text("val_accuracy is 0.78, below 0.8", timeout=15_000)
    runs = page.locator("#runs tbody tr").first
    expect(runs).to_contain_text("vqc <b>bold</b>")  # a user's text is text
    expect(runs).to_contain_text("val_accuracy 0.74")
    expect(runs.locator("svg.spark path")).to_have_attribute("d", re.compile("^M0.0,"))
    backends = page.locator("#backends tbody tr").first
    expect(backends).to_contain_text("ibm_hanoi")
    expect(backends).to_contain_text("1 completed")
    expect(page.locator("#findings tbody tr").first).to_contain_text("LowAccuracy/below")
    assert (
        "`[[rules.threshold]]`"
        in page.request.get(place.address + page.locator("#findings a").first.get_attribute("href")).text()
    )
    expect(page.locator("#lag")).to_contain_text("0 behind", timeout=20_000)
    assert page.errors == []
    assert {url.split("/")[2] for url in page.asked} == {place.address.split("/")[2]}


def test_nothing_is_wider_than_the_window(page, place):
    page.goto(place.address + "/")
    expect(page.locator("#runs tbody tr").first).to_be_visible()
    expect(page.locator("body")).to_have_attribute("data-shown", re.compile("T"))
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.errors == []


def test_a_daemon_that_stopped_is_said(browser, tmp_path):
    place = Place(tmp_path)
    context = browser.new_context()
    page = context.new_page()
    page.goto(place.address + "/")
    expect(page.locator("#service")).to_contain_text("up since")
    place.process.send_signal(signal.SIGTERM)
    place.process.communicate(timeout=15)
    page.evaluate("refresh()")
    expect(page.locator("#service")).to_contain_text("not reached")
    context.close()


def test_what_is_to_be_said_of_an_exporter_and_of_the_follower_is_on_the_page(page, place):
    note = "run iris/r1 tracks at http://elsewhere:5000, the exporter sends to http://here:5000"

    def answer(route):
        body = route.fetch().json()
        body["remarks"] = [
            {"name": "mlflow", "verdict": "ok", "text": "http://here:5000: 0 records behind"},
            {"name": "mlflow", "verdict": "note", "text": note},
            {"name": "follower", "verdict": "ok", "text": "2 open jobs"},
        ]
        route.fulfill(json=body)

    page.route("**/api/v1/status", answer)
    page.goto(place.address + "/")
    rows = page.locator("#lag dd")
    expect(page.locator("#lag dt", has_text="Exporter mlflow")).to_have_count(2)
    expect(page.locator("#lag dt", has_text="Follower")).to_have_count(1)
    expect(rows.filter(has_text="0 records behind")).to_have_count(1)
    expect(rows.filter(has_text=note)).to_have_class("warning-text")
    assert page.errors == []
