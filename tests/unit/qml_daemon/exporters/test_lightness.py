import subprocess
import sys


def test_neither_the_daemon_nor_the_exporters_rooms_import_mlflow():
    code = (
        "import sys, qml_daemon.runtime, qml_daemon.examination, qml_daemon.exporters.session\n"
        "import qml_daemon.exporters.mlflow.exporter\n"
        "from qml_daemon.exporters.plugins import load_kind\n"
        "load_kind('mlflow')\n"
        "assert 'mlflow' not in sys.modules and 'sqlalchemy' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
