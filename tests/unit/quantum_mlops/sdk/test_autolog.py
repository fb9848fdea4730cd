import importlib
import importlib.metadata
import sys

import pytest

from quantum_mlops.sdk.autolog import Autolog
from quantum_mlops.sdk.instrumentation import GROUP


class Spy:
    """An instrumentation that notes what happens to it."""

    def __init__(self, *modules, fault=None):
        self.name = "spy"
        self.modules = modules
        self.fault = fault
        self.installed = []
        self.undone = []

    def install(self, recorder, module):
        if self.fault:
            raise self.fault
        self.installed.append(module.__name__)
        return lambda: self.undone.append(module.__name__)

    def make_canary(self, recorder, circuit, every, shots, name):
        if isinstance(circuit, Exception):
            raise circuit
        return (circuit, every, shots, name) if circuit == "mine" else None


@pytest.fixture
def handle(recorder):
    handle = Autolog(recorder)
    yield handle
    handle()


@pytest.fixture
def sdk(tmp_path, monkeypatch):
    """Make an importable quantum SDK of two modules; returns their names."""
    monkeypatch.syspath_prepend(tmp_path)
    name = f"sdk_{tmp_path.name.replace('-', '_')}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("value = 1\n")
    (tmp_path / name / "primitives.py").write_text("value = 2\n")
    yield name, f"{name}.primitives"
    for module in (name, f"{name}.primitives"):
        sys.modules.pop(module, None)


def test_what_is_imported_is_hooked_now_and_the_rest_when_it_is_imported(handle, sdk):
    importlib.import_module(sdk[0])
    spy = Spy(*sdk)
    handle.add(spy)
    assert spy.installed == [sdk[0]]
    importlib.import_module(sdk[1])
    assert spy.installed == list(sdk)


def test_undo_is_last_first_idempotent_and_ends_hooks_to_come(handle, sdk):
    importlib.import_module(sdk[0])
    first, second, later = Spy(sdk[0]), Spy(sdk[0]), Spy(sdk[1])
    order = first.undone = second.undone = []
    for spy in (first, second, later):
        handle.add(spy)
    handle()
    handle()
    assert order == [sdk[0], sdk[0]]
    importlib.import_module(sdk[1])
    assert later.installed == []


def test_a_module_that_installing_imports_is_hooked_when_the_first_is_done(handle, sdk):
    spy, order = Spy(*sdk), []

    def install(recorder, module):
        order.append(f"begin {module.__name__}")
        importlib.import_module(sdk[1])
        order.append(f"end {module.__name__}")
        return lambda: None

    spy.install = install
    handle.add(spy)
    importlib.import_module(sdk[0])
    assert order == [f"{when} {name}" for name in sdk for when in ("begin", "end")]


def test_a_module_that_is_absent_is_never_imported(handle):
    handle.add(Spy("no_such_sdk_at_all"))
    assert "no_such_sdk_at_all" not in sys.modules


def test_an_instrumentation_that_fails_is_one_line_and_the_import_goes_on(handle, sdk, capsys):
    spy, good = Spy(*sdk, fault=AttributeError("SamplerV2 is gone")), Spy(*sdk)
    handle.add(spy)
    handle.add(good)
    module = importlib.import_module(sdk[1])
    assert module.value == 2
    assert good.installed == list(sdk)
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == (f"quantum-mlops: instrumentation spy does not fit {sdk[1]}: AttributeError: SamplerV2 is gone")


def test_an_undo_that_fails_does_not_keep_the_others(handle, sdk, capsys):
    importlib.import_module(sdk[0])
    good, bad = Spy(sdk[0]), Spy(sdk[0])
    bad.install = lambda recorder, module: lambda: 1 / 0
    handle.add(good)
    handle.add(bad)
    handle()
    assert good.undone == [sdk[0]]
    assert "cannot be undone: ZeroDivisionError" in capsys.readouterr().err


def test_an_entry_point_that_cannot_be_loaded_is_one_line(handle, monkeypatch, capsys):
    points = [
        importlib.metadata.EntryPoint("broken", "no_such_module_at_all:Thing", GROUP),
        importlib.metadata.EntryPoint("odd", "quantum_mlops.sdk.notice:say", GROUP),
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda *, group: points)
    handle.load()
    err = capsys.readouterr().err
    assert err.count("\n") == 2
    assert "instrumentation broken cannot be loaded: ModuleNotFoundError" in err


def test_the_handle_is_a_context_manager(recorder, sdk):
    importlib.import_module(sdk[0])
    spy = Spy(sdk[0])
    with Autolog(recorder) as handle:
        handle.add(spy)
    assert spy.undone == [sdk[0]]
    assert not handle.active


def test_a_canary_is_made_by_the_first_that_takes_the_circuit(handle):
    handle.add(Spy())
    assert handle.make_canary("mine", 2, 100, "ghz") == ("mine", 2, 100, "ghz")
    assert handle.make_canary("foreign", 2, 100, None) is None


def test_an_instrumentation_whose_sdk_is_not_installed_leaves_objects_to_the_others(handle):
    class Lacking(Spy):
        def make_canary(self, *given):
            raise ModuleNotFoundError("No module named 'sdk'")

        def wrap(self, *given):
            raise ModuleNotFoundError("No module named 'sdk'")

    class Having(Spy):
        def wrap(self, recorder, primitive):
            return [primitive]

    handle.instrumentations += [Lacking(), Having()]
    assert handle.wrap("mine") == ["mine"]
    assert handle.make_canary("mine", 1, 2, "name") == ("mine", 1, 2, "name")
