"""A recorder on a folder of its own, and what it wrote."""

import subprocess
import sys

import pytest

from quantum_mlops.events import short_name
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.spool.reader import read_folder


@pytest.fixture
def spool(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def recorder(spool):
    recorder = Recorder(Settings(spool=str(spool), project="iris"))
    yield recorder
    recorder.close()


@pytest.fixture
def written(recorder, spool):
    """Close the recorder and return its events, all or those of one type."""

    def read(kind=None):
        recorder.close()
        return [event for event in read_folder(spool) if kind is None or kind in (event.type, short_name(event.type))]

    return read


@pytest.fixture
def script(tmp_path):
    """Run a program in an interpreter of its own, with its own state folder."""

    def run(code, *arguments, prefix=(), **environment):
        path = tmp_path / "program.py"
        path.write_text(code)
        return subprocess.run(
            [*prefix, sys.executable, str(path), *map(str, arguments)],
            env={"PATH": "/usr/bin:/bin", "QML_STATE_DIR": str(tmp_path / "state")} | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
