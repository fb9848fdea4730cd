"""`replay --finding`: what a person and a script see of one finding run again from its bundle."""

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest

from qml_daemon import reproduction
from qml_daemon.cli import main
from qml_processors.base import Finding
from qml_processors.drift import DriftProcessor
from qml_processors.runner import config_event, replay
from qml_processors.runner.partition import CLOCK
from qml_processors.threshold import ThresholdProcessor
from quantum_mlops.clock import MINUTE, SECOND, ManualClock
from quantum_mlops.codec import MAX_EVENT_BYTES, encode
from quantum_mlops.config.rules import Rules, ThresholdRule
from quantum_mlops.events import (
    CalibrationColumn,
    Context,
    Event,
    FindingChanged,
    Footprint,
    MetricLogged,
    Outcomes,
    ShotsMeasured,
    short_name,
    type_name,
)
from quantum_mlops.transports.base import Commit
from quantum_mlops.transports.memory import MemoryLog
from quantum_mlops.transports.sqlite import SqliteLog

START = 1_795_176_000 * SECOND
OUTCOMES = 16
QUBITS = [1, 4, 7, 10]
GOOD = np.linspace(2.0, 1.0, OUTCOMES) / np.linspace(2.0, 1.0, OUTCOMES).sum()
BAD = GOOD[::-1]

Run = Callable[..., tuple[int, str, str]]


def calibration(scale: float) -> list[CalibrationColumn]:
    """Return what a four-qubit footprint publishes: six values a qubit, two an edge."""
    wires = [[qubit] for qubit in QUBITS]
    edges = [list(edge) for edge in pairwise(QUBITS)]
    singles = ("t1", "t2", "readout_error", "sx_error", "x_error", "rz_error")
    return [
        CalibrationColumn(name=name, wires=where, values=[0.01 * scale] * len(where), times=[0.0] * len(where))
        for name, where in [*((name, wires) for name in singles), ("cx_error", edges), ("ecr_error", edges)]
    ]


def canaries(generator: np.random.Generator) -> Iterator[Event]:
    """Yield 500 canaries in control, then a change of the device with a recalibration."""
    for number in range(510):
        is_good = number < 500
        counts = generator.multinomial(4096, GOOD if is_good else BAD)
        data = ShotsMeasured(
            job_id=f"job-{number}",
            backend="ibm_hanoi",
            footprint=Footprint(qubits=QUBITS, calibration_id="k1:a" if is_good else "k1:b"),
            circuit="c1:0123456789abcdef",
            circuit_name="bell",
            reference="canary",
            shots=4096,
            calibration=calibration(1.0 if is_good else 2.0) if number in {0, 500} else None,
            outcomes=Outcomes(bits=4, keys=bytes(range(OUTCOMES)), counts=counts.tolist()),
        )
        yield Event(
            id=f"{number:016x}",
            source="qml://lab/n/1",
            type=type_name("canary.measured"),
            time=START + number * MINUTE,
            partitionkey="iris",
            project="iris",
            data=data,
        )


@pytest.fixture(scope="module")
def opened() -> Event:
    """The opening that the real drift processor makes on a full reference."""
    clock = ManualClock(START)
    log = MemoryLog(1, clock)
    for event in canaries(np.random.default_rng(3)):
        clock.now = event.time
        log.append([event])
    found = replay(log, [DriftProcessor()]).findings
    assert short_name(found[0].type) == "finding.opened"
    assert found[0].data.values["reference_executions"] == 500
    return found[0]


def changed(event: Event, **changes: object) -> Event:
    return msgspec.structs.replace(event, data=msgspec.structs.replace(event.data, **changes))


