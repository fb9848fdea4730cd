"""Try an installed wheel: the emitter alone (bare), or a watched job, the demo and a replay (full)."""

import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent.parent


def main() -> None:
    """Run what the argument names; any failure is an exception."""
    if Path.cwd() == HERE or str(HERE) in sys.path:
        raise SystemExit("run me away from the checkout, so that the wheel is what is imported")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["QML_SPOOL_DIR"] = folder
        {"bare": try_bare, "full": try_full}[sys.argv[1]](Path(folder))
    names = ("msgspec", "qiskit", "qiskit-aer", "numpy", "scipy") if sys.argv[1] == "full" else ("msgspec", "wrapt")
    print(f"  ok: Python {sys.version.split()[0]},", ", ".join(f"{name} {version(name)}" for name in names))


def command(*arguments: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """Run the console script that was installed beside this interpreter."""
    script = Path(sys.executable).parent / "quantum-mlops"
    return subprocess.run([script, *arguments], capture_output=True, text=True, check=False, timeout=seconds)


def try_bare(folder: Path) -> None:
    """Emit without any extra; the command says what to install."""
    import quantum_mlops  # noqa: PLC0415 - after the environment is set

    with quantum_mlops.run("smoke"):
        quantum_mlops.log_metrics({"loss": 0.5}, step=1)
    expect(quantum_mlops.flush(5.0), "flush in time")
    expect(sum(path.stat().st_size for path in folder.iterdir()) > 0, "a spool")
    done = command("daemon")
    expect(done.returncode == 2, f"exit code 2, got {done.returncode}")  # noqa: PLR2004
    expect("pip install" in done.stderr and "Traceback" not in done.stderr, f"what to install: {done.stderr}")


def try_full(folder: Path) -> None:
    """Watch a job on a recorded device; compare circuit identities with the golden ones."""
    from qiskit import QuantumCircuit  # noqa: PLC0415
    from qiskit.transpiler import generate_preset_pass_manager  # noqa: PLC0415
    from qiskit_aer.primitives import SamplerV2  # noqa: PLC0415

    import quantum_mlops  # noqa: PLC0415
    from quantum_mlops.spool.reader import read_folder  # noqa: PLC0415
    from quantum_mlops.testing import RecordedDevice  # noqa: PLC0415

    device = RecordedDevice.load("hanoi", "2021-12-09")
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    isa_circuit = generate_preset_pass_manager(backend=device, initial_layout=[0, 1], seed_transpiler=1).run(circuit)
    quantum_mlops.autolog(project="smoke")
    with quantum_mlops.run("smoke"):
        quantum_mlops.canary(isa_circuit, every=1, shots=256)
        SamplerV2.from_backend(device).run([isa_circuit], shots=256).result()
    expect(quantum_mlops.flush(5.0), "flush in time")
    types = {event.type.split(".", 1)[1] for event in read_folder(folder)}
    wanted = {
        "run.started.v1",
        "job.completed.v1",
        "shots.measured.v1",
        "canary.measured.v1",
        "calibration.snapshot.v1",
    }
    expect(wanted <= types, f"{wanted - types} among {types}")
    done = command("doctor", "--json")
    expect(done.returncode in {0, 1} and json.loads(done.stdout), f"doctor: {done.stdout} {done.stderr}")
    expect(command("--help").returncode == 0, "help")
    from qml_daemon.manual import read_pages  # noqa: PLC0415

    expect(b"CircuitDrift" in read_pages().get("CircuitDrift", b""), "the pages on alerts in the wheel")
    try_demo()


def try_demo() -> None:
    """Run daemon, processors and notifier over a device that changes; the stored log gives the same findings."""
    del os.environ["QML_SPOOL_DIR"]  # the demo has a spool of its own
    with tempfile.TemporaryDirectory() as folder:
        done = command("demo", "--dir", folder, "--change-at", "25", seconds=170)
        told = f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        expect(done.returncode == 0, f"the demo to end with 0, got {done.returncode}: {told}")
        expect("[FIRING]" in done.stdout and "[RESOLVED]" in done.stdout, f"an alert that opens and closes: {told}")
        done = command("replay", "--config", str(Path(folder) / "quantum-mlops.toml"))
        expect(done.returncode == 0, f"a replay with the same findings: {done.stdout[-3000:]} {done.stderr[-3000:]}")


def expect(held: object, what: str) -> None:
    """Raise if something that must hold does not."""
    if not held:
        raise SystemExit(f"wheel smoke test: expected {what}")


if __name__ == "__main__":
    main()
