"""The target `kafka://`: trainers, `ship`, `emit` and `doctor` against a real broker, that is killed in between, too."""

import os
import random
import signal
import subprocess
import sys
import time

import msgspec
import pytest

from quantum_mlops.codec import decode, encode
from quantum_mlops.errors import PermanentError, RetryableError
from quantum_mlops.events import Context, Event, UnknownData
from quantum_mlops.shipping.kafka.address import parse_kafka_address
from quantum_mlops.shipping.kafka.client import KafkaClient
from quantum_mlops.spool.reader import read_folder
from quantum_mlops.transports.kafka.records import encode_event
from quantum_mlops.transports.partitioning import partition_of
from tests.topic import PARTITIONS, Topic

HEAD = """
import os, sys, time
import quantum_mlops as q
q.autolog(project="iris")
def log(name, number=100):
    for value in range(number):
        q.log_metrics({name: value})
"""


@pytest.fixture
def topic(kafka, prefix):
    return Topic(kafka, prefix).create()


@pytest.fixture
def connect(topic):
    """Make clients of the test's topic; all are closed at the end."""
    made = []

    def connect(target=None, **environ):
        address = parse_kafka_address(target or topic.target)
        made.append(KafkaClient(address, {"QML_KAFKA_TOPIC_PREFIX": topic.prefix} | environ))
        return made[-1]

    yield connect
    for client in made:
        client.close()


@pytest.fixture
def run(tmp_path):
    """Run Python to its end, in the environment of a topic."""

    def run(topic, *words, stdin=None, **more):
        words = [sys.executable, "-W", "ignore::DeprecationWarning", *map(str, words)]
        environ = environment(tmp_path, topic) | more
        return subprocess.run(words, env=environ, input=stdin, capture_output=True, text=True, timeout=90)

    return run


@pytest.fixture
def program(tmp_path, run):
    """Run a trainer to its end."""

    def program(topic, code, **more):
        path = tmp_path / "program.py"
        path.write_text(HEAD + code)
        return run(topic, path, **more)

    return program


@pytest.fixture
def command(run):
    """Run a command of ours to its end."""
    return lambda topic, *words, **more: run(topic, "-m", "quantum_mlops", *words, **more)


def environment(tmp_path, topic):
    base = {"PATH": os.environ["PATH"], "QML_STATE_DIR": str(tmp_path / "state"), "HOME": str(tmp_path)}
    return base | {"QML_FLUSH_SECONDS": "20"} | topic.environ


def spool_of(tmp_path):
    (folder,) = (tmp_path / "state" / "spool").glob(".to-*")
    return folder


def hundred():
    return [float(number) for number in range(100)]


def make_event(number, key="iris", padding=0):
    return Event(
        id=f"{number:016x}", source="qml://host/0123456789ab/0", type="com.example.note", time=10**18, partitionkey=key, project="iris",
        context=Context(), data=UnknownData(msgspec.Raw(msgspec.json.encode({"x": "x" * padding}))),
    )  # fmt: skip


def ten(start=0, **more):
    return [encode(make_event(number, **more)) for number in range(start, start + 10)]


# What a record is


def test_a_record_is_what_the_log_s_own_encoder_makes(topic, connect):
    events = [make_event(number, key) for number, key in enumerate(("iris", "", "ключ", "*", "a b"))]
    assert connect().post([encode(event) for event in events]) == []
    found = {decode(record.value).id: record for record in topic.records()}
    for event in events:
        wanted, record = encode_event(event), found[event.id]
        assert (record.key, record.value, list(record.headers)) == (wanted.key, wanted.value, list(wanted.headers))
        assert record.timestamp_type == 1  # the broker's


