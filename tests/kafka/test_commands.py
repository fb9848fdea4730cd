"""The operator's commands on a real Kafka: topics, lag, owners, a log carried over and back, dead letters, replay."""

import asyncio
import json
import os
import subprocess
import sys

import pytest
from msgspec.structs import replace

from qml_daemon.cli import main
from qml_processors.runner import Runner, load_processors
from qml_processors.runner.rules_log import LATEST
from qml_processors.transfer.plan import PLAN
from quantum_mlops.codec import encode
from quantum_mlops.events import Event, MetricLogged, type_name
from quantum_mlops.timestamps import format_time
from quantum_mlops.transports.base import DeadLetter, Stream
from quantum_mlops.transports.kafka.log import KafkaLog
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.memory import MemoryLog
from quantum_mlops.transports.sqlite import SqliteLog
from tests.waiting import wait_for
from tests.week import feed, read_week

PARTITIONS = 3
TOPICS = ("events", "findings", "summaries", "dead-letters", "state", "cursors")


@pytest.fixture
def settings(kafka, prefix):
    return KafkaSettings(bootstrap_servers=(kafka,), topic_prefix=prefix, group=prefix + "g", partitions=PARTITIONS)


@pytest.fixture
def config(tmp_path, settings):
    path = tmp_path / "c.toml"
    path.write_text(
        f'[log]\nkind = "kafka"\n[kafka]\nbootstrap_servers = ["{settings.servers}"]\n'
        f'topic_prefix = "{settings.topic_prefix}"\ngroup = "{settings.group}"\npartitions = {PARTITIONS}\n'
        f'[state]\ndir = "{tmp_path / "state"}"\n'
    )
    return path


