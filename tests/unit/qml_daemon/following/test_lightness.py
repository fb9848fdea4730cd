import subprocess
import sys


def test_no_sdk_and_no_client_is_imported_before_a_door_is_opened():
    code = (
        "import sys, qml_daemon.runtime, qml_daemon.examination, qml_daemon.following.session\n"
        "from importlib.metadata import entry_points\n"
        "assert 'qml_producers.ibm.door' not in sys.modules\n"
        "[entry.load() for entry in entry_points(group='quantum_mlops.backends')]\n"
        "heavy = {'qiskit', 'qiskit_ibm_runtime', 'braket', 'boto3', 'botocore', 'qiskit_ionq'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
