import copy
import pickle
from concurrent.futures import Future

from qiskit.primitives import BaseSamplerV2, PrimitiveJob, StatevectorEstimator, StatevectorSampler
from qiskit_aer.primitives import SamplerV2

from qml_producers.qiskit.instrumentation import QiskitInstrumentation


def test_a_wrapped_sampler_is_observed_without_any_hook(recorder, events, bell):
    before = SamplerV2.__dict__["run"]
    sampler = QiskitInstrumentation().wrap(recorder, SamplerV2(seed=3))
    assert SamplerV2.__dict__["run"] is before
    assert isinstance(sampler, BaseSamplerV2)
    assert isinstance(sampler, SamplerV2)
    assert sampler.default_shots == 1024
    watched = sampler.run([bell], shots=50).result()[0].data.meas.array.tobytes()
    assert watched == SamplerV2(seed=3).run([bell], shots=50).result()[0].data.meas.array.tobytes()
    assert [event.data.primitive for event in events("job.created")] == ["SamplerV2"]
    assert [event.data.shots for event in events("shots.measured")] == [50]


def test_a_wrapped_sampler_under_autolog_is_reported_once(installed, recorder, events, bell):
    sampler = installed.wrap(recorder, SamplerV2())
    sampler.run([bell], shots=50).result()
    assert len(events("job.created")) == len(events("job.completed")) == len(events("shots.measured")) == 1


def test_estimators_are_wrapped_too(recorder, events):
    from qiskit import QuantumCircuit

    estimator = QiskitInstrumentation().wrap(recorder, StatevectorEstimator())
    estimator.run([(QuantumCircuit(1), "Z")]).result()
    (measured,) = events("shots.measured")
    assert measured.data.expectation.values == [1.0]
    assert measured.data.expectation.standard_errors is None


def test_copies_are_watched_and_pickles_are_the_sampler_itself(recorder, events, bell):
    sampler = QiskitInstrumentation().wrap(recorder, StatevectorSampler(seed=1))
    for again in (copy.copy(sampler), copy.deepcopy(sampler)):
        again.run([bell], shots=5).result()
    assert len(events("job.created")) == 2
    assert type(pickle.loads(pickle.dumps(sampler))) is StatevectorSampler  # noqa: S301 - our own bytes


def test_wrapping_twice_is_wrapping_once_and_other_objects_are_not_ours(recorder):
    instrumentation = QiskitInstrumentation()
    sampler = instrumentation.wrap(recorder, SamplerV2())
    assert instrumentation.wrap(recorder, sampler) is sampler
    assert instrumentation.wrap(recorder, object()) is None


class Remote(BaseSamplerV2):
    """A sampler of a provider that we do not know: its jobs have no future."""

    def run(self, pubs, *, shots=None):
        inner = StatevectorSampler(seed=1).run(pubs, shots=shots)

        class Job:
            def job_id(self):
                return "remote-7"

            def result(self):
                return inner.result()

        return Job()


def test_a_sampler_of_an_unknown_provider_is_observed_through_its_results(recorder, events, bell):
    job = QiskitInstrumentation().wrap(recorder, Remote()).run((pub for pub in [bell]), shots=9)
    assert [event.data.job_id for event in events("job.created")] == ["remote-7"]
    assert events("job.completed") == []
    assert job.result()[0].data.meas.num_shots == 9
    job.result()
    assert [event.data.shots_executed for event in events("job.completed")] == [9]
    assert [event.data.shots for event in events("shots.measured")] == [9]


def test_a_cancelled_job_is_reported_as_cancelled(recorder, events, bell):
    class Queue(BaseSamplerV2):
        def run(self, pubs, *, shots=None):
            job = PrimitiveJob(lambda: None)
            job._future = Future()  # waits for a worker that never comes
            return job

    job = QiskitInstrumentation().wrap(recorder, Queue()).run([bell])
    assert job.cancel()
    (cancelled,) = events("job.cancelled")
    assert cancelled.data.job_id == events("job.created")[0].data.job_id == job.job_id()
    assert cancelled.data.failure is None
