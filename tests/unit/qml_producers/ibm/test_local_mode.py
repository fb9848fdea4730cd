"""Local mode: one call of the user's is one job, whatever runs inside it."""

import pickle
import warnings

import numpy as np
import pytest
from qiskit.circuit.library import real_amplitudes
from qiskit.quantum_info import SparsePauliOp
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer import AerSimulator
from qiskit_ibm_runtime import EstimatorV2, Executor, QuantumProgram, SamplerV2, Session
from qiskit_ibm_runtime.base_primitive import BasePrimitiveV2
from qiskit_ibm_runtime.executor_estimator import Estimator
from qiskit_ibm_runtime.executor_sampler import Sampler
from qiskit_ibm_runtime.fake_provider import FakeManilaV2
from qiskit_ibm_runtime.fake_provider.local_runtime_job import LocalRuntimeJob
from qiskit_ibm_runtime.session import Session as SessionClass

pytestmark = pytest.mark.filterwarnings(
    "ignore:The (Sampler|Estimator)V2 class is deprecated:DeprecationWarning",
    "ignore:Options {.*} have no effect in local testing mode:UserWarning",
)


def quick(name):
    """A backend without noise, where that is enough."""
    return BACKENDS["fake" if name == "Estimator" else "aer"]()


VALUES = np.linspace(-1.0, 1.0, 4)
PRIMITIVES = {"SamplerV2": SamplerV2, "EstimatorV2": EstimatorV2, "Sampler": Sampler, "Estimator": Estimator}
BACKENDS = {"fake": FakeManilaV2, "aer": lambda: AerSimulator(max_parallel_threads=1)}
CASES = [(name, kind) for name in PRIMITIVES for kind in BACKENDS if (name, kind) != ("Estimator", "aer")]
# the executor's estimator twirls all 29 qubits of a bare AerSimulator, and does not finish


def make(name, mode):
    return PRIMITIVES[name](mode, options={"simulator": {"seed_simulator": 7}})


def pub(name, backend):
    circuit = real_amplitudes(2, reps=1)
    if "Sampler" in name:
        circuit.measure_all()
    passes = generate_preset_pass_manager(1, backend=backend, seed_transpiler=1, initial_layout=[0, 1])
    circuit = passes.run(circuit)
    if "Sampler" in name:
        return circuit, VALUES
    return circuit, SparsePauliOp("ZX").apply_layout(circuit.layout, circuit.num_qubits), VALUES


def run(primitive, pubs, name):
    return primitive.run(pubs, **({"shots": 200} if "Sampler" in name else {"precision": 0.1}))


def values(result):
    return [
        each.data.meas.array.tobytes() if "meas" in each.data else (float(each.data.evs), float(each.data.stds))
        for each in result
    ]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_results_are_bitwise_those_without_us_and_each_call_is_one_job(name, kind, watching, recorder, events, kinds):
    backend = BACKENDS[kind]()

    def work():
        job = run(make(name, backend), [pub(name, backend)], name)
        return job, values(job.result())

    _, bare = work()
    watching()
    job, watched = work()
    assert watched == bare
    assert kinds() == ["job.completed", "job.created", "shots.measured"]
    (created,), (measured,) = events("job.created"), events("shots.measured")
    assert [event.data.job_id for event in events("job.created", "job.completed")] == [job.job_id()] * 2
    assert (created.data.primitive, created.data.backend) == (name, backend.name)
    assert created.data.provider == {"fake": "qiskit_ibm_runtime", "aer": "qiskit_aer"}[kind]
    assert created.data.circuits[0].identity == measured.data.circuit
    assert created.data.circuits[0].source_identity is not None
    assert measured.data.parameters is not None
    assert measured.data.shots > 0
    if "Sampler" in name:
        assert created.data.shots_requested == measured.data.shots == 200
    assert recorder.stats().reasons == {}


def outcome(call):
    try:
        return "returned", repr(call())
    except Exception as error:  # noqa: BLE001
        return type(error), str(error)


