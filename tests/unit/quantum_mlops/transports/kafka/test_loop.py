"""The IO thread: errors in our words, waits with a bound, tasks that can be ended; the client's log."""

import asyncio
import logging
import ssl
import threading

import pytest
from aiokafka import errors
from aiokafka.producer import sender

from quantum_mlops.errors import ConfigError, LogError, LogFencedError
from quantum_mlops.transports.kafka import transaction
from quantum_mlops.transports.kafka.faults import ClientLog, explain, is_users_mistake
from quantum_mlops.transports.kafka.loop import KafkaLoop, Scope


@pytest.fixture
def loop():
    loop = KafkaLoop("a:1", timeout_seconds=5)
    yield loop
    loop.close()


async def give(value):
    return value


async def fail(error):
    raise error


def test_it_returns_what_the_coroutine_returns(loop):
    assert loop.run(give(7), "giving") == 7
    assert loop.submit(give(8), "giving").result(5) == 8


def test_a_wait_has_a_bound_and_the_coroutine_is_cancelled(loop):
    cancelled = threading.Event()

    async def hang():
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    with pytest.raises(LogError, match=r"^Kafka at a:1: waiting: no answer within 0.05 s$"):
        loop.run(hang(), "waiting", 0.05)
    assert cancelled.wait(5)


def test_closing_ends_what_runs_and_refuses_more(loop):
    future = loop.submit(asyncio.sleep(60), "sleeping")
    loop.close()
    loop.close()
    assert future.done()
    with pytest.raises(LogError, match="after closing"):
        loop.run(give(1), "giving")


def test_a_scope_ends_the_tasks_of_its_tasks(loop):
    ended = []

    async def child():
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("child")

    async def parent():
        inner = asyncio.create_task(child())
        await asyncio.sleep(0)
        await inner

    async def check():
        scope = Scope()

        async def start():
            return asyncio.create_task(parent())

        task = await scope.run(start())
        other = asyncio.create_task(asyncio.sleep(60))
        await asyncio.sleep(0.01)
        await scope.cancel()
        assert task.cancelled()
        assert not other.done()
        other.cancel()

    loop.run(check(), "checking")
    assert ended == ["child"]


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (errors.ProducerFenced(), LogFencedError, "another process has taken over; this one's write is refused"),
        (errors.InvalidProducerEpoch(), LogFencedError, "another process has taken over"),
        (errors.KafkaConnectionError("no\nroute"), LogError, "cannot be reached: KafkaConnectionError: no route"),
        (ConnectionRefusedError(111, "refused"), LogError, "cannot be reached: [Errno 111] refused"),
        (TimeoutError(), LogError, "no answer within 5 s"),
        (ssl.SSLError("bad"), LogError, "TLS fails: "),
        (errors.SaslAuthenticationFailed("wrong"), LogError, "the credentials are refused"),
        (errors.IncompatibleBrokerVersion("x"), LogError, "the broker is too old"),
        (errors.TopicAuthorizationFailedError("t"), LogError, "this user may not use the topic"),
        (ValueError("odd"), LogError, "ValueError: odd"),
    ],
)
def test_errors_are_one_line_of_ours(loop, error, kind, text):
    with pytest.raises(LogError) as caught:
        loop.run(fail(error), "trying")
    assert type(caught.value) is kind
    assert str(caught.value).startswith(f"Kafka at a:1: trying: {text}")
    assert "\n" not in str(caught.value)


def test_our_own_errors_pass_as_they_are(loop):
    own = ConfigError("x")
    with pytest.raises(ConfigError) as caught:
        loop.run(fail(own), "trying")
    assert caught.value is own
    assert explain(own, "a", "b") is own


def test_what_a_person_has_to_change_is_told_apart():
    assert is_users_mistake(errors.SaslAuthenticationFailed())
    assert is_users_mistake(ssl.SSLError())
    assert not is_users_mistake(errors.KafkaConnectionError())


def test_the_clients_log_is_passed_on_once_a_minute_a_kind(caplog):
    now = [0.0]
    logger = logging.getLogger("a-client-of-kafka")
    logger.propagate = False
    logger.addHandler(ClientLog(lambda: now[0]))
    with caplog.at_level(logging.DEBUG, "quantum_mlops.kafka"):
        for number in range(1000):
            logger.error("cannot connect to %s\nat all", number)
            logger.info("not a word of this")
            logger.error("unexpected", exc_info=ValueError())
        said = [record for record in caplog.records if record.name == "quantum_mlops.kafka"]
        assert [record.getMessage() for record in said] == ["cannot connect to 0 at all", "unexpected"]
        assert not any(record.exc_info for record in said)
        now[0] = 61.0
        logger.error("cannot connect to %s\nat all", 7)
        said = [record for record in caplog.records if record.name == "quantum_mlops.kafka"]
        assert said[-1].getMessage() == "cannot connect to 7 at all (and 999 more like it)"


def test_the_pause_between_two_transactions_is_short():
    assert transaction.sender is sender
    assert sender.BACKOFF_OVERRIDE == 0.002  # the client uses the name that we set
