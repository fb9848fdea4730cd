"""Choosing the engine: faust is imported only where it is wanted, and takes nothing from our command line."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from qml_processors.worker.engines import make_delivery
from quantum_mlops.errors import MissingExtraError
from quantum_mlops.transports.kafka.settings import KafkaSettings

IMPORT = """
import asyncio, os, sys
import qml_daemon.worker.process
assert "faust" not in sys.modules
before = type(asyncio.get_event_loop_policy())
from qml_processors.worker import engines
engines._import_faust_delivery()
assert "faust" in sys.modules
assert "mode.loop" not in sys.modules
assert type(asyncio.get_event_loop_policy()) is before
print(sys.argv[1:], os.environ["F_LOOP"], os.environ.get("FAUST_LOOP"), os.environ.get("FAUST_DATADIR"))
"""


def test_faust_reads_neither_our_command_line_nor_the_environment():
    words = ["--datadir", "elsewhere", "--loop", "gevent"]
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, *words], capture_output=True, text=True, env={**os.environ, "F_LOOP": "gevent"}
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{words} gevent None None"


def test_without_the_extra_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "faust", None)
    monkeypatch.delitem(sys.modules, "qml_processors.worker.faust_delivery", raising=False)
    settings = KafkaSettings(bootstrap_servers=("127.0.0.1:1",), engine="faust")
    with pytest.raises(MissingExtraError, match=r"pip install 'quantum-mlops\[faust\]'"):
        make_delivery(settings, SimpleNamespace(loop=None), None)
