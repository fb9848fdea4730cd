"""Tasks on Amazon Braket: the real SDK over HTTP, watched and not; each task once, nothing asked on our own account."""

import asyncio
import threading
from decimal import Decimal

import pytest
from braket.aws import AwsQuantumTask
from braket.circuits import Circuit, FreeParameter
from braket.program_sets import CircuitBinding, ProgramSet
from braket.tracking import Tracker
from braket.tracking.tracking_context import active_trackers, register_tracker

from qml_producers.observing.nesting import INSIDE, NESTED
from quantum_mlops.events import Failure
from tests.providers.braket import FORTE, GARNET, Fault, Script

# boto3 and Braket leave sockets and event loops to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


def flipped():
    """X on qubit 0 of two: Braket says "10"."""
    return Circuit().x(0).i(1)


FAST = {"poll_interval_seconds": 0.01}


def kinds(events, *jobs):
    wanted = {job.id for job in jobs}
    told = events(
        "job.created",
        "job.queued",
        "job.running",
        "job.completed",
        "job.failed",
        "job.cancelled",
        "job.billed",
        "job.unknown",
    )
    return [event.type.split(".", 1)[1].removesuffix(".v1") for event in told if event.data.job_id in wanted]


def test_a_task_is_told_from_creation_to_its_result(installed, garnet, events):
    task = garnet.run(flipped(), shots=100)
    assert task.result().measurement_counts == {"10": 100}
    assert kinds(events, task) == ["job.created", "job.queued", "job.running", "job.completed"]
    created, queued, running, completed = (
        event.data for event in events("job.created", "job.queued", "job.running", "job.completed")
    )
    assert (created.provider, created.backend) == ("braket", GARNET)
    assert created.job_id == created.provider_job_id == task.id
    assert (created.shots_requested, created.executions) == (100, 1)
    assert created.circuits[0].identity.startswith("c1:")
    assert created.circuits[0].gate_counts == {"id": 1, "measure": 2, "x": 1}
    assert queued.queue_position == 2
    assert running.queue_seconds > 0
    assert completed.shots_executed == 100
    assert completed.times.created < completed.times.ended
    assert completed.times.started is None  # Braket does not say
    (measured,) = (event.data for event in events("shots.measured"))
    assert (measured.outcomes.keys, measured.outcomes.counts, measured.outcomes.bits) == (b"\x01", [100], 2)
    assert measured.circuit == created.circuits[0].identity


def test_the_same_requests_are_made_with_us_and_without(installed, garnet, cloud):
    cloud.requests.clear()
    garnet.run(flipped(), shots=10).result()
    lines = [request.line.split("quantum-task/")[0] for request in cloud.requests]
    tasks = [line for line in lines if line.startswith("GET /") and "amazon-braket-tests" not in line]
    assert lines[0] == "POST /quantum-task"
    assert len(tasks) == 4  # queued, running, completed; and one for the tracker's completion event
    assert len(lines) == 6


def test_the_queue_position_is_a_number_or_a_text(installed, garnet, cloud, events):
    cloud.scripts.append(Script(statuses=("QUEUED",) * 3 + ("COMPLETED",), queue_positions=(">2000", "7", "7")))
    task = garnet.run(flipped(), shots=10)
    for _ in range(4):
        task.state()
    told = [(event.data.queue_position, event.data.status_text) for event in events("job.queued")]
    assert told == [(None, "queue position >2000"), (7, None)]
    assert kinds(events, task)[-1] == "job.completed"
    assert not events("shots.measured")  # nobody asked for the result


def test_a_failed_task_has_no_result_and_says_why(installed, garnet, cloud, events):
    cloud.scripts.append(Script(statuses=("QUEUED", "FAILED"), failure_reason="the device went away"))
    task = garnet.run(flipped(), shots=10)
    assert task.result() is None
    (failed,) = events("job.failed")
    assert failed.data.failure == Failure(code="FAILED", message="the device went away")
    assert failed.data.cost.final.amount == "0"  # its price says so
    assert not events("shots.measured", "job.completed")


def test_a_task_being_cancelled_is_charged_until_it_is_cancelled(installed, garnet, events):
    task = garnet.run(flipped(), shots=100)
    task.cancel()
    (cancelling,) = (event.data for event in events("job.queued"))
    assert cancelling.status_text == "CANCELLING"
    assert cancelling.cost.final is None
    assert cancelling.cost.reserved.amount == "0.445"
    assert not events("job.cancelled")
    assert task.state() == "CANCELLING"
    assert task.state() == "CANCELLED"
    (cancelled,) = (event.data for event in events("job.cancelled"))
    assert cancelled.cost.final.amount == "0"


