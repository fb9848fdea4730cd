"""Forty real training runs on quiet qubits and without change: CircuitDrift opens no more often than declared.

Real in every part: the training script, Aer's shots without a seed, spool, intake, runner. About half a
minute a run.
"""

import os
import subprocess
import sys

import pytest

from qml_daemon.intake.adoption import this_host
from qml_daemon.intake.intake import Intake
from qml_processors.runner import Runner, load_processors
from quantum_mlops.clock import system_clock
from quantum_mlops.stats import count_limits
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.memory import MemoryLog

RUNS = 40
STEPS = 180
QUIET = ("--qubits", "19-22-25-24")
UNCHANGED = ("--after", "none")


def findings_of(folder):
    log = MemoryLog()
    intake, runner = Intake(log, folder, system_clock, this_host()), Runner(log, load_processors())
    runner.open(0)
    while intake.poll(500) + runner.process_batch(500):
        pass
    records = log.read(Stream.FINDINGS, 0, 0, 10_000)
    canaries = sum(
        record.event.type.endswith("canary.measured.v1") for record in log.read(Stream.EVENTS, 0, 0, 10_000_000)
    )
    return canaries, [record.event.data.rule for record in records]


@pytest.mark.soak
def test_forty_real_quiet_runs_open_no_more_often_than_declared(tmp_path):
    opened = 0
    for run in range(RUNS):
        folder = tmp_path / f"spool-{run}"
        arguments = QUIET if run % 2 else UNCHANGED
        subprocess.run(
            [sys.executable, "-m", "qml_daemon.demo.train", "--seed", str(run), *arguments],
            env={**os.environ, "QML_SPOOL_DIR": str(folder)}, check=True, capture_output=True, timeout=300,
        )  # fmt: skip
        canaries, rules = findings_of(folder)
        assert canaries >= STEPS
        opened += "CircuitDrift" in rules
    _, most = count_limits(RUNS, 1 - (1 - 1e-4) ** STEPS, 0.99)
    assert opened <= most
