"""`quantum_mlops.wrap(device)`: the same reports, and no class of the SDK is touched."""

import copy

import pytest
from braket.aws import AwsDevice, AwsQuantumTask
from braket.circuits import Circuit
from braket.devices import LocalSimulator
from braket.program_sets import ProgramSet
from braket.tracking.tracking_context import active_trackers

from tests.providers.braket import Script

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


@pytest.fixture
def wrap(recorder, instrumentation):
    before = set(active_trackers())
    yield lambda device: instrumentation.wrap(recorder, device)
    for tracker in active_trackers() - before:
        active_trackers().discard(tracker)
    assert recorder.stats().reasons == {}


def test_a_wrapped_simulator_is_watched_and_its_class_is_not(wrap, events):
    device = wrap(LocalSimulator())
    assert isinstance(device, LocalSimulator)
    assert device.run(Circuit().x(0), shots=5).result().measurement_counts == {"1": 5}
    device.run_batch([Circuit().x(0)], shots=5, max_parallel=1)
    LocalSimulator().run(Circuit().x(0), shots=5)
    assert len(events("job.created")) == len(events("shots.measured")) == 2
    assert wrap(device) is device


def test_a_copy_of_a_wrapped_simulator_is_watched(wrap, events):
    copy.copy(wrap(LocalSimulator())).run(Circuit().x(0), shots=5)
    assert len(events("job.created")) == 1


def test_a_wrapped_device_tells_a_task_in_full(wrap, garnet, sv1, events):
    device = wrap(garnet)
    assert isinstance(device, AwsDevice)
    task = device.run(Circuit().x(0).i(1), shots=100)
    assert type(task) is AwsQuantumTask
    task.result()
    (created,), (queued,), (completed,) = events("job.created"), events("job.queued"), events("job.completed")
    assert created.data.job_id == task.id
    assert created.data.cost.estimated.amount == "0.445"
    assert (created.data.shots_requested, queued.data.queue_position) == (100, 2)
    assert completed.data.cost.final.amount == "0.445"
    assert events("shots.measured")[0].data.outcomes.keys == b"\x01"
    wrap(sv1).run(Circuit().x(0), shots=10).result()
    assert events("job.billed")[0].data.cost.final.amount == "0.00375"


def test_other_devices_stay_unobserved(wrap, garnet, events):
    wrap(garnet).run(Circuit().x(0), shots=5)
    garnet.run(Circuit().x(0), shots=5).result()
    assert len(events("job.created")) == 1
    assert "__wrapped__" not in vars(AwsQuantumTask.create)


def test_a_batch_of_a_wrapped_device_is_many_jobs(wrap, garnet, cloud, events):
    cloud.scripts.append(Script(statuses=("FAILED",)))
    batch = wrap(garnet).run_batch(
        [Circuit().x(0), Circuit().i(0)], shots=[5, 6], max_parallel=1, poll_interval_seconds=0.01
    )
    batch.results(max_retries=0)
    assert sorted(event.data.shots_requested for event in events("job.created")) == [5, 6]
    assert len(events("job.failed")) == len(events("job.completed")) == len(events("shots.measured")) == 1


def test_wrapped_and_hooked_counts_once(wrap, installed, garnet, events):
    device = wrap(garnet)
    device.run(Circuit().x(0), shots=5).result()
    device.run_batch([Circuit().x(0)] * 2, shots=5, poll_interval_seconds=0.01).results()
    device.run(ProgramSet([Circuit().x(0)], shots_per_executable=5)).result()
    assert len(events("job.created")) == len(events("job.completed")) == len(events("shots.measured")) == 4


def test_a_refused_task_of_a_wrapped_device_is_a_failed_job(wrap, garnet, events):
    with pytest.raises(TypeError):
        wrap(garnet).run(object(), shots=5)
    assert events("job.failed")[0].data.failure.code == "TypeError"


def test_what_is_no_device_is_not_ours(wrap):
    assert wrap(object()) is None


def test_a_canary_is_not_ours(recorder, instrumentation):
    assert instrumentation.make_canary(recorder, Circuit().h(0), 1, 10, None) is None
