"""Writes what this version leaves on a disk: a store, an outbox and a spool, kept in tests/golden/releases/<version>.

Run once a release; the files of older releases are never written again. `python tools/write_release.py [FOLDER]`.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path

from qml_daemon.configuration import read_config
from qml_daemon.runtime import Daemon
from quantum_mlops.events import Footprint, Job, MetricLogged, Outcomes, RunEnded, RunStarted, ShotsMeasured
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.version import __version__

CONFIG = """
[[rules.threshold]]
name = "LowAccuracy"
metric = "val_accuracy"
below = 0.8
[http]
listen = "off"
[state]
dir = "state"
"""


def emit(spool: Path, run: str, *, ends: bool) -> int:
    """Write a small run with all families of events of the SDK; return how many."""
    recorder = Recorder(Settings(spool=str(spool), project="iris"))
    recorder.start()
    footprint = Footprint(qubits=[0, 1], edges=[(0, 1)], calibration_id="k1:0123456789abcdef")
    job = Job(job_id=f"{run}-1", provider="ibm", backend="ibm_hanoi", primitive="sampler", footprint=footprint)
    canary = ShotsMeasured(
        job_id=f"{run}-1", backend="ibm_hanoi", circuit="c1:" + "0" * 32, shots=100, reference="canary",
        footprint=footprint, outcomes=Outcomes(bits=2, keys=bytes([0, 3]), counts=[50, 50]),
    )  # fmt: skip
    events = [
        ("run.started", RunStarted(name=run)), ("job.created", job), ("job.completed", job), ("canary.measured", canary),
        ("metric.logged", MetricLogged(values={"val_accuracy": 0.9}, nonfinite={"loss": "nan"})),
        ("metric.logged", MetricLogged(values={"val_accuracy": 0.7}, phase="validate")),
    ]  # fmt: skip
    events += [("run.ended", RunEnded(status="completed", duration_seconds=1.0))] if ends else []
    for step, (short, data) in enumerate(events):
        recorder.emit(short, data, context={"runid": run, "step": step})
    recorder.close(10.0)
    return len(events)


def main(target: Path) -> int:
    """Write the files."""
    if target.exists():
        print(f"{target} is there already: what a release left is never written again", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "c.toml").write_text(CONFIG)
        config = read_config(folder / "c.toml", {})
        count = emit(config.spool_dir, "run-1", ends=False)
        daemon = Daemon(config)
        daemon.start()
        deadline = time.monotonic() + 10
        while daemon._step() or time.monotonic() < deadline - 9:  # noqa: SLF001 - the loop without its sleep
            pass
        daemon.close()
        emit(config.spool_dir, "run-2", ends=True)
        target.mkdir(parents=True)
        for name in ("store.sqlite", "outbox.sqlite"):
            shutil.copy2(config.state_dir / name, target / name)
        shutil.copytree(config.spool_dir, target / "spool", ignore=shutil.ignore_patterns(".*"))
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(f"{target}: {count} events in the store, {size / 1024:.0f} KiB")
    return 0


if __name__ == "__main__":
    named = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("tests/golden/releases") / __version__
    raise SystemExit(main(named))