MISTAKES = {
    "no pubs": lambda primitive, _: primitive.run(),
    "not iterable": lambda primitive, _: primitive.run(5),
    "unbound": lambda primitive, pubs: primitive.run([pubs[0][:-1]]).result(),
    "too many values": lambda primitive, pubs: primitive.run([(*pubs[0][:-1], np.zeros(9))]),
    "nothing": lambda primitive, _: primitive.run([]).result(),
}


@pytest.mark.parametrize("name", PRIMITIVES)
def test_mistakes_raise_what_they_raise_without_us(name, watching, recorder, events):
    backend = quick(name)
    pubs = [pub(name, backend)]

    def work():
        return {what: outcome(lambda call=call: call(make(name, backend), pubs)) for what, call in MISTAKES.items()}

    bare = work()
    watching()
    assert {what: found for what, found in work().items() if bare[what][0] != "returned"} == {
        what: found for what, found in bare.items() if found[0] != "returned"
    }
    ends = [event.data.job_id for event in events("job.completed", "job.failed", "job.cancelled")]
    assert len(ends) == len(set(ends)) == len(MISTAKES)
    assert recorder.stats().reasons == {}


@pytest.mark.parametrize("name", PRIMITIVES)
def test_a_job_whose_result_nobody_reads_has_ended_all_the_same(name, installed, events, kinds):
    backend = quick(name)
    job = run(make(name, backend), (each for each in [pub(name, backend)]), name)
    job._future.result()
    while not events("job.completed"):
        pass
    measured = ["shots.measured"] if name.endswith("V2") else []  # the executor's are decoded when they are read
    assert kinds() == ["job.completed", "job.created", *measured]


@pytest.mark.parametrize("name", PRIMITIVES)
def test_jobs_pickle_as_without_us(name, watching):
    backend = quick(name)

    def work():
        job = run(make(name, backend), [pub(name, backend)], name)
        return outcome(lambda: type(pickle.loads(pickle.dumps(job))))  # noqa: S301 - our own bytes

    bare = work()
    watching()
    assert work() == bare


def test_an_error_in_a_job_is_the_users_and_told_once(installed, events, monkeypatch):
    backend = quick("SamplerV2")
    jobs = []
    for name, inner in (
        ("SamplerV2", "qiskit.primitives.backend_sampler_v2.BackendSamplerV2._run"),
        ("Sampler", "qiskit_aer.primitives.SamplerV2.run"),
    ):

        def broken(*_args, **_options):
            raise LookupError("planted")

        monkeypatch.setattr(inner, broken)
        jobs.append(run(make(name, backend), [pub(name, backend)], name))
        for _ in range(2):
            with pytest.raises(LookupError, match="planted"):
                jobs[-1].result()
    failed = events("job.failed", "job.completed")
    assert [event.data.job_id for event in failed] == [job.job_id() for job in jobs]
    assert [event.data.failure.code for event in failed] == ["LookupError"] * 2


def test_a_session_on_a_fake_backend_is_none_of_the_service(installed, events):
    backend = FakeManilaV2()
    with Session(backend=backend) as session:
        run(make("SamplerV2", session), [pub("SamplerV2", backend)], "SamplerV2").result()
    assert events("session.opened", "session.closed") == []
    assert events("job.created")[0].data.session_id is None