def test_keys_lie_where_our_partition_function_and_kafka_s_own_clients_put_them(topic, connect):
    from confluent_kafka import Producer

    numbers = random.Random(7)
    keys = [
        "".join(numbers.choices("abcdefghijklmnopqrstuvwxyz0123456789-_/é☃", k=numbers.randint(0, 40)))
        for _ in range(600)
    ]
    connect().post([encode(make_event(number, key)) for number, key in enumerate(keys)])
    java_like = Producer({"bootstrap.servers": topic.bootstrap, "partitioner": "murmur2_random"})
    for key in keys:
        if key:  # librdkafka takes an empty key for none
            java_like.produce(f"{topic.prefix}events.v1", encode(make_event(0, key)), key.encode())
    assert java_like.flush(20) == 0
    records = topic.records()
    assert len(records) == len(keys) + sum(map(bool, keys))
    assert [record.partition for record in records] == [
        partition_of(record.key.decode(), PARTITIONS) for record in records
    ]
    assert {record.partition for record in records} == set(range(PARTITIONS))


def test_the_order_of_a_key_is_kept_over_batches(topic, connect):
    client = connect()
    for start in range(0, 2000, 500):
        client.post([encode(make_event(number, padding=900)) for number in range(start, start + 500)])
    assert [event.id for event in topic.events()] == [f"{number:016x}" for number in range(2000)]


# What is refused


