import subprocess
import sys

HEAVY = (
    "numpy", "scipy", "pandas", "qiskit", "qiskit_aer", "pennylane", "cirq", "braket", "mlflow", "aiokafka",
    "sqlite3", "asyncio", "http.client", "ssl", "logging", "subprocess", "multiprocessing", "importlib.metadata", "wrapt",
    "typer", "rich", "httpx", "qml_daemon", "qml_producers", "qml_processors",
)  # fmt: skip


def loaded(code):
    names = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print(*sys.modules)"], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()  # fmt: skip
    return set(names)


def test_importing_the_package_loads_nothing_heavy():
    bare = loaded("pass")
    assert (loaded("import quantum_mlops") - bare) & set(HEAVY) == set()


def test_recording_loads_nothing_heavy_either(tmp_path):
    code = f"import quantum_mlops as q; q.autolog(target='spool:{tmp_path}')"
    allowed = {
        "asyncio",
        "ssl",
        "importlib.metadata",
        "wrapt",
        "logging",
        "subprocess",
        "qml_producers",
    }  # of wrapt and entry points
    assert (loaded(code) - loaded("pass")) & set(HEAVY) <= allowed


def test_importing_starts_no_thread_and_touches_no_file(tmp_path):
    code = "import threading, os, quantum_mlops; assert threading.active_count() == 1"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env={"QML_STATE_DIR": str(tmp_path / "state")})
    assert not (tmp_path / "state").exists()