def test_a_program_of_the_users_own_is_one_job_with_its_circuits(watching, recorder, events, kinds):
    backend = quick("Sampler")
    circuit, _ = pub("Sampler", backend)

    def work(**given):
        program = QuantumProgram(shots=50)
        for _ in range(2):
            program.append_circuit_item(circuit, circuit_arguments=np.stack([VALUES, VALUES]))
        executor = Executor(backend, options={"simulator": {"seed_simulator": 7}})
        job = executor.run(program=program) if given else executor.run(program)
        return job, [each["meas"].tobytes() for each in job.result()]

    _, bare = work()
    watching()
    for given in ({}, {"by": "keyword"}):
        assert work(**given)[1] == bare
    assert kinds() == ["job.completed", "job.completed", "job.created", "job.created"]
    created = events("job.created")[0].data
    assert (created.primitive, created.backend) == ("Executor", backend.name)
    assert (created.shots_requested, created.executions, len(created.circuits)) == (50, 4, 1)
    for mistake in (lambda: Executor(backend).run(), lambda: Executor(backend).run("no program")):
        with pytest.raises((TypeError, AttributeError)):
            mistake()
    assert recorder.stats().reasons == {}


def test_undoing_puts_back_what_was_there(watching, events):
    owners = [(owner, "run") for owner in PRIMITIVES.values()] + [(SessionClass, "close"), (SessionClass, "__init__")]
    before = [owner.__dict__[name] for owner, name in owners]
    undo = watching()
    assert all(owner.__dict__[name] is not then for (owner, name), then in zip(owners, before, strict=True))
    undo()
    assert [owner.__dict__[name] for owner, name in owners] == before
    backend = quick("SamplerV2")
    run(make("SamplerV2", backend), [pub("SamplerV2", backend)], "SamplerV2").result()
    assert events("job.created") == []


def test_a_primitive_of_the_users_own_class_is_watched_in_its_way(installed, events):
    class Mine(SamplerV2):
        def run(self, pubs, **options):
            return super().run(list(pubs), **options)

    backend = quick("SamplerV2")
    job = Mine(backend).run([pub("SamplerV2", backend)])
    job.result()
    assert [event.data.job_id for event in events("job.created", "job.completed")] == [job.job_id()] * 2
    assert isinstance(Mine(backend), BasePrimitiveV2)


def test_pubs_in_a_container_of_the_users_own_are_a_job_without_sources(installed, events, kinds):
    backend = quick("SamplerV2")
    run(make("SamplerV2", backend), {"a": pub("SamplerV2", backend)}.values(), "SamplerV2").result()
    assert kinds() == ["job.completed", "job.created", "shots.measured"]
    assert events("job.created")[0].data.circuits[0].source_identity is None


def test_a_job_is_told_by_the_id_that_the_user_knows_however_late_that_is_known(
    installed, recorder, events, monkeypatch
):
    backend, ended = quick("SamplerV2"), []

    def late(self, *args, **options):
        options["future"].result()
        ended.append(recorder.flush(10))  # all that was told so far was built
        made(self, *args, **options)

    made = LocalRuntimeJob.__init__
    monkeypatch.setattr(LocalRuntimeJob, "__init__", late)
    job = run(make("SamplerV2", backend), [pub("SamplerV2", backend)], "SamplerV2")
    job.result()
    assert len(ended) == 1
    told = events("job.created", "job.completed", "shots.measured")
    assert [event.data.job_id for event in told] == [job.job_id()] * 3


def test_a_call_that_raises_after_the_inner_job_was_submitted_has_failed(installed, events, kinds, monkeypatch):
    backend = quick("SamplerV2")

    def broken(*_args, **_options):
        raise LookupError("planted")

    monkeypatch.setattr(LocalRuntimeJob, "__init__", broken)
    monkeypatch.setattr("qml_producers.ibm.local._MOST_ROUNDS", 1)
    with pytest.raises(LookupError, match="planted"):
        run(make("SamplerV2", backend), [pub("SamplerV2", backend)], "SamplerV2")
    (failed,) = events("job.failed")
    assert failed.data.failure.code == "LookupError"
    for _ in range(3):
        assert kinds() == ["job.failed"]


def test_watching_adds_no_warning(watching):
    backend = quick("SamplerV2")

    def work():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            run(make("SamplerV2", backend), [pub("SamplerV2", backend)], "SamplerV2").result()
        return [(each.category, str(each.message)) for each in caught]

    bare = work()
    watching()
    assert work() == bare
