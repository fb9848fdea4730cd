"""The event loop that a client of ours runs on, in its own thread: never the host's, and never a thread more.

For the clients that ship it turns only while something is sent, so that a broker that is away costs nothing in
between. At the end of a program no thread can be started: what asyncio, aiokafka and aiomqtt leave to other
threads (names of hosts, SASL, connecting) is done in this one. A forked child lets go of the parent's connections
without a word on the wire: the selector keeps nothing in the kernel, and each file becomes /dev/null in the child.
"""

import asyncio
import os
import selectors
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

_SETTLE_SECONDS = 0.5
_OF_THE_LOOP = 1  # its own file, to be woken by
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class ClientLoop(asyncio.SelectorEventLoop):
    """Runs everything in its own thread and says nothing of what is left behind."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        super().__init__(selector)
        self.set_exception_handler(_ignore)

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:  # noqa: ARG002 - the base's
        """Call `func` now, in this thread."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - a future carries any error to who awaits it
            future.set_exception(error)
        return future


class OwnLoop:
    """Runs coroutines of one client, from one thread at a time."""

    def __init__(self) -> None:
        self._selector = selectors.PollSelector()
        self._runner = asyncio.Runner(loop_factory=lambda: ClientLoop(self._selector))

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run to the end and return the result; tasks it started go on at the next call."""
        return self._runner.run(coroutine)

    def close(self) -> None:
        """Close what is left, in half a second at most; idempotent."""
        if self._selector.get_map() is not None:
            self._runner.run(self._settle())
        self._runner.close()

    async def _settle(self) -> None:
        """Let connections that were told to close do so: with TLS this takes some turns."""
        until = time.monotonic() + _SETTLE_SECONDS
        while len(self._selector.get_map()) > _OF_THE_LOOP and time.monotonic() < until:  # noqa: ASYNC110 - transports tell nobody
            await asyncio.sleep(0.005)

    def abandon(self) -> None:
        """Let go of a parent process's files: in a forked child, which may be in the middle of `run`."""
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for key in (self._selector.get_map() or {}).values():  # None once closed
            # Not closed: Python's own object closes the number later, which then must not be somebody else's.
            os.dup2(null, key.fd, inheritable=False)
        os.close(null)
        _abandoned.append(self)


_abandoned: list[OwnLoop] = []  # kept, so that no destructor touches what the fork tore


def _ignore(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say nothing of what is left behind: each error that matters was raised to who waited for it."""
