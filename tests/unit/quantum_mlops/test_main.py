import importlib.util
import sys
from types import ModuleType

import pytest

from quantum_mlops import __main__ as command


@pytest.fixture
def cli(monkeypatch):
    module = ModuleType("qml_daemon.cli")
    monkeypatch.setitem(sys.modules, "qml_daemon.cli", module)
    return module


@pytest.mark.parametrize(("answer", "code"), [(None, 0), (0, 0), (2, 2)])
def test_the_command_is_the_daemon_s(cli, answer, code):
    cli.main = lambda: answer
    assert command.main() == code


def test_without_the_daemon_extra_it_says_what_to_install(cli, monkeypatch, capsys):
    cli.main = lambda: pytest.fail("not to be reached")
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in {"typer", "rich"} else real(name))
    assert command.main() == 2
    assert capsys.readouterr().err == (
        "quantum-mlops: the command needs an extra (typer, rich not installed): pip install 'quantum-mlops[daemon]'\n"
    )
