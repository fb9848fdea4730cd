"""A recorded week of a small team (tools/week, docs/week.md): just these findings, each for its reason, and no more."""

import gzip
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace

from qml_daemon.configuration import read_config
from qml_daemon.history import fold_findings, read_findings
from qml_processors.runner import Runner, load_processors
from qml_processors.runner import replay as replay_log
from qml_processors.runner.rules_log import config_event
from quantum_mlops.codec import decode
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.sqlite import SqliteLog

HERE = Path(__file__).parent / "week"
LABELS = ("project", "backend", "run", "budget", "session")


class Expected(Struct, forbid_unknown_fields=True):
    """One finding, and the line that justifies it."""

    rule: str
    where: str
    opened: str
    closed: str | None
    severity: str
    why: str


def say(time_ns):
    return None if time_ns is None else datetime.fromtimestamp(time_ns / 1e9, UTC).strftime("%a %H:%M")


def shown(finding):
    where = " ".join(finding.labels[name] for name in LABELS if name in finding.labels)
    return (finding.rule, where, say(finding.opened), say(finding.closed), finding.severity)


@pytest.fixture(scope="module")
def events():
    lines = gzip.decompress((HERE / "events.jsonl.gz").read_bytes()).splitlines()
    rules = read_config(HERE / "quantum-mlops.toml", {}).rules
    found = [decode(line) for line in lines]
    first = found[0].ingestedtime
    config = replace(config_event(rules, "qml://week/0/rules", effective=0, time=first), ingestedtime=first)
    return [config, *found]


@pytest.fixture(scope="module")
def expected():
    return msgspec.json.decode((HERE / "findings.json").read_bytes(), type=list[Expected])


def test_the_week_gives_just_the_findings_that_it_holds(events, expected, tmp_path_factory):
    log = SqliteLog(tmp_path_factory.mktemp("week") / "store.sqlite")
    runner = Runner(log, load_processors())
    runner.open(0)
    for at in range(0, len(events), 5000):
        log.append(events[at : at + 5000])
        while runner.process_batch():
            pass
    runner.close()
    found = read_findings(log)
    assert [shown(one) for one in found] == [
        (one.rule, one.where, one.opened, one.closed, one.severity) for one in expected
    ]
    assert log.end(Stream.DEAD_LETTERS, 0) == 0
    known = {label for processor in load_processors() for label in processor.labels}
    assert {name for one in found for name in one.labels} - {"rule"} <= known
    again = fold_findings(iter(replay_log(log, load_processors()).findings))
    assert [one.finding_id for one in again] == [one.finding_id for one in found]
    log.close()


def test_each_finding_is_justified_in_one_line(expected):
    assert all(10 < len(one.why) < 200 and "\n" not in one.why for one in expected)


def test_the_recording_is_what_the_simulation_writes(tmp_path):
    tools = HERE.parents[2] / "tools"
    code = "import sys; sys.path.insert(0, sys.argv[1]); from week.__main__ import main; from pathlib import Path; main(Path(sys.argv[2]))"
    subprocess.run([sys.executable, "-c", code, str(tools), str(tmp_path / "w.gz")], check=True, capture_output=True)
    assert gzip.decompress((tmp_path / "w.gz").read_bytes()) == gzip.decompress((HERE / "events.jsonl.gz").read_bytes())
