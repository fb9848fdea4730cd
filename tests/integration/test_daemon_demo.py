"""`quantum-mlops demo`: a real training job, a device that goes bad, the alert, its end; nothing is faked."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "quantum_mlops"]


@pytest.mark.timeout(180)
def test_the_demo_shows_the_alert_and_its_end_and_a_replay_finds_the_same(tmp_path: Path) -> None:
    environ = {name: text for name, text in os.environ.items() if not name.startswith("QML_")}
    folder = tmp_path / "demo"
    demo = [*COMMAND, "demo", "--dir", str(folder), "--change-at", "25", "--seed", "3"]
    done = subprocess.run(demo, capture_output=True, text=True, env=environ, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = " ".join(done.stdout.split())
    for said in (
        "the device has another calibration since canary 26",
        "[FIRING] CircuitDrift on ibm_hanoi",
        "[RESOLVED] CircuitDrift on ibm_hanoi",
        "Minimum effect",
        "Calibration before",
        "Calibration after",
        "Changed calibrations",
        "The alert came, and was resolved after the recovery",
        "accuracy: train",
    ):
        assert said in shown, said

    messages = [json.loads(line)["message"] for line in (folder / "messages.jsonl").read_text().splitlines()]
    assert [message["text"].split("]")[0] for message in messages] == ["[FIRING", "[RESOLVED"]
    config = ["--config", str(folder / "quantum-mlops.toml")]
    replayed = subprocess.run([*COMMAND, "replay", *config], capture_output=True, text=True, env=environ, timeout=60)
    assert (replayed.returncode, replayed.stdout.splitlines()[-1].split(" (")[0]) == (0, "identical: 2 of 2")
    assert len((folder / "messages.jsonl").read_text().splitlines()) == 2

    ids = {line.split(" ")[3] for line in replayed.stdout.splitlines()[:-1]}
    shows = [*COMMAND, "alerts", "show", ids.pop()[:12], *config]
    evidence = subprocess.run(shows, capture_output=True, text=True, env=environ, check=True).stdout
    assert "Changed calibrations:" in evidence
    assert evidence.count("demo (slack) sent at") == 2
    assert sorted(place.name for place in folder.iterdir()) == [
        "daemon.log", "messages.jsonl", "quantum-mlops.toml", "receiver.log", "slack-url", "spool", "state", "training.log",
    ]  # fmt: skip
