"""One stored event per type: what a released version wrote is read for ever, byte for byte."""

from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import msgspec
import pytest

from quantum_mlops.codec import decode, encode
from quantum_mlops.config.rules import Rules, ThresholdRule
from quantum_mlops.events import (
    SHORT_NAMES,
    CalibrationColumn,
    CalibrationSnapshot,
    Circuit,
    ConfigApplied,
    Context,
    Cost,
    EmitterDropped,
    Event,
    Evidence,
    ExperimentEnded,
    ExperimentObserved,
    ExperimentStarted,
    Failure,
    FindingChanged,
    Footprint,
    GradientStatistics,
    Job,
    Matcher,
    MetricLogged,
    Money,
    Outcomes,
    ProviderTimes,
    Register,
    RunEnded,
    RunHeartbeat,
    RunStarted,
    Session,
    ShotsMeasured,
    ShotStatistics,
    Silence,
    SummaryMade,
    Tick,
    type_name,
)
from quantum_mlops.schemas import schema_of

FOLDER = Path(__file__).parent / "events"
NOON = datetime(2026, 11, 20, 12, 0, 0, 250_000, tzinfo=UTC)
TIME = 1_795_176_000_250_000_001
FOOTPRINT = Footprint(qubits=[0, 1, 2, 3], edges=[(0, 1), (1, 2), (2, 3)], calibration_id="k1:0123456789abcdef")
CIRCUIT = Circuit(
    identity="c1:00112233445566778899aabbccddeeff",
    source_identity="c1:ffeeddccbbaa99887766554433221100",
    name="ansatz",
    width=4,
    depth=11,
    two_qubit_gates=9,
    gate_counts={"cx": 9, "sx": 24},
)
COST = Cost(
    estimated=Money(amount="1.60", currency="USD", price_version="2026-10", source="list"),
    reserved=Money(amount="2", currency="USD"),
    final=Money(amount="0.59", currency="USD", source="provider"),
)
JOB = Job(
    job_id="j-1", provider="ibm", backend="ibm_hanoi", provider_job_id="c0ffee", session_id="s-1", primitive="sampler",
    role="canary", circuits=[CIRCUIT], footprint=FOOTPRINT, shots_requested=4096, shots_executed=4096, executions=1,
    times=ProviderTimes(created=NOON, queued=NOON, started=NOON, ended=NOON), submit_seconds=0.01,
    duration_seconds=3.5, pending_jobs=12, queue_position=3, cost=COST, failure=Failure(code="1517", message="too deep"),
    mitigation={"twirling": "on"}, status_text="DONE",
)  # fmt: skip
SESSION = Session(
    session_id="s-1", provider="ibm", backend="ibm_hanoi", wall_seconds=60.0, idle_seconds=10.0, cost=COST
)
SHOTS = ShotsMeasured(
    job_id="j-1", backend="ibm_hanoi", provider="ibm", footprint=FOOTPRINT, pub=1, part=2, circuit=CIRCUIT.identity,
    circuit_name="canary", parameters="p1:aa", reference="canary", registers=[Register(name="meas", bits=4)], shots=4096,
    outcomes=Outcomes(bits=4, keys=bytes([0, 7, 15]), counts=[2000, 96, 2000]),
    cross_entropy_fidelity=0.93, cross_entropy_variance=0.0004,
    calibration=[CalibrationColumn(name="cx_error", wires=[[2, 3]], values=[0.0309], times=[1.7e9])],
)  # fmt: skip
STATISTICS = ShotStatistics(
    bits=3, ones=[5, 6, 7], parities=[1, 2], top=Outcomes(bits=3, keys=bytes([0, 7]), counts=[4, 5]), rest=1
)
FINDING = FindingChanged(
    finding_id="000102030405060708090a0b0c0d0e0f", transition=1, rule="CircuitDrift", series="iris|ibm_hanoi|0-1-2-3",
    severity="critical", labels={"backend": "ibm_hanoi", "qubits": "0-1-2-3"}, annotations={"summary": "drift"},
    values={"hellinger": 0.11}, details={"changed_calibrations": [{"name": "cx_error", "wires": "2-3"}]},
    evidence=Evidence(
        events=[("qml://host/nonce/1", "000000000000002a")], config_hash="ab", processor="drift", processor_version=1, bundle="{}"
    ),
    late=True, reason="recovered",
)  # fmt: skip
SUMMARY = SummaryMade(
    series="iris|run-1", start=TIME - 60 * 10**9, end=TIME, labels={"run": "run-1"}, counts={"jobs": 3},
    values={"loss.mean": 0.25},
)  # fmt: skip
SILENCE = Silence(
    silence_id="si-1", matchers=[Matcher(name="backend", operator="=~", value="ibm_.*")], starts=NOON, ends=NOON,
    created_by="ada", comment="maintenance",
)  # fmt: skip
EXAMPLES: dict[str, msgspec.Struct] = {
    "run.started": RunStarted(
        name="vqc-1", tags={"seed": "7"}, code_version="9f1c2ab", sdk_versions={"qiskit": "2.6.2"}, host="lab-1", implicit=True
    ),
    "run.heartbeat": RunHeartbeat(uptime_seconds=30.5),
    "run.ended": RunEnded(status="failed", duration_seconds=61.5, failure=Failure(code="ValueError", message="no")),
    **{f"job.{status}": JOB for status in
       ("created", "queued", "running", "completed", "failed", "cancelled", "billed", "unknown")},
    **{f"session.{status}": SESSION for status in ("opened", "idle", "closed")},
    "shots.measured": msgspec.structs.replace(SHOTS, reference=None, outcomes=None, calibration=None, statistics=STATISTICS),
    "canary.measured": SHOTS,
    "calibration.snapshot": CalibrationSnapshot(
        backend="ibm_hanoi", provider="ibm", calibration_id="k1:0123456789abcdef", part=0, parts=2,
        columns=[CalibrationColumn(name="t1", unit="s", wires=[[0], [1]], values=[1.5e-4, None], times=[1.7e9, None])],
    ),
    "metric.logged": MetricLogged(
        values={"val_accuracy": 0.9}, nonfinite={"loss": "nan"}, phase="validate",
        gradient=GradientStatistics(size=16, norm=0.5, mean=0.0, variance=0.01, max_abs=0.4), system={"cpu_ratio": 0.5},
    ),
    "experiment.started": ExperimentStarted(name="ansatz", variants=["a", "b"], design={"seed": "1"}),
    "experiment.observed": ExperimentObserved(name="ansatz", block=4, variant="b", successes=90, n=100, value=0.9, variance=0.001),
    "experiment.ended": ExperimentEnded(name="ansatz", reason="decided"),
    "tick": Tick(),
    "config.applied": ConfigApplied(
        effective=TIME, hash="cafe",
        rules=Rules(threshold=[ThresholdRule(name="LowAccuracy", metric="val_accuracy", below=0.8, for_="10m")]),
    ),
    "emitter.dropped": EmitterDropped(
        count=3, reasons={"queue full": 3}, types={"metric.logged": 3}, first_time=NOON, last_time=NOON
    ),
    "silence.created": SILENCE,
    "silence.expired": Silence(silence_id="si-1"),
    **{f"finding.{kind}": FINDING for kind in ("opened", "updated", "closed", "notice")},
    "summary.run": SUMMARY,
    "summary.window": SUMMARY,
}  # fmt: skip


