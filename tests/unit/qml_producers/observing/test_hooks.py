import copy
import pickle
import sys

import pytest

from qml_producers.observing.hooks import wrap_methods

COPIES = [
    lambda each: pickle.loads(pickle.dumps(each)),  # noqa: S301 - what we made ourselves
    copy.copy,
    copy.deepcopy,
]


class Device:
    """A class of an SDK."""

    def __init__(self, name="device"):
        self.name = name

    def run(self, number):
        return self.name, number

    @staticmethod
    def create(number):
        return number

    @classmethod
    def named(cls, number):
        return cls.__name__, number


class Derived(Device):
    """A class of the user's."""


Device.__module__ = Derived.__module__ = "tests_hooked_classes"


@pytest.fixture
def calls(monkeypatch):
    seen: list[str] = []
    monkeypatch.setitem(sys.modules, "tests_hooked_classes", sys.modules[__name__])

    def wrapper(wrapped, _instance, args, kwargs):
        seen.append(wrapped.__name__)
        return wrapped(*args, **kwargs)

    undo = wrap_methods([(Device, name, wrapper) for name in ("run", "create", "named")])
    yield seen
    undo()


@pytest.mark.parametrize(
    "method",
    [
        lambda: Device("mine").run,
        lambda: Derived("mine").run,
        lambda: Device.create,
        lambda: Derived.create,
        lambda: Device.named,
        lambda: Derived.named,
        lambda: Device().named,
    ],
)
@pytest.mark.parametrize("copied", COPIES)
def test_a_hooked_method_pickles_and_copies_as_the_method_itself(calls, method, copied):
    assert copied(method())(3) == method()(3)
    assert len(calls) == 2


@pytest.mark.parametrize("copied", COPIES)
def test_a_hooked_method_taken_from_its_class_pickles_and_copies(calls, copied):
    assert copied(Device.run)(Device("mine"), 3) == ("mine", 3)
    assert calls == ["run"]


def test_a_deep_copy_of_an_object_that_holds_its_own_method_is_whole(calls):
    device = Device("mine")
    device.method = device.run
    twin = copy.deepcopy(device)
    twin.name = "twin"
    assert twin.method(1) == ("twin", 1)
    assert device.method(1) == ("mine", 1)
    assert calls == ["run", "run"]
