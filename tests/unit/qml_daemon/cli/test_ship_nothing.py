import subprocess
import sys


def ship(*words):
    command = [sys.executable, "-m", "quantum_mlops", "ship", "--target", "http://127.0.0.1:9", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_once_where_nothing_was_ever_written_is_done(tmp_path):
    done = ship("--once", "--spool", str(tmp_path / "spool"))
    assert (done.returncode, "nothing was ever written here" in done.stderr) == (0, True)


def test_a_folder_that_cannot_be_meant_is_a_mistake(tmp_path):
    assert ship("--once", "--spool", str(tmp_path / "no" / "such")).returncode == 2
    assert ship("--spool", str(tmp_path / "spool")).returncode == 2
