"""The main job on devices and dates that the demo itself does not use, through the real command.

What must come was written down beforehand: True where an alert is due, with its backend and qubits.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).parent / "quantum-mlops"
CASES = {
    "qubit 7 loses its T1": (["--qubits", "1-4-7-10", "--after", "2025-02-12"], "ibm_hanoi", "1-4-7-10", True),
    "sherbrooke": (
        ["--backend", "sherbrooke", "--qubits", "37-38-39-40", "--before", "2024-04-16", "--after", "2025-02-26"],
        "ibm_sherbrooke", "37-38-39-40", True,
    ),
    "quiet qubits": (["--qubits", "19-22-25-24"], "ibm_hanoi", "19-22-25-24", False),
    "no change": (["--change-at", "never"], "ibm_hanoi", "0-1-2-3", False),
}  # fmt: skip


def run(*arguments, timeout=180):
    return subprocess.run(
        [COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=timeout,
        env={name: value for name, value in os.environ.items() if not name.startswith("QML_")},
    )  # fmt: skip


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", CASES)
def test_the_demo_finds_what_must_be_found_and_nothing_else(name, tmp_path):
    options, backend, qubits, due = CASES[name]
    change = [] if "--change-at" in options else ["--change-at", "40"]
    folder = tmp_path / "demo"
    done = run("demo", "--dir", str(folder), *options, *change)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\x1b[" not in done.stdout, "colours are off when piped"
    alerts = json.loads(run("alerts", "--json", "--config", str(folder / "quantum-mlops.toml")).stdout)["alerts"]
    drift = [alert for alert in alerts if alert["rule"] == "CircuitDrift"]
    assert len(drift) == due
    if not due:
        return
    (alert,) = drift
    assert (alert["labels"]["backend"], alert["labels"]["qubits"]) == (backend, qubits)
    assert alert["status"] == "resolved"
    assert alert["details"]["changed_calibrations"], "the changed calibration values are ranked"
    opened = re.search(r"opened on canary (\d+) after the change", done.stdout)
    assert opened is not None
    assert int(opened[1]) <= 5
    assert "[FIRING]" in done.stdout
    assert "[RESOLVED]" in done.stdout