@pytest.fixture
def run(config, capsys):
    def run(*arguments):
        code = main([*arguments, "--config", str(config)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def log(settings, run):
    assert run("kafka", "init")[0] == 0
    log = KafkaLog(settings, writer="test")
    yield log
    log.close()


async def make_topic(settings, name, partitions, config):
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    client = AIOKafkaAdminClient(**settings.client_arguments())
    await client.start()
    try:
        await client.create_topics([NewTopic(name, partitions, 1, topic_configs=config)])
        while name not in await client.list_topics():  # noqa: ASYNC110 - a broker learns of it a moment later
            await asyncio.sleep(0.05)
    finally:
        await client.close()


async def topics_of(settings):
    from aiokafka.admin import AIOKafkaAdminClient

    client = AIOKafkaAdminClient(**settings.client_arguments())
    await client.start()
    try:
        return sorted(name for name in await client.list_topics() if name.startswith(settings.topic_prefix))
    finally:
        await client.close()


def metric(number, key="iris"):
    return Event(
        id=f"{number:016x}", source=f"qml://h/a/{key}", type=type_name("metric.logged"), time=1_795_176_000 * 10**9 + number,
        partitionkey=key, project=key, data=MetricLogged(values={"loss": 0.5}),
    )  # fmt: skip


def process(log):
    runner = Runner(log, load_processors())
    for partition in range(log.partitions):
        assert runner.open(partition), runner.stats().partitions[partition].given_up
    while runner.process_batch(2000):
        pass
    mismatches = sum(one.mismatches for one in runner.stats().partitions)
    states = runner.states()
    runner.close()
    return mismatches, states


def test_init_makes_what_is_missing_and_changes_nothing_the_second_time(run, settings) -> None:
    code, out, _ = run("kafka", "init", "--dry-run")
    assert (code, out.count("would be made")) == (0, 6)
    assert asyncio.run(topics_of(settings)) == []
    code, out, _ = run("kafka", "init")
    assert (code, out.count(": made;")) == (0, 6)
    assert asyncio.run(topics_of(settings)) == sorted(f"{settings.topic_prefix}{name}.v1" for name in TOPICS)
    told = json.loads(run("kafka", "init", "--json")[1])
    assert all(topic["existed"] for topic in told["topics"])
    assert {topic["partitions"] for topic in told["topics"]} == {1, PARTITIONS}


def test_init_names_what_does_not_fit_and_makes_nothing(run, settings) -> None:
    events, state = (f"{settings.topic_prefix}{name}.v1" for name in ("events", "state"))
    asyncio.run(make_topic(settings, events, 5, {"retention.ms": "60000", "message.timestamp.type": "LogAppendTime"}))
    asyncio.run(make_topic(settings, state, PARTITIONS, {"cleanup.policy": "delete", "segment.bytes": "1048576"}))
    code, out, err = run("kafka", "init")
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert all(line.startswith("quantum-mlops: topic ") for line in lines)
    assert f"topic {events}: partitions is 5, wanted 3; " in lines[0]
    assert f"topic {events}: retention.ms is 60000, wanted at least 604800000; mend: kafka-configs.sh" in lines[1]
    assert f"topic {state}: cleanup.policy is delete, wanted compact; mend: " in lines[2]
    assert not any("segment.bytes" in line for line in lines)  # smaller than wanted does as well
    assert asyncio.run(topics_of(settings)) == [events, state]


@pytest.mark.usefixtures("settings")
def test_without_topics_every_command_is_one_line(run) -> None:
    for command in (["kafka", "status"], ["kafka", "lag"], ["dead-letters", "list"], ["replay"], ["alerts"]):
        code, out, err = run(*command)
        assert (code, out) == (2, "")
        assert len(err.splitlines()) == 1
        assert "mend: quantum-mlops kafka init" in err


def test_lag_and_status_say_what_waits_and_a_worker_that_owns_it(run, log, config) -> None:
    log.append([metric(number, f"p{number % 9}") for number in range(40)])
    code, out, _ = run("kafka", "lag", "--max", "39")
    assert (code, out.splitlines()[-1]) == (1, "total 40")
    assert run("kafka", "lag", "--max", "40")[0] == 0
    process(log)
    assert run("kafka", "lag", "--max", "0")[0] == 0
    told = json.loads(run("kafka", "status", "--json")[1])
    assert [one["owner"] for one in told["partitions"]] == [None] * PARTITIONS
    assert sum(one["processed"] for one in told["partitions"]) >= 40
    assert all(one["rows"] > 0 and one["row_bytes"] > 100 and one["time"] for one in told["partitions"])
    command = [sys.executable, "-m", "quantum_mlops", "worker", "--config", str(config)]
    worker = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        wait_for(lambda: "3 of 3 partitions owned" in run("kafka", "status")[1], "a worker that owns all", 40)
        told = json.loads(run("kafka", "status", "--json")[1])
        assert {one["host"] for one in told["partitions"]} == {"127.0.0.1"}
        code, _, err = run("kafka", "export", "--to", str(config.with_name("x.sqlite")))
        assert code == 2
        assert "1 workers of group" in err
    finally:
        worker.terminate()
        worker.communicate(timeout=20)
    assert worker.returncode == 0
    assert "total 0" in run("kafka", "lag")[1]


@pytest.fixture(scope="module")
def week():
    return read_week()


def derived(log, stream):
    found = []
    for number in range(log.partitions):
        offset, end = log.start(stream, number), log.end(stream, number)
        while offset < end and (records := log.read(stream, number, offset, 1000)):
            found += [encode(replace(record.event, ingestedtime=None)) for record in records]
            offset = records[-1].offset + 1
    return sorted(found)


@pytest.mark.timeout(400)
def test_a_week_carried_to_kafka_in_its_middle_and_back_gives_the_findings_of_the_week(
    run, log, week, tmp_path
) -> None:
    whole = MemoryLog()
    feed(whole, week)
    _, states = process(whole)
    half, later = len(week) // 2, len(week) * 3 // 4
    store = tmp_path / "state" / "store.sqlite"
    first = SqliteLog(store)
    feed(first, week[:half])
    process(first)
    assert run("kafka", "import", "--from", str(store))[0] == 2  # the file is open
    first.append([], cursors={LATEST: encode(week[0])})
    first.close()
    before = store.read_bytes()
    code, out, err = run("kafka", "import")
    assert code == 0, err
    assert " 2 open findings" in out
    assert store.read_bytes() == before
    code, out, err = run("kafka", "import")
    assert (code, out) == (2, "")
    assert "was filled from" in err
    assert process(log)[0] == 0
    feed(log, week[half:later])
    process(log)
    back = tmp_path / "back.sqlite"
    assert run("kafka", "export", "--to", str(back))[0] == 0
    assert "is there already" in run("kafka", "export", "--to", str(back))[2]
    assert [path.name for path in tmp_path.iterdir() if "back" in path.name] == ["back.sqlite"]
    last = SqliteLog(back)
    feed(last, week[later:])
    mismatches, ended = process(last)
    assert (mismatches, ended) == (0, states)
    for stream in (Stream.FINDINGS, Stream.SUMMARIES):
        assert derived(last, stream) == derived(whole, stream)
    last.close()


def test_replay_reads_kafka_whole_or_by_time(run, log, week) -> None:
    feed(log, week[:9000])
    process(log)
    middle = format_time(week[4500].ingestedtime)
    told = json.loads(run("replay", "--from", "kafka", "--json")[1])
    assert told["is_identical"]
    assert told["transitions"]
    assert told["events"] > 8000
    code, out, _ = run("replay", "--until", middle, "--json")
    before = json.loads(out)
    assert code == 0
    assert 4000 < before["events"] < 4501
    after = json.loads(run("replay", "--begin", middle, "--json")[1])
    assert before["events"] + after["events"] == told["events"]


def test_nobody_works_on_a_log_that_was_carried_over_in_part(log, config) -> None:
    plan = {"source": "store.sqlite", "starts": {}, "ends": {}, "done": False}
    log.move_cursors({PLAN: json.dumps(plan).encode()})
    environ = {name: value for name, value in os.environ.items() if not name.startswith("QML_")}
    for command in ("worker", "daemon"):
        asked = [sys.executable, "-m", "quantum_mlops", command, "--config", str(config)]
        done = subprocess.run(asked, capture_output=True, timeout=40, check=False, env=environ)
        assert done.returncode == 2, done.stderr
        assert b"only a part of store.sqlite was carried into this log" in done.stderr


def test_a_dead_letter_goes_back_in_once_for_the_whole_fleet(run, log) -> None:
    good, raised = metric(1), encode(metric(2))
    number = log.partition_of("iris")
    log.append(
        [],
        dead_letters=[
            DeadLetter(data=encode(good), reason="unknown field", origin="log", partition=number),
            DeadLetter(data=raised, reason="KeyError", origin="processor:drift", partition=number),
            DeadLetter(data=b"\xff", reason="no event", origin="log", partition=(number + 1) % PARTITIONS),
        ],
    )
    told = json.loads(run("dead-letters", "list", "--json")[1])
    assert told["total"] == 3
    code, out, _ = run("dead-letters", "retry", "--all")
    assert (code, out) == (1, "1 put back in, 2 stay\n")
    [record] = log.read(Stream.EVENTS, number, 0, 10)
    assert replace(record.event, ingestedtime=None) == good
    code, out, _ = run("dead-letters", "retry", "--all", "--reason", "unknown")
    assert (code, out) == (0, "0 put back in, 0 stay\n")
    assert log.end(Stream.EVENTS, number) <= 2
