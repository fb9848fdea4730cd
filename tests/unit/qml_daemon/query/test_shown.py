"""Every field of a job's event can be shown."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import asdict

from qml_daemon.query.shown import show_job
from qml_daemon.views.jobs import JobRow
from quantum_mlops.events import (
    Circuit,
    Context,
    Cost,
    Event,
    Failure,
    Footprint,
    Job,
    Money,
    ProviderTimes,
    type_name,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
USD = Money(amount="1.75", currency="USD", price_version="contract 7", source="annex 2")
WHOLE = Job(
    job_id="j-1",
    provider="ionq",
    backend="qpu.forte-1",
    provider_job_id="p-1",
    session_id="s-1",
    primitive="backend.run",
    gradient_method="parameter-shift",
    role="canary",
    circuits=[Circuit(identity="c1:a", width=4, depth=5, two_qubit_gates=3)],
    footprint=Footprint(qubits=[0, 1], edges=[(0, 1)], calibration_id="k1:a", calibration_id_after="k1:b"),
    shots_requested=1000,
    shots_executed=1000,
    executions=1,
    times=ProviderTimes(created=NOON, queued=NOON, started=NOON + timedelta(seconds=4), ended=NOON),
    submit_seconds=0.1,
    duration_seconds=5.0,
    qpu_seconds=0.25,
    queue_seconds=4.0,
    predicted_queue_seconds=5.0,
    predicted_execution_seconds=0.3,
    pending_jobs=3,
    queue_position=2,
    cost=Cost(estimated=USD, reserved=USD, final=USD),
    failure=Failure(code="E", message="why"),
    mitigation={"debiasing": "true"},
    status_text="paused",
    warnings=["wrong-bits: a sampler"],
)
ELSEWHERE = {"job_id", "circuits", "footprint", "times", "cost", "failure"}


def _event(data):
    return Event(
        id="1", source="qml://h/a/0", type=type_name("job.completed"), time=1_800_000_000 * 10**9, partitionkey="p",
        project="p", context=Context(runid="r"), data=data, ingestedtime=1,
    )  # fmt: skip


def test_the_example_is_whole():
    assert {name for name, value in asdict(WHOLE).items() if value in (None, [], {})} == set()


def test_each_field_of_a_job_is_shown():
    row = JobRow(project="p", job_id="j-1", seen=1, changed=1)
    row.apply(_event(WHOLE), WHOLE)

    shown = show_job(row)

    for name in set(Job.__struct_fields__) - ELSEWHERE:
        assert getattr(shown, name) == getattr(WHOLE, name), name
    assert (shown.calibration_id, shown.calibration_id_after) == ("k1:a", "k1:b")
    assert (shown.failure_code, shown.cost_final.amount, shown.circuits) == ("E", "1.75", 1)
    assert (shown.cost_final.price_version, shown.cost_final.source) == ("contract 7", "annex 2")


def test_a_later_event_without_warnings_takes_none_away():
    row = JobRow(project="p", job_id="j-1", seen=1, changed=1)
    row.apply(_event(WHOLE), WHOLE)
    row.apply(_event(Job(job_id="j-1")), Job(job_id="j-1"))

    assert show_job(row).warnings == ["wrong-bits: a sampler"]
