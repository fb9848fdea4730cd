"""`quantum-mlops kafka` without a broker: text, limits, and what is missing."""

import importlib.util
from collections.abc import Callable
from functools import partial

import pytest

from qml_daemon.cli.progress_text import Progressed, progress_lines
from qml_daemon.kafka.progress import PartitionProgress, Progress, name_of
from quantum_mlops.clock import SECOND
from quantum_mlops.transports.kafka.admin import Described, Member
from quantum_mlops.transports.kafka.fit import find_misfits
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.topics import Topics, wanted

NOW = 1_795_176_000 * SECOND
SETTINGS = KafkaSettings(bootstrap_servers=("one:9092",), partitions=4)
COMMANDS = ["init"], ["status"], ["lag"], ["import"], ["export", "--to", "x.sqlite"]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(run: Run) -> Run:
    return partial(run, "kafka")


@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_section_one_line_says_what_to_add(run: Run, command: list[str]) -> None:
    assert run(*command) == (
        2,
        "",
        'quantum-mlops: the configuration (none was found) has no [kafka]; add it with bootstrap_servers = ["host:9092"]\n',
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_without_aiokafka_one_line_names_the_extra(
    run: Run, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr("qml_daemon.kafka.access.find_spec", lambda name: None if name == "aiokafka" else real(name))
    code, out, err = run(*command)
    assert (code, out) == (2, "")
    assert err == "quantum-mlops: Kafka needs an extra: pip install 'quantum-mlops[kafka]'\n"


def described(name: str, **changes: str) -> Described:
    partitions, config = wanted(Topics("qml."), 4)[name]
    return Described(partitions, 1, {**config, **{key.replace("_", "."): value for key, value in changes.items()}})


@pytest.mark.parametrize(
    ("name", "changes", "line"),
    [
        ("qml.events.v1", {"retention_ms": "-1"}, None),
        ("qml.events.v1", {"retention_ms": "6048000000"}, None),
        ("qml.events.v1", {"retention_ms": "1000"}, "retention.ms is 1000, wanted at least 604800000"),
        ("qml.events.v1", {"message_timestamp_type": "CreateTime"}, "type is CreateTime, wanted LogAppendTime"),
        ("qml.state.v1", {"segment_ms": "60000"}, None),
        ("qml.state.v1", {"segment_ms": "604800000"}, "segment.ms is 604800000, wanted at most 600000"),
        ("qml.state.v1", {"cleanup_policy": "compact,delete"}, "cleanup.policy is compact,delete, wanted compact"),
        ("qml.state.v1", {"max_message_bytes": "1048588"}, "max.message.bytes is 1048588, wanted at least 16842752"),
    ],
)
def test_a_setting_that_does_not_fit_is_named_with_its_mend(
    name: str, changes: dict[str, str], line: str | None
) -> None:
    found = list(find_misfits(SETTINGS, 4, {name: described(name, **changes)}))
    if line is None:
        assert found == []
        return
    [told] = found
    assert told.startswith(f"topic {name}: ")
    assert line in told
    assert f"kafka-configs.sh --bootstrap-server one:9092 --alter --entity-type topics --entity-name {name}" in told


def test_fewer_partitions_or_replicas_are_named() -> None:
    settings = KafkaSettings(bootstrap_servers=("one:9092",), partitions=4, replication_factor=3)
    whole = described("qml.findings.v1")
    found = {"qml.findings.v1": Described(3, 2, whole.settings)}
    told = list(find_misfits(settings, 4, found))
    assert [line.partition(";")[0] for line in told] == [
        "topic qml.findings.v1: partitions is 3, wanted 4",
        "topic qml.findings.v1: replication.factor is 2, wanted 3",
    ]


def test_the_table_names_owner_time_lag_and_size() -> None:
    progress = Progress(
        group="g",
        topic="qml.events.v1",
        idle=["w3"],
        partitions=[
            PartitionProgress(
                partition=0, owner="w1", host="10.0.0.1", processed=7, time=NOW - 5 * SECOND, start=0, end=9, lag=2,
                rows=3, row_bytes=4096,
            ),
            PartitionProgress(partition=1, owner=None, host=None, processed=None, time=None, start=0, end=0, lag=0),
        ],
    )  # fmt: skip
    assert list(progress_lines(progress, NOW)) == [
        "partition  owner          processed  until                          end  lag  states",
        "0          w1 (10.0.0.1)  7          2026-11-20 11:59:55 (5 s ago)  9    2    3 rows, 4.0 KiB",
        "1          nobody         none       never                          0    0",
        "group g: 1 of 2 partitions owned, lag 2, without a partition: w3",
    ]


def test_a_member_is_named_by_its_client_where_that_says_more_than_its_id() -> None:
    assert name_of(Member(id="worker-7", client="rack-1", host="h", partitions=[])) == "rack-1"
    assert (
        name_of(Member(id="quantum-mlops-0a1b", client="quantum-mlops", host="h", partitions=[]))
        == "quantum-mlops-0a1b"
    )


def test_a_transfer_tells_each_part_once_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    progressed = Progressed()
    for done in (0, 5000, 7321):
        progressed("events", done, 7321)
    progressed("dead_letters", 0, 0)
    progressed.close()
    assert capsys.readouterr().err == "events: 7,321\ndead letters: 0\n"
