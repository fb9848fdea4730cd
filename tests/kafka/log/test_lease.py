"""The lease at its edges: at no instant do two hold it."""

import asyncio

import msgspec
import pytest

from quantum_mlops.errors import UserError
from quantum_mlops.transports.kafka import lease
from quantum_mlops.transports.kafka.lease import CURSOR, KafkaLease
from quantum_mlops.transports.kafka.loop import KafkaLoop
from tests.waiting import wait_for


@pytest.fixture
def make_lease(settings, open_log, monkeypatch):
    monkeypatch.setattr(lease, "LASTS_SECONDS", 2.0)
    monkeypatch.setattr(lease, "PERIOD_SECONDS", 0.5)
    monkeypatch.setattr(lease, "_LOOK_SECONDS", 0.1)
    log, loops, made = open_log(), [], []

    def make(home, kind=KafkaLease):
        loops.append(KafkaLoop(settings.servers))
        made.append(kind(loops[-1], settings, home, look))
        return made[-1]

    def look():
        return log.cursor(CURSOR)

    make.look = look
    yield make
    for one in made:
        one.close()
    for loop in loops:
        loop.close()


def silence(holder):
    """Let it renew no more, as one that hangs."""
    holder._loop.run(_end(holder._task), "silencing")


async def _end(task):
    task.cancel()
    await asyncio.wait([task])


def renew(holder):
    """Renew once, as one that comes back."""
    began = lease.time.monotonic()
    holder._me = msgspec.structs.replace(holder._me, beat=holder._me.beat + 1)
    holder._loop.run(holder._write(holder._producer, holder._me), "renewing")
    holder._held_until = began + lease.LASTS_SECONDS


def test_a_live_holder_is_left_alone_and_a_silent_one_is_replaced(make_lease):
    first, second = make_lease("one"), make_lease("two")
    first.take()
    assert first.is_held()
    wait_for(make_lease.look, "it is visible")
    with pytest.raises(UserError, match="another daemon of group"):
        second.take()
    assert first.is_held()
    silence(first)
    second.take()
    assert second.is_held()
    assert not first.is_held()


def test_a_holder_that_comes_back_at_the_last_instant_has_its_time(make_lease):
    first = make_lease("one")

    class Late(KafkaLease):
        """Before it fences the silent holder, that one is heard of once more."""

        async def _open(self):
            await asyncio.to_thread(renew, first)
            return await super()._open()

    second = make_lease("two", Late)
    first.take()
    silence(first)
    second.take()
    assert second.is_held()
    assert not first.is_held()


def test_who_takes_it_while_another_mends_keeps_it_alone(make_lease):
    first, third = make_lease("one"), make_lease("three")

    class Slow(KafkaLease):
        """Between its look and its fencing somebody else takes the lease."""

        is_slow = False

        async def _open(self):
            if self.is_slow:
                await asyncio.to_thread(third.take)
            return await super()._open()

    second = make_lease("two", Slow)
    first.take()
    first.close()
    second.take()
    silence(second)
    wait_for(lambda: not second.is_held(), "it runs out")
    second.close()  # the connection broke: the cursor is empty
    second.is_slow, second._mend_at = True, 0.0
    assert not second.is_held()
    with pytest.raises(UserError, match="took over"):
        second.check()