def example(short):
    return Event(
        id="000000000000002a",
        source="qml://lab-1/a1b2c3d4e5f6/1",
        type=type_name(short),
        time=TIME,
        partitionkey="ibm_hanoi" if short.startswith("calibration") else "iris",
        project="iris",
        context=Context(
            subject="vqc-1", runid="run-1", step=17, experimentid="ansatz", variant="b", blockid="4",
            mlflowrunid="0f" * 16, traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
        ingestedtime=TIME + 1,
        data=EXAMPLES[short],
    )  # fmt: skip


def test_every_type_of_the_contract_has_an_example():
    assert set(EXAMPLES) == set(SHORT_NAMES)


@pytest.mark.parametrize("short", SHORT_NAMES)
def test_an_event_is_written_as_it_always_was(short):
    assert encode(example(short)) + b"\n" == (FOLDER / f"{short}.json").read_bytes()


@pytest.mark.parametrize("short", SHORT_NAMES)
def test_a_stored_event_is_read_as_it_was_meant(short):
    assert decode((FOLDER / f"{short}.json").read_bytes()) == example(short)


@pytest.mark.parametrize("short", SHORT_NAMES)
def test_a_stored_event_obeys_its_schema(short):
    document = msgspec.json.decode((FOLDER / f"{short}.json").read_bytes())
    jsonschema.Draft202012Validator(schema_of(short)).validate(document)