def test_a_word_that_nobody_knows_is_told_as_it_is(installed, garnet, cloud, events):
    cloud.scripts.append(Script(statuses=("PAUSED_FOR_LUNCH",)))
    garnet.run(flipped(), shots=10).state()
    (unknown,) = events("job.unknown")
    assert unknown.data.status_text == "PAUSED_FOR_LUNCH"


def test_money_is_that_of_the_sdks_own_tracker(installed, garnet, cloud, events):
    with Tracker() as tracker:
        garnet.run(flipped(), shots=1000).result()
        cloud.scripts.append(Script(successful_shots=400))
        garnet.run(flipped(), shots=1000).result()
    estimated = [Decimal(event.data.cost.estimated.amount) for event in events("job.created")]
    assert sum(estimated) == tracker.qpu_tasks_cost() == Decimal("3.50")
    finals = [event.data.cost.final for event in events("job.completed")]
    assert [money.amount for money in finals] == ["1.75", "0.88"]  # AWS returns what was not executed
    assert {money.currency for money in finals} == {"USD"}
    assert all("deviceCost" in money.source for money in finals)


def test_a_simulators_bill_comes_with_its_duration_and_is_three_seconds_at_least(installed, sv1, cloud, events):
    with Tracker() as tracker:
        cloud.scripts.extend([Script(execution_milliseconds=7), Script(execution_milliseconds=60_000)])
        sv1.run(flipped(), shots=10).result()
        sv1.run(flipped(), shots=10).result()
    bills = [event.data for event in events("job.billed")]
    assert [(bill.qpu_seconds, bill.cost.final.amount) for bill in bills] == [(0.007, "0.00375"), (60.0, "0.075")]
    assert sum(Decimal(bill.cost.final.amount) for bill in bills) == tracker.simulator_tasks_cost()
    assert all(event.data.cost is None for event in events("job.created", "job.completed"))


def test_the_users_own_prices_come_first_in_their_currency(installed, garnet, events, tmp_path, monkeypatch):
    book = tmp_path / "prices.toml"
    book.write_text(
        f"""name = "contract"
version = "7"
[[prices]]
provider = "braket"
devices = ["{GARNET}"]
currency = "EUR"
effective_from = 2026-01-01
task = 0.10
shot = 0.0001
"""
    )
    monkeypatch.setenv("QML_PRICES", str(book))
    cancelled = garnet.run(flipped(), shots=1000)
    garnet.run(flipped(), shots=1000).result()
    money = events("job.created")[0].data.cost.estimated
    assert (money.amount, money.currency, money.price_version) == ("0.2", "EUR", "contract 7")
    assert events("job.completed")[0].data.cost.final.amount == "0.2"
    cancelled.cancel()
    cancelled.state()
    cancelled.state()
    assert events("job.cancelled")[0].data.cost is None  # the contract does not say that it is free


def test_a_task_of_a_hybrid_job_names_it(installed, garnet, events, monkeypatch):
    monkeypatch.setenv("AMZN_BRAKET_JOB_TOKEN", "token")
    garnet.run(flipped(), shots=10).state()
    assert events("job.queued")[0].data.session_id.endswith(":job/token")


def test_a_task_in_a_reservation_has_no_price(installed, garnet, events):
    garnet.run(flipped(), shots=10, reservation_arn="arn:aws:braket:eu-north-1:000000000000:reservation/1").result()
    assert all(event.data.cost is None for event in events("job.created", "job.queued", "job.completed"))


def test_a_device_without_a_book_has_no_price(installed, garnet, cloud, events):
    unlisted = GARNET.replace("Garnet", "Garnet-2")
    cloud.devices[unlisted] = {**cloud.devices[GARNET], "deviceArn": unlisted}
    from braket.aws import AwsDevice

    AwsDevice(unlisted).run(flipped(), shots=10)
    (created,) = events("job.created")
    assert created.data.cost is None


def test_every_task_of_a_batch_counts_once_with_its_own_circuit(installed, recorder, garnet, events):
    circuits = [Circuit().x(qubit) for qubit in range(3)]
    with recorder.run("train"):
        batch = garnet.run_batch(circuits, shots=5, **FAST)
        assert [result.measurement_counts for result in batch.results()] == [{"1": 5}] * 3
    created = events("job.created")
    assert {event.data.job_id for event in created} == {task.id for task in batch.tasks}
    assert len({event.data.circuits[0].identity for event in created}) == 3
    assert len({event.context.runid for event in created}) == 1
    assert len(events("job.completed")) == len(events("shots.measured")) == 3


def test_the_threads_of_a_batch_know_the_run_of_their_caller(installed, recorder, garnet, events):
    """Plain threads would take the run that was begun last."""
    with recorder.run("mine") as mine:
        other = recorder.run("other")
        thread = threading.Thread(target=other.start)
        thread.start()
        thread.join()
        garnet.run_batch([flipped(), flipped()], shots=5, **FAST)
    assert {event.context.runid for event in events("job.created")} == {mine.id}