def test_an_event_too_large_for_the_topic_is_rejected_and_the_others_go(kafka, prefix, connect):
    small = Topic(kafka, f"{prefix}small.").create(**{"max.message.bytes": "20000"})
    noise = random.Random(7)
    sizes = [60_000 if number in (3, 70) else 200 for number in range(100)]
    events = []
    for number, size in enumerate(sizes):
        data = UnknownData(msgspec.Raw(msgspec.json.encode({"x": noise.randbytes(size // 2).hex()})))
        events.append(encode(msgspec.structs.replace(make_event(number, f"k{number % 7}"), data=data)))
    client = connect(QML_KAFKA_TOPIC_PREFIX=small.prefix)
    rejected = client.post(events)
    assert sorted(one.index for one in rejected) == [3, 70]
    assert all(f"more than {small.prefix}events.v1 takes in a record" in one.reason for one in rejected)
    assert client.post(ten(1000)) == []
    assert small.copies() == {decode(event).key: 1 for event in events + ten(1000) if len(event) < 60_000}


@pytest.mark.parametrize(
    ("target", "environ", "kind", "said"),
    [
        (None, {"QML_KAFKA_TOPIC_PREFIX": "none."}, PermanentError, "shows no topic none.events.v1 to this user: create it with"),
        ("kafka://127.0.0.1:1", {}, RetryableError, "cannot be reached: Connection refused"),
        ("kafka://no-such-host.invalid", {}, PermanentError, "cannot be found"),
        (None, {"QML_KAFKA_SECURITY_PROTOCOL": "TLS"}, PermanentError, "QML_KAFKA_"),
        (None, {"QML_KAFKA_SSL_CAFILE": "/ca.pem"}, PermanentError, "QML_KAFKA_SSL_CAFILE: is not used without TLS"),
        (None, {"QML_KAFKA_SECURITY_PROTOCOL": "SSL"}, (RetryableError, PermanentError), "QML_KAFKA_SECURITY_PROTOCOL"),
    ],
)  # fmt: skip
def test_trouble_is_told_with_its_mend_and_nothing_is_logged(topic, connect, caplog, target, environ, kind, said):
    started = time.monotonic()
    with pytest.raises(kind) as caught:
        connect(target, **environ).post(ten())
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert time.monotonic() - started < 15
    assert caplog.records == []


def test_a_server_that_is_away_does_not_matter_where_another_one_answers(topic, connect):
    assert connect(f"kafka://127.0.0.1:1,{topic.bootstrap}").post(ten()) == []
    assert len(topic.events()) == 10


def _secret(tmp_path, text):
    path = tmp_path / "secret"
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


@pytest.mark.parametrize(
    ("door", "protocol", "mechanism"),
    [
        ("tls", "SSL", None),
        ("mtls", "SSL", None),
        ("plain", "SASL_PLAINTEXT", "PLAIN"),
        ("scram", "SASL_SSL", "SCRAM-SHA-256"),
        ("scram512", "SASL_SSL", "SCRAM-SHA-512"),
        ("oauth", "SASL_SSL", "OAUTHBEARER"),
    ],
)
def test_each_way_in_works_from_files_and_a_wrong_secret_is_named(
    tmp_path, secure_broker, connect, caplog, door, protocol, mechanism
):
    import base64

    topic = Topic(secure_broker.bootstrap, f"{door}-{time.time_ns()}.").create()
    environ = {"QML_KAFKA_TOPIC_PREFIX": topic.prefix, "QML_KAFKA_SECURITY_PROTOCOL": protocol}
    if "SSL" in protocol:
        environ["QML_KAFKA_SSL_CAFILE"] = str(secure_broker.authority.file)
    if door == "mtls":
        certificate, key = secure_broker.authority.issue("trainer")
        environ |= {"QML_KAFKA_SSL_CERTFILE": str(certificate), "QML_KAFKA_SSL_KEYFILE": str(key)}
    if mechanism == "OAUTHBEARER":
        claims = [{"alg": "none"}, {"sub": "alice", "iat": int(time.time()) - 60, "exp": int(time.time()) + 600}]
        token = ".".join(base64.urlsafe_b64encode(msgspec.json.encode(one)).decode().rstrip("=") for one in claims)
        environ |= {"QML_KAFKA_OAUTH_TOKEN_FILE": _secret(tmp_path, f"{token}.")}
    elif mechanism:
        environ |= {
            "QML_KAFKA_SASL_USERNAME": "alice",
            "QML_KAFKA_SASL_PASSWORD_FILE": _secret(tmp_path, "wonder-land"),
        }
    if mechanism:
        environ["QML_KAFKA_SASL_MECHANISM"] = mechanism
    target = f"kafka://{secure_broker.bootstraps[door]}"
    assert connect(target, **environ).post(ten()) == []
    assert len(topic.events()) == 10
    if mechanism:
        _secret(tmp_path, "hunter2")
        with pytest.raises(PermanentError, match="refuses the user or the secret") as caught:
            connect(target, **environ).post(ten())
        assert "hunter2" not in str(caught.value)
    else:
        with pytest.raises(PermanentError, match="does not verify .*: check QML_KAFKA_SSL_CAFILE"):
            connect(target, **{name: text for name, text in environ.items() if "CAFILE" not in name}).post(ten())
    assert [record for record in caplog.records if "consumer" not in record.name] == []  # but for the test's reader


# Trainers


def test_a_program_that_ends_has_delivered_everything_and_says_nothing(program, topic, tmp_path):
    done = program(topic, "with q.run('x'):\n    log('a')\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert topic.values("a") == hundred()
    assert set(topic.copies().values()) == {1}
    assert {event.type.split(".")[2] for event in topic.events() if ".run." in event.type} == {"started", "ended"}
    assert [path.name for path in spool_of(tmp_path).rglob("*") if path.is_file()] == []


def test_a_program_so_short_that_it_connects_at_its_end_delivers_by_name_too(program, topic):
    named = {"QML_TARGET": f"kafka://localhost:{topic.bootstrap.rpartition(':')[2]}"}
    done = program(topic, "log('a')\n", **named)
    assert (done.returncode, done.stderr) == (0, "")
    assert topic.values("a") == hundred()


def test_flush_returns_when_the_broker_has_it_also_within_a_loop_of_the_host(program, topic):
    code = (
        "import asyncio, logging\nlogging.basicConfig(level=logging.INFO)\n"
        "async def main():\n    log('a')\n    assert q.flush(20)\n    assert q.stats().acknowledged >= 100\n"
        "asyncio.run(main())\nprint(q.stats().trouble, flush=True)\nos._exit(0)\n"
    )
    done = program(topic, code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "None\n", "")
    assert topic.values("a") == hundred()


def test_parent_and_forked_child_each_deliver_their_own_once(program, topic):
    code = (
        "log('parent'); q.flush(20)\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    log('child'); sys.exit(0 if q.flush(20) else 1)\n"
        "log('later')\n"
        "sys.exit(os.waitpid(child, 0)[1])\n"
    )
    done = program(topic, code)
    assert (done.returncode, done.stderr) == (0, "")
    assert [topic.values(name) for name in ("parent", "child", "later")] == [hundred()] * 3
    assert set(topic.copies().values()) == {1}


def test_a_program_of_processes_forked_in_the_middle_of_sending_ends_well(program, topic):
    code = (
        "import multiprocessing, random\n"
        "def work(number):\n    log(f'c{number}')\n"
        "fork = multiprocessing.get_context('fork')\n"
        "for number in range(8):\n"
        "    log('p', 2000)\n"
        "    child = fork.Process(target=work, args=(number,)); child.start(); child.join(30)\n"
        "    assert child.exitcode == 0\n"
    )
    done = program(topic, code)
    assert (done.returncode, done.stderr) == (0, "")
    copies = topic.copies()
    assert set(copies.values()) == {1}
    assert [topic.values(f"c{number}") for number in range(8)] == [hundred()] * 8
    assert len(topic.values("p")) == 16_000


def test_without_aiokafka_one_line_says_what_to_install_and_nothing_is_lost(program, command, topic, tmp_path):
    hidden = "sys.modules['aiokafka'] = None\n"
    done = program(topic, f"{hidden}log('a')\nassert not q.flush(10)\n", QML_FLUSH_SECONDS="5")
    assert done.returncode == 0
    first, last = done.stderr.splitlines()
    assert "pip install 'quantum-mlops[kafka]'; what is recorded is kept" in first
    assert "KiB of events are not at" in last
    sent = command(topic, "ship", "--once", "--spool", spool_of(tmp_path))
    assert sent.returncode == 0, sent.stderr
    assert topic.values("a") == hundred()


def test_an_absent_broker_delays_the_end_by_the_bound_and_one_line_says_what_stays_where(
    program, command, topic, tmp_path
):
    away = {"QML_TARGET": "kafka://127.0.0.1:1", "QML_FLUSH_SECONDS": "0.5"}
    started = time.monotonic()
    done = program(topic, "log('a')\nassert not q.flush(2)\n", **away)
    assert time.monotonic() - started < 15
    assert done.returncode == 0
    folder = spool_of(tmp_path)
    first, last = done.stderr.splitlines()
    assert "kafka://127.0.0.1:1 cannot be reached: Connection refused; what is recorded is kept and sent later" in first
    assert f"quantum-mlops ship --once --spool {folder} --target kafka://127.0.0.1:1" in last
    assert len(read_folder(folder)) >= 100
    sent = command(topic, "ship", "--once", "--spool", folder)
    assert sent.returncode == 0, sent.stderr
    assert topic.values("a") == hundred()
    assert list(folder.glob("*.qseg")) == []


@pytest.mark.timeout(300)  # two starts of a broker, on a machine that other tests load
def test_a_broker_killed_under_way_costs_a_line_when_it_goes_and_one_when_it_is_back(own_broker, tmp_path, wait_for):
    broker = own_broker()
    topic = Topic(broker.bootstrap, "mine.").create()
    code = (
        "import logging\nlogging.basicConfig(level=logging.INFO)\nvalue = 0\nprint('ready', flush=True)\n"
        "while not os.path.exists(sys.argv[1]):\n    q.log_metrics({'a': value}); value += 1; time.sleep(0.001)\n"
        "print(value, q.flush(50), flush=True)\n"
    )
    path, stop = tmp_path / "program.py", tmp_path / "stop"
    path.write_text(HEAD + code)
    said = tmp_path / "said"
    with (
        said.open("w") as stderr,
        subprocess.Popen(
            [sys.executable, str(path), str(stop)],
            env=environment(tmp_path, topic),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as trainer,
    ):
        assert trainer.stdout.readline() == "ready\n"
        wait_for(lambda: len(topic.events()) > 500)
        broker.kill()
        wait_for(lambda: "kept and sent later" in said.read_text(), 60)
        broker.start()
        wait_for(lambda: "takes events again" in said.read_text(), 90)
        stop.touch()
        value, flushed = trainer.communicate(timeout=60)[0].split()
    assert (trainer.returncode, flushed) == (0, "True")
    assert topic.values("a") == [float(number) for number in range(int(value))]
    away, back = said.read_text().splitlines()
    assert away.startswith(f"quantum-mlops: kafka://{broker.bootstrap} ")
    assert back == f"quantum-mlops: kafka://{broker.bootstrap} takes events again"
    assert sum(topic.copies().values()) - len(topic.copies()) <= 1000  # at most the batch whose answer was lost


def test_what_a_killed_trainer_spooled_is_adopted_by_ship(tmp_path, command, topic):
    code = "print('ready', flush=True)\nvalue = 0\nwhile True:\n    q.log_metrics({'a': value}); value += 1; time.sleep(0.0005)\n"
    path = tmp_path / "killed.py"
    path.write_text(HEAD + code)
    with subprocess.Popen(
        [sys.executable, str(path)], env=environment(tmp_path, topic), stdout=subprocess.PIPE, text=True
    ) as trainer:
        assert trainer.stdout.readline() == "ready\n"
        time.sleep(2.4)  # the moment of the kill, not a wait for a condition
        os.kill(trainer.pid, signal.SIGKILL)
    folder = spool_of(tmp_path)
    left = {event.key for event in read_folder(folder)}
    before = set(topic.copies())
    assert len(before) > 100
    sent = command(topic, "ship", "--once", "--spool", folder)
    assert sent.returncode == 0, sent.stderr
    assert set(topic.copies()) == before | left
    values = topic.values("a")
    assert values == [float(number) for number in range(len(values))]
    assert [found for found in folder.rglob("*") if found.is_file()] == []


def test_one_process_sustains_10_000_events_a_second(program, topic):
    code = (
        "log('warm', 10); assert q.flush(20)\n"
        "cpu, begin, seconds, rate = time.process_time(), time.perf_counter(), 4, 10_000\n"
        "for value in range(seconds * rate):\n"
        "    q.log_metrics({'a': value})\n"
        "    if value % 100 == 0:\n"
        "        time.sleep(max(0.0, begin + value / rate - time.perf_counter()))\n"
        "logged = time.perf_counter() - begin\n"
        "assert q.flush(30)\n"
        "print(logged, time.perf_counter() - begin, time.process_time() - cpu, q.stats().dropped)\n"
    )
    done = program(topic, code)
    assert done.stderr == ""
    logged, sent, cpu, dropped = map(float, done.stdout.split())
    assert dropped == 0
    assert sent - logged < 4  # it kept up
    assert cpu < 4  # seconds of a core for 4 s at 10,000 a second; measured 1.3
    assert len(topic.values("a")) == 40_000


# Commands


def test_shell_lines_reach_kafka_and_doctor_says_where_they_go(command, topic):
    line = '{"type": "metric.logged", "data": {"values": {"a": 7}}}\n'
    done = command(topic, "emit", "--run", "r1", "--target", topic.target, stdin=line)
    assert (done.returncode, done.stderr) == (0, "quantum-mlops emit: 1 events taken, 0 lines wrong\n")
    assert topic.values("a") == [7.0]
    done = command(topic, "doctor")
    assert f"{topic.target}: {topic.prefix}events.v1, {PARTITIONS} partitions" in done.stdout
    done = command(topic, "doctor", QML_KAFKA_TOPIC_PREFIX="none.")
    assert done.returncode == 1
    assert "shows no topic none.events.v1 to this user: create it with quantum-mlops kafka init" in done.stdout


def test_ship_says_a_mistake_in_one_line_and_ends_with_2(program, command, topic, tmp_path):
    program(topic, "log('a')\n", QML_TARGET=f"spool:{tmp_path / 'shared'}")
    done = command(topic, "ship", "--once", "--spool", tmp_path / "shared", QML_KAFKA_TOPIC_PREFIX="none.")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].count("shows no topic none.events.v1") == 1
    assert "Traceback" not in done.stderr
    assert len(read_folder(tmp_path / "shared")) >= 100