def unbundled(event: Event, **changes: object) -> Event:
    evidence = msgspec.structs.replace(event.data.evidence, bundle=None)
    return changed(event, **{"evidence": evidence} | changes)


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("QML_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("QML_CONFIG", raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def store(tmp_path: Path) -> Callable[..., None]:
    def store(*findings: Event) -> None:
        log = SqliteLog(tmp_path / "state" / "store.sqlite", clock=ManualClock(START))
        log.commit(0, Commit(findings=list(findings), watermark=b""))
        log.close()

    return store


def test_a_drift_finding_on_a_full_reference_has_a_bundle_and_gives_the_same_id(
    run: Run, store: Callable[..., None], opened: Event
) -> None:
    assert opened.data.evidence.bundle is not None
    assert len(encode(opened)) < MAX_EVENT_BYTES / 2
    store(opened)
    identity = opened.data.finding_id
    code, stdout, stderr = run("replay", "--finding", identity[:6])
    assert (code, stderr) == (0, "")
    assert stdout == f"identical (finding {identity}, reproduced {identity}; CircuitDrift, drift 1)\n"
    code, stdout, _ = run("replay", "--finding", identity, "--json")
    found = json.loads(stdout)
    assert (code, found["verdict"], found["reproduced_id"]) == (0, "identical", identity)
    assert f"replay --finding {identity[:12]}\n" in run("alerts", "show", identity)[1]


def test_findings_that_one_timer_opens_together_each_give_their_own_id(run: Run, store: Callable[..., None]) -> None:
    rules = [ThresholdRule(name=name, metric="acc", below=0.8, for_="1m") for name in ("Low", "Lower")]
    clock = ManualClock(START)
    log = MemoryLog(1, clock)
    log.append([config_event(Rules(threshold=rules), "qml://daemon/c/0", effective=0, time=START)])
    for second in (1, 30, 120):
        clock.now = time = START + second * SECOND
        data = MetricLogged(values={"acc": 0.5})
        where = {"source": "qml://lab/n/1", "partitionkey": "iris", "project": "iris", "context": Context(runid="r1")}
        log.append([Event(id=f"{second:016x}", type=type_name("metric.logged"), time=time, data=data, **where)])
    findings = replay(log, [ThresholdProcessor()]).findings
    assert [(short_name(one.type), one.data.rule) for one in findings] == [
        ("finding.opened", "Low/below"),
        ("finding.opened", "Lower/below"),
    ]
    assert all(b'"event"' not in one.data.evidence.bundle.encode() for one in findings), "no timer opened them"
    store(*findings)
    for one in findings:
        assert run("replay", "--finding", one.data.finding_id)[0] == 0


def test_running_it_again_leaves_the_log_as_it_was(
    run: Run, store: Callable[..., None], opened: Event, tmp_path: Path
) -> None:
    store(opened)
    before = (tmp_path / "state" / "store.sqlite").read_bytes()
    assert run("replay", "--finding", opened.data.finding_id)[0] == 0
    assert (tmp_path / "state" / "store.sqlite").read_bytes() == before
    assert not list((tmp_path / "state").glob("outbox*"))


def test_other_numbers_under_the_same_id_are_different(run: Run, store: Callable[..., None], opened: Event) -> None:
    store(changed(opened, values=opened.data.values | {"hellinger": 0.5}))
    code, stdout, _ = run("replay", "--finding", opened.data.finding_id)
    assert code == 1
    assert stdout.startswith("different: same id, other values (finding ")


def test_another_id_is_different_and_both_are_shown(run: Run, store: Callable[..., None], opened: Event) -> None:
    store(changed(opened, finding_id="77" * 16))
    code, stdout, _ = run("replay", "--finding", "77")
    assert code == 1
    assert stdout.startswith(f"different: another id (finding {'77' * 16}, reproduced {opened.data.finding_id};")


class Quiet(DriftProcessor):
    """A later version that finds nothing."""

    version = 2

    def apply(self, state, event, rules):
        return ()


class Broken(DriftProcessor):
    """A version with a bug."""

    def apply(self, state, event, rules):
        raise RuntimeError("no reference")


class Another(DriftProcessor):
    """Opens something else first, so the count in the id is another."""

    def apply(self, state, event, rules):
        return (Finding(transition="notice", rule="Other"), *super().apply(state, event, rules))


@pytest.mark.parametrize(
    ("installed", "line"),
    [
        (Quiet, "different: the step opens no such finding (finding {id}, reproduced none; CircuitDrift, drift 1, installed 2)"),
        (Broken, "different: drift raised RuntimeError: no reference (finding {id}, reproduced none; CircuitDrift, drift 1)"),
        (Another, "different: another id (finding {id}, reproduced "),
    ],
)  # fmt: skip
def test_a_processor_that_changed_is_different(
    run: Run,
    store: Callable[..., None],
    opened: Event,
    monkeypatch: pytest.MonkeyPatch,
    installed: type[DriftProcessor],
    line: str,
) -> None:
    store(opened)
    monkeypatch.setattr(reproduction, "load_processors", lambda: [installed()])
    code, stdout, stderr = run("replay", "--finding", opened.data.finding_id)
    assert (code, stderr) == (1, "")
    assert stdout.startswith(line.format(id=opened.data.finding_id))


def test_where_there_is_no_bundle_one_line_says_why(run: Run, store: Callable[..., None], opened: Event) -> None:
    clock = msgspec.structs.replace(opened.data.evidence, bundle=None, processor=CLOCK)
    store(
        unbundled(opened, finding_id="11" * 16),
        unbundled(opened, finding_id="22" * 16, rule="ProcessorError/drift"),
        changed(opened, finding_id="33" * 16, rule="ClockJump", evidence=clock),
        unbundled(opened, finding_id="44" * 16, transition=1),
        unbundled(opened, finding_id="55" * 16, evidence=msgspec.structs.replace(clock, processor="mine")),
    )
    reasons = {
        "11": "too large",
        "22": "a finding on a processor's errors has none",
        "33": f"findings of {CLOCK} have none",
        "44": "the opening of this finding is no longer in the log",
        "55": "none, or too large (processor mine is not installed or cannot be imported)",
    }
    for digits, reason in reasons.items():
        code, stdout, stderr = run("replay", "--finding", digits)
        assert (code, stdout, stderr) == (1, f"no bundle: {reason} (finding {digits * 16})\n", "")
    assert "\nno bundle: too large\n" in run("alerts", "show", "11")[1]
    found = json.loads(run("replay", "--finding", "11", "--json")[1])
    assert (found["verdict"], found["reason"]) == ("no bundle", "too large")


def test_a_bundle_that_is_none_is_one_line_and_exit_code_1(run: Run, store: Callable[..., None], opened: Event) -> None:
    bundle = json.loads(opened.data.evidence.bundle)
    broken = json.dumps(bundle | {"state": "!"})
    store(changed(opened, evidence=msgspec.structs.replace(opened.data.evidence, bundle=broken)))
    code, stdout, stderr = run("replay", "--finding", opened.data.finding_id)
    assert (code, stdout) == (1, "")
    assert stderr.startswith("quantum-mlops: no bundle: its state: ")
    assert len(stderr.splitlines()) == 1


def test_a_wrong_id_is_one_line_and_exit_code_2(run: Run, store: Callable[..., None], opened: Event) -> None:
    store(changed(opened, finding_id="77" * 16), changed(opened, finding_id="78" * 16))
    for arguments, line in (
        (["zz"], "no finding in the log has an id that starts with 'zz'; see: quantum-mlops alerts"),
        (["7"], "2 findings start with '7'; give more digits"),
        (["77", "--since", "2026-11-20T12:00:00Z"], "--finding needs no time: --since, --until and --begin exclude it"),
    ):  # fmt: skip
        code, stdout, stderr = run("replay", "--finding", *arguments)
        assert (code, stdout, stderr) == (2, "", f"quantum-mlops: {line}\n")


def test_a_processor_that_is_not_there_is_one_line_and_exit_code_2(
    run: Run, store: Callable[..., None], opened: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ImportError("no module named mine")

    store(opened, unbundled(opened, finding_id="77" * 16))
    for loader in (list, fail):
        monkeypatch.setattr(reproduction, "load_processors", loader)
        code, stdout, stderr = run("replay", "--finding", opened.data.finding_id)
        assert (code, stdout, len(stderr.splitlines())) == (2, "", 1)
        assert "processor 'drift' is not installed or cannot be imported" in stderr
        assert "\nno bundle: none, or too large (" in run("alerts", "show", "77")[1]


def test_the_help_shows_it(run: Run) -> None:
    assert "quantum-mlops replay --finding 3f2a91" in run("replay", "--help")[1]


def test_an_updated_finding_is_run_from_its_opening(run: Run, store: Callable[..., None], opened: Event) -> None:
    later = msgspec.structs.replace(opened, id=f"{opened.data.finding_id}-1", type=type_name("finding.updated"))
    store(opened, unbundled(later, transition=1))
    assert isinstance(later.data, FindingChanged)
    assert run("replay", "--finding", opened.data.finding_id)[0] == 0