def test_a_retried_task_is_another_job(installed, garnet, cloud, events):
    cloud.scripts.append(Script(statuses=("FAILED",), failure_reason="once"))
    batch = garnet.run_batch([flipped()], shots=5, **FAST)
    assert len(batch.results()) == 1
    assert len(events("job.created")) == 2
    assert len(events("job.failed")) == len(events("job.completed")) == len(events("shots.measured")) == 1


def test_a_program_set_is_one_task_with_one_fee_and_many_circuits(installed, garnet, events):
    a = FreeParameter("a")
    binding = CircuitBinding(Circuit().rx(0, a), {"a": [0.0, 3.141592653589793]})
    programs = ProgramSet([Circuit().x(0).i(1), binding], shots_per_executable=20)
    task = garnet.run(programs)
    result = task.result()
    assert result[0][0].counts == {"10": 20}
    (created,) = (event.data for event in events("job.created"))
    assert (created.shots_requested, created.executions, len(created.circuits)) == (20, 3, 2)
    assert created.cost.estimated.amount == "0.387"  # 0.30 + 60 * 0.00145
    (completed,) = (event.data for event in events("job.completed"))
    assert (completed.shots_executed, completed.executions) == (20, 3)
    measured = [event.data for event in events("shots.measured")]
    assert [(each.pub, each.part, each.outcomes.keys, each.outcomes.counts) for each in measured] == [
        (0, 0, b"\x01", [20]),
        (1, 0, b"\x00", [20]),
        (1, 1, b"\x01", [20]),
    ]
    assert measured[1].circuit == measured[2].circuit
    assert measured[1].parameters != measured[2].parameters
    assert measured[0].parameters is None


def test_observables_of_a_program_set_are_part_of_what_was_measured(installed, garnet, events):
    from braket.circuits.observables import X, Z

    binding = CircuitBinding(Circuit().h(0), observables=[X(0), Z(0)])
    garnet.run(ProgramSet(binding, shots_per_executable=10)).result()
    first, second = (event.data for event in events("shots.measured"))
    assert first.outcomes.counts == [10]  # |+> in the X basis
    assert (first.circuit, first.parameters != second.parameters) == (second.circuit, True)


def test_executables_that_failed_measured_nothing(installed, garnet, cloud, events):
    cloud.scripts.append(Script(failed_executables=1))
    garnet.run(ProgramSet([Circuit().x(0), Circuit().h(0)], shots_per_executable=10)).result()
    assert [event.data.pub for event in events("shots.measured")] == [1]


def test_a_result_read_twice_or_by_another_object_counts_once(installed, garnet, events):
    task = garnet.run(flipped(), shots=10)
    task.result()
    task.result()
    AwsQuantumTask(task.id, **FAST).result()
    assert len(events("shots.measured")) == len(events("job.completed")) == 1


def test_a_task_that_is_awaited_is_told_in_full(installed, garnet, events):
    async def work():
        return await garnet.run(flipped(), shots=10).async_result()

    assert asyncio.run(work()).measurement_counts == {"10": 10}
    assert len(events("job.completed")) == len(events("shots.measured")) == 1


def test_create_is_watched_without_a_device(installed, garnet, events):
    task = AwsQuantumTask.create(garnet.aws_session, GARNET, flipped(), ("bucket", "folder"), 10, **FAST)
    task.result()
    assert kinds(events, task) == ["job.created", "job.queued", "job.running", "job.completed"]
    assert len(events("shots.measured")) == 1


def test_a_task_of_the_bare_session_is_told_without_a_circuit(installed, garnet, events):
    source = flipped().to_ir("OPENQASM").json()
    arn = garnet.aws_session.create_quantum_task(
        deviceArn=GARNET, outputS3Bucket="bucket", outputS3KeyPrefix="folder", shots=10, action=source
    )
    garnet.aws_session.get_quantum_task(arn)
    (created,) = (event.data for event in events("job.created"))
    assert (created.job_id, created.circuits, created.shots_requested) == (arn, [], 10)
    assert len(events("job.queued")) == 1


def test_a_task_inside_another_observed_call_is_not_told_again(installed, garnet, events):
    token = INSIDE.set(NESTED)
    garnet.run(flipped(), shots=10).result()
    garnet.run_batch([flipped(), flipped()], shots=10, **FAST).results()
    INSIDE.reset(token)
    assert events("job.created", "job.queued", "shots.measured") == []


def test_the_users_tracker_stays_and_ours_goes(recorder, instrumentation, garnet):
    before = set(active_trackers())
    undo = instrumentation.install(recorder, __import__("braket.aws").aws)
    assert len(active_trackers()) == len(before) + 1
    undo()
    undo()
    assert active_trackers() == before


