import functools
import sys
from collections.abc import Iterator

import braket.aws
import braket.devices.local_simulator
import braket.jobs.metrics  # hooked by their names in sys.modules
import pytest

from qml_producers.braket.instrumentation import BraketInstrumentation
from tests.providers.braket import GARNET, SV1, BraketCloud


@pytest.fixture
def instrumentation() -> BraketInstrumentation:
    return BraketInstrumentation()


@pytest.fixture
def installed(recorder, instrumentation) -> Iterator[BraketInstrumentation]:
    """The hooks are in place during the test, and no error of ours was counted at its end."""
    undos = [instrumentation.install(recorder, sys.modules[name]) for name in instrumentation.modules]
    yield instrumentation
    for undo in undos:
        undo()
    assert recorder.stats().reasons == {}


@pytest.fixture(scope="module")
def running() -> Iterator[BraketCloud]:
    """Amazon Braket on this machine; the SDK talks to nobody else. One for a module: a client takes 0.3 s to make."""
    with BraketCloud() as cloud, pytest.MonkeyPatch.context() as patch:
        for name, value in cloud.environ().items():
            patch.setenv(name, value)
        for name in ("QML_PRICES", "AWS_PROFILE", "AWS_SESSION_TOKEN", "AMZN_BRAKET_JOB_TOKEN"):
            patch.delenv(name, raising=False)
        patch.setenv("XDG_CONFIG_HOME", "/nonexistent")
        yield cloud


@pytest.fixture
def cloud(running) -> Iterator[BraketCloud]:
    yield running
    running.reset()


@pytest.fixture(scope="module")
def device_of(running):
    """The user's device by ARN, made once a module."""
    make = functools.cache(braket.aws.AwsDevice)
    yield make
    make.cache_clear()


@pytest.fixture
def garnet(cloud, device_of):
    return device_of(GARNET)


@pytest.fixture
def sv1(cloud, device_of):
    return device_of(SV1)
