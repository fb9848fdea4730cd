import asyncio
import logging
import os
import random
import socket
import threading
from pathlib import Path

import pytest

from quantum_mlops.shipping.kafka.quiet import keep_quiet
from quantum_mlops.shipping.loop import OwnLoop
from quantum_mlops.testing.conformance.child import run_in_child


@pytest.fixture
def loop():
    loop = OwnLoop()
    yield loop
    loop.close()


def test_what_would_go_to_another_thread_is_done_in_this_one(loop):
    async def look_up():
        running = asyncio.get_running_loop()
        there = await running.run_in_executor(None, threading.get_ident)
        return there, await running.getaddrinfo("localhost", 1, type=socket.SOCK_STREAM)

    before = set(threading.enumerate())
    there, addresses = loop.run(look_up())
    assert there == threading.get_ident()
    assert addresses
    assert set(threading.enumerate()) <= before  # others may have ended


def test_an_error_of_such_work_reaches_who_waits_for_it(loop):
    async def fail():
        await asyncio.get_running_loop().run_in_executor(None, int, "x")

    with pytest.raises(ValueError, match="invalid literal"):
        loop.run(fail())


def test_the_host_has_no_loop_after_it(loop):
    async def nothing():
        pass

    loop.run(nothing())
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


def test_a_forked_child_lets_go_without_a_word_and_the_parent_goes_on(loop):
    async def connect():
        return await asyncio.open_connection(*server.getsockname())

    async def speak(writer, text):
        writer.write(text)
        await writer.drain()

    with socket.create_server(("127.0.0.1", 0)) as server:
        _, writer = loop.run(connect())
        there, _ = server.accept()
        there.settimeout(20)
        with there:
            number = writer.get_extra_info("socket").fileno()

            def let_go():
                loop.abandon()
                writer.close()
                return os.fstat(number).st_rdev

            assert run_in_child(let_go) == Path(os.devnull).stat().st_rdev
            loop.run(speak(writer, b"still here"))
            assert there.recv(100) == b"still here"
            writer.close()


def test_a_closed_loop_is_abandoned_and_closed_again_without_fuss(loop):
    loop.close()
    loop.abandon()
    loop.close()


def test_the_client_s_log_is_dropped_on_our_loop_and_nowhere_else(loop, caplog):
    async def warn():
        logging.getLogger("aiokafka.conn").warning("ours")

    keep_quiet()
    keep_quiet()
    with caplog.at_level(logging.WARNING):
        loop.run(warn())
        asyncio.run(warn())
        logging.getLogger("aiokafka.conn").warning("the host's")
    # A log in Kafka, where one was opened in this process, says the client's warnings again in its own name.
    told = [record.getMessage() for record in caplog.records if record.name == "aiokafka.conn"]
    assert told == ["ours", "the host's"]


def test_shuffling_brokers_takes_nothing_from_the_host_s_random_numbers():
    from aiokafka.conn import collect_hosts

    keep_quiet()
    random.seed(7)
    before = random.getstate()
    assert len(collect_hosts(["a:1", "b:1", "c:1"])) == 3
    assert random.getstate() == before
