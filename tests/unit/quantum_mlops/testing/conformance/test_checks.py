"""The suite itself: an instrumentation of a toy SDK that conforms, and one for each way of not conforming."""

import importlib.metadata
import random
import sys
import types
import uuid

import pytest

from qml_producers.observing.hooks import wrap_methods
from quantum_mlops.events import Job
from quantum_mlops.testing.conformance import Subject, cases_of


class Device:
    """A toy SDK: as a package of its own, so that its classes can be told from others."""

    def __init__(self, seed=7):
        self.seed = seed

    def run(self, circuits):
        circuits = list(circuits)
        if not circuits:
            raise ValueError("no circuits")
        return random.Random(self.seed + len(circuits)).random()


Device.__module__ = "toysdk"


@pytest.fixture(autouse=True)
def toysdk(monkeypatch):
    module = types.ModuleType("toysdk")
    module.Device = Device
    monkeypatch.setitem(sys.modules, "toysdk", module)


class Instrumentation:
    name, modules = "toy", ("toysdk",)

    def install(self, recorder, module):
        def run(wrapped, instance, args, kwargs):
            job = Job(job_id=uuid.uuid4().hex)
            try:
                value = self.call(wrapped, instance, args, kwargs)
            except Exception:
                recorder.emit("job.failed", job)
                raise
            self.tell(recorder, job)
            return value

        return wrap_methods([(module.Device, "run", run)])

    def call(self, wrapped, instance, args, kwargs):
        return wrapped(*args, **kwargs)

    def tell(self, recorder, job):
        recorder.emit("job.created", job)
        recorder.emit("job.completed", job)


class ChangesResults(Instrumentation):
    def call(self, wrapped, instance, args, kwargs):
        return wrapped(*args, **kwargs) + 1e-15


class ChangesErrors(Instrumentation):
    def call(self, wrapped, instance, args, kwargs):
        try:
            return wrapped(*args, **kwargs)
        except ValueError as error:
            raise ValueError(f"while watching: {error}") from error


class ReadsTheGenerator(Instrumentation):
    def call(self, wrapped, instance, args, kwargs):
        len(list(args[0]))
        return wrapped(*args, **kwargs)


class TellsTwice(Instrumentation):
    def tell(self, recorder, job):
        super().tell(recorder, job)
        super().tell(recorder, Job(job_id=uuid.uuid4().hex))


class NeverEnds(Instrumentation):
    def tell(self, recorder, job):
        recorder.emit("job.created", job)


class BreaksPickling(Instrumentation):
    def call(self, wrapped, instance, args, kwargs):
        instance.watcher = lambda: None
        return wrapped(*args, **kwargs)


class LosesItself(Instrumentation):
    def tell(self, recorder, job):
        super().tell(recorder, job)
        recorder.report("instrumentation_failed", "job.created", KeyError("ours"))


class StaysForEver(Instrumentation):
    def install(self, recorder, module):
        super().install(recorder, module)
        return lambda: None


SUBJECT = Subject(
    name="toy",
    instrumentation="toy",
    packages=("toysdk",),
    make=Device,
    submit=lambda device: device.run([1, 2]),
    read=lambda value: value,
    submit_generator=lambda device: device.run(iter([1, 2])),
    mistakes={"nothing": lambda device: device.run([])},
)
FAULTS = {
    ChangesResults: {"results", "generator", "copies", "threads", "asyncio", "fork"},
    ChangesErrors: {"mistakes"},
    ReadsTheGenerator: {"generator"},
    TellsTwice: {"results", "generator", "copies", "threads", "asyncio", "fork"},
    NeverEnds: {"results", "generator", "copies", "threads", "asyncio", "fork"},
    BreaksPickling: {"pickling"},
    LosesItself: {"results", "generator", "copies", "threads", "asyncio", "fork"},
    StaysForEver: {"undo"},
}


class Point:
    def __init__(self, kind):
        self.name, self.load = "toy", lambda: kind


def failing(kind, monkeypatch, folder):
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: [Point(kind)])
    original, found = Device.__dict__["run"], set()
    for case in cases_of([SUBJECT]):
        try:
            case(folder / str(case))
        except (AssertionError, ValueError):  # what differs, and what the SDK raises only with us
            found.add(str(case).removeprefix("toy-"))
        finally:
            Device.run = original
    return found


def test_a_good_instrumentation_conforms(monkeypatch, tmp_path):
    assert failing(Instrumentation, monkeypatch, tmp_path) == set()


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.__name__)
def test_each_fault_is_found_by_the_checks_that_name_it(kind, monkeypatch, tmp_path):
    assert failing(kind, monkeypatch, tmp_path) == FAULTS[kind]
