"""What the user's program does that few programs do: it goes on as without us, and no more is kept than is needed."""

import pickle

import pytest
from braket.circuits import Circuit, FreeParameter, Gate, Instruction
from braket.devices import LocalSimulator

from qml_producers.braket import circuits


class UntoldError(Exception):
    """An error that cannot say what it is."""

    def __str__(self):
        raise RuntimeError("no words")


def raising(error):
    def run(*_args, **_kwargs):
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "kind"),
    [(KeyboardInterrupt(), "job.cancelled"), (SystemExit(1), "job.failed"), (UntoldError(), "job.failed")],
)
def test_a_run_that_is_broken_off_has_an_end_and_the_users_own_error(installed, events, monkeypatch, error, kind):
    simulator = LocalSimulator()
    monkeypatch.setattr(type(simulator._delegate), "run", raising(error))
    with pytest.raises(type(error)) as caught:
        simulator.run(Circuit().h(0), shots=10)
    assert caught.value is error
    (created,) = events("job.created")
    (ended,) = events(kind)
    assert ended.data.job_id == created.data.job_id
    assert (ended.data.failure is None) == (kind == "job.cancelled")


def test_inputs_that_can_be_read_only_once_are_the_sdks_to_read(installed, events):
    circuit = Circuit().rx(0, FreeParameter("a"))
    batch = LocalSimulator().run_batch(circuit, shots=10, inputs=({"a": angle} for angle in (0.1, 0.2, 0.3)))
    assert len(batch.results()) == 3
    assert events("job.created")


def test_methods_go_to_other_processes_as_without_us(installed, events):
    run = pickle.loads(pickle.dumps(LocalSimulator().run))  # noqa: S301 - what we made ourselves
    assert run(Circuit().h(0), shots=10).result().task_metadata.shots == 10
    assert len(events("job.created")) == 1


def test_of_a_task_whose_result_was_read_nothing_is_kept(installed, recorder, cloud, sv1, events):
    tasks = installed._observers.of(recorder).tasks
    unread = sv1.run(Circuit().h(0), shots=10, poll_interval_seconds=0.01)
    read = sv1.run(Circuit().x(0), shots=10, poll_interval_seconds=0.01)
    read.result()
    assert len(events("shots.measured")) == 1
    assert list(tasks._known) == [unread.id]
    (sent,) = tasks.find(unread.id).job.sent
    assert (sent.copy, sent.source, sent.analog) == (None, None, None)
    assert sent.facts is not None
    unread.result()
    assert len(events("shots.measured")) == 2
    assert tasks._known == {}


def test_shots_that_are_none_are_a_failed_job_of_unknown_shots(installed, events):
    with pytest.raises(ValueError, match="shots"):
        LocalSimulator().run(Circuit().h(0), shots=-1)
    assert events("job.created")[0].data.shots_requested is None
    assert len(events("job.failed")) == 1


def test_circuits_that_were_read_are_kept_up_to_a_size(monkeypatch):
    monkeypatch.setattr(circuits, "_KEPT_INSTRUCTIONS", 20)
    reader = circuits.CircuitReader()
    sent = [circuits.copy_circuit(Circuit().rx(0, angle).h(0).h(1), 10) for angle in range(20)]
    facts = [reader.read(each) for each in sent]
    assert reader.read(sent[-1]) is facts[-1]
    assert len(reader._kept) == 6
    assert reader.read(sent[0]) == facts[0]
    assert sum(len(copy.moments) for copy, _ in reader._kept.values()) == reader._instructions == 18

    large = circuits.copy_circuit(Circuit([Instruction(Gate.H(), 0)] * 50), 10)
    assert reader.read(large) is reader.read(large)
    assert (len(reader._kept), reader._instructions) == (1, 50)
