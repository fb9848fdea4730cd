"""One thread with an asyncio event loop, for code that blocks: aiokafka's clients live here.

A client that hangs (its broker is away) leaves tasks that wait for ever; a `Scope` knows the tasks that
a client started, so that they can be ended.
"""

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import Any, TypeVar
from weakref import WeakSet

from quantum_mlops.errors import LogError
from quantum_mlops.transports.kafka.faults import explain, quiet_client_log

TIMEOUT_SECONDS = 30.0
_GRACE_SECONDS = 5.0

T = TypeVar("T")
_tasks_of: ContextVar["WeakSet[asyncio.Task[Any]] | None"] = ContextVar("tasks_of", default=None)


class Scope:
    """The tasks started by what runs in it, and by these; used on the loop only."""

    def __init__(self) -> None:
        self._tasks: WeakSet[asyncio.Task[Any]] = WeakSet()

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Await `coroutine`; what it starts belongs to this scope."""
        token = _tasks_of.set(self._tasks)
        try:
            return await coroutine
        finally:
            _tasks_of.reset(token)

    async def cancel(self) -> None:
        """End all tasks; returns when they have ended, or after a second."""
        tasks = [task for task in self._tasks if not task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1)


class KafkaLoop:
    """An event loop in a thread of its own. `run` may be called from any other thread; `close` once.

    Args:
        servers: the brokers, for messages.
        timeout_seconds: the bound of a wait that names none.

    """

    def __init__(self, servers: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        quiet_client_log()
        self.servers = servers
        self.timeout_seconds = timeout_seconds
        self._loop = asyncio.new_event_loop()
        self._loop.set_task_factory(_make_task)
        self._loop.set_exception_handler(_ignore)
        self._thread = threading.Thread(target=self._turn, name="kafka-io", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T], doing: str, timeout_seconds: float | None = None) -> T:
        """Run `coroutine` on the loop and return what it returns; blocks for at most `timeout_seconds`.

        `doing` is a phrase for the message ("reading events").

        Raises:
            LogError: the brokers refused, cannot be reached or did not answer in time; LogFencedError. The
                coroutine is cancelled then.

        """
        bound = self.timeout_seconds if timeout_seconds is None else timeout_seconds
        future = self.submit(coroutine, doing, bound)
        try:
            return future.result(bound + _GRACE_SECONDS)
        except (TimeoutError, concurrent.futures.TimeoutError, concurrent.futures.CancelledError) as error:
            future.cancel()
            raise explain(TimeoutError("no answer: the IO thread hangs or was closed"), doing, self.servers) from error

    def submit(
        self, coroutine: Coroutine[Any, Any, T], doing: str, timeout_seconds: float | None = None
    ) -> "concurrent.futures.Future[T]":
        """Run `coroutine` on the loop, as `run` does, without waiting: its errors are the future's.

        Raises:
            LogError: the loop is closed.

        """
        bound = self.timeout_seconds if timeout_seconds is None else timeout_seconds
        if self._loop.is_closed() or not self._thread.is_alive():
            coroutine.close()
            raise LogError(f"Kafka at {self.servers}: {doing} after closing")
        return asyncio.run_coroutine_threadsafe(self._bound(coroutine, doing, bound), self._loop)

    def close(self) -> None:
        """End what still runs, stop the thread and close the loop; idempotent."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop).result(_GRACE_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_GRACE_SECONDS)
        self._loop.close()

    async def _bound(self, coroutine: Coroutine[Any, Any, T], doing: str, seconds: float) -> T:
        try:
            return await asyncio.wait_for(coroutine, seconds)
        except TimeoutError as error:
            raise explain(TimeoutError(f"no answer within {seconds:g} s"), doing, self.servers) from error
        except Exception as error:  # every kind of error of the client is put into our words in one place
            raise explain(error, doing, self.servers) from error

    def _turn(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()


async def _cancel_others() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=1)


def _make_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **more: Any) -> "asyncio.Task[Any]":
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **more)
    tasks = _tasks_of.get()
    if tasks is not None:
        tasks.add(task)
    return task


def _ignore(_loop: asyncio.AbstractEventLoop, _context: dict[str, Any]) -> None:
    """Say nothing of what a cancelled client's tasks leave behind; errors reach the caller by `run`."""