def test_what_breaks_in_our_tracker_is_counted_and_the_task_goes_on(
    recorder, instrumentation, garnet, events, monkeypatch
):
    from qml_producers.braket.tasks import Tasks

    undo = instrumentation.install(recorder, __import__("braket.aws").aws)

    def broken(*_):
        raise RuntimeError("ours")

    for name in ("status", "seen", "measured", "created"):
        monkeypatch.setattr(Tasks, name, broken)
    task = garnet.run(flipped(), shots=10)
    assert task.result().measurement_counts == {"10": 10}
    task = garnet.run(flipped(), shots=10)
    task.cancel()
    undo()
    assert set(recorder.stats().reasons) == {"instrumentation_failed"}


def test_an_exception_of_another_tracker_is_the_users(installed, garnet):
    class Broken:
        def receive_event(self, event):
            raise LookupError("theirs")

    broken = Broken()
    register_tracker(broken)
    try:
        with pytest.raises(LookupError, match="theirs"):
            garnet.run(flipped(), shots=10)
    finally:
        active_trackers().discard(broken)


def test_a_refused_task_is_one_failed_job_and_the_same_exception(installed, garnet, cloud, events):
    from botocore.exceptions import ClientError

    cloud.faults.append(
        Fault("POST /quantum-task", status=400, error="ValidationException", message="over the spending limit")
    )
    with pytest.raises(ClientError, match="over the spending limit"):
        garnet.run(flipped(), shots=10)
    (failed,) = (event.data for event in events("job.failed"))
    assert failed.failure.code == "ValidationException"
    assert "spending limit" in failed.failure.message
    assert not events("job.created")


def test_an_unbound_parameter_is_the_users_error(installed, garnet, events):
    with pytest.raises(ValueError, match="unbound parameters"):
        garnet.run(Circuit().rx(0, FreeParameter("a")), shots=10)
    assert events("job.failed")[0].data.failure.code == "ValueError"


def test_inputs_are_the_parameters_of_what_was_measured(installed, garnet, events):
    from quantum_mlops.circuits import parameters_digest

    circuit = Circuit().rx(0, FreeParameter("z")).ry(0, FreeParameter("a"))
    garnet.run(circuit, shots=10, inputs={"z": 0.5, "a": 0.25}).result()
    assert events("shots.measured")[0].data.parameters == parameters_digest([0.25, 0.5])


def test_physical_qubits_are_a_footprint_with_its_calibration(installed, garnet, events):
    inner = Circuit().prx(1, 0.1, 0.2).cz(1, 2)
    garnet.run(Circuit().add_verbatim_box(inner), shots=10, disable_qubit_rewiring=True)
    garnet.run(Circuit().h(1).cnot(1, 2), shots=10)
    first, second = (event.data for event in events("job.created"))
    assert (first.footprint.qubits, first.footprint.edges) == ([1, 2], [(1, 2)])
    assert first.footprint.calibration_id is not None
    assert second.footprint is None  # the compiler chooses
    snapshots = events("calibration.snapshot")
    assert len(snapshots) == 1  # once
    assert {column.name for column in snapshots[0].data.columns} >= {"t1", "t2", "readout_error", "cz_error"}


def test_error_mitigation_is_told(installed, device_of, cloud, events):
    from braket.error_mitigation import Debias

    device_of(FORTE).run(flipped(), shots=2500, device_parameters={"errorMitigation": Debias()})
    assert events("job.created")[0].data.mitigation == {"errorMitigation": "Debias"}


def test_a_truncated_result_is_the_users_error_and_measures_nothing(installed, garnet, cloud, events):
    task = garnet.run(flipped(), shots=10)
    cloud.faults.append(Fault("GET /amazon-braket-tests", status=200, truncated=True))
    with pytest.raises(Exception, match=r"."):
        task.result()
    assert not events("shots.measured")
    assert task.result().measurement_counts == {"10": 10}  # asked again
    assert len(events("shots.measured")) == len(events("job.completed")) == 1


def test_nothing_happens_while_the_recorder_is_disabled(tmp_path, garnet):
    from quantum_mlops.sdk.recorder import Recorder
    from quantum_mlops.sdk.settings import Settings

    recorder = Recorder(Settings(spool=str(tmp_path / "spool"), enabled=False))
    from qml_producers.braket.instrumentation import BraketInstrumentation

    undo = BraketInstrumentation().install(recorder, __import__("braket.aws").aws)
    garnet.run(flipped(), shots=10).result()
    garnet.run_batch([flipped()], shots=10, **FAST)
    undo()
    assert recorder.stats().written == recorder.stats().queued == 0


def test_jobs_carry_the_step_and_count_for_it(installed, recorder, garnet, events):
    with recorder.run("train") as run:
        run.step = 3
        garnet.run(flipped(), shots=10)
    assert events("job.created")[0].context.step == 3
