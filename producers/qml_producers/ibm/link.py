"""A call into an SDK that may hang, bounded in time: it runs in a thread of ours, and is left to itself where it does.

qiskit-ibm-runtime waits for an answer without limit, and for a token up to a minute longer than its own limit. A call
that did not come back blocks nobody: until it does, every further one is refused at once.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from quantum_mlops.errors import RetryableError

_Found = TypeVar("_Found")


class Link:
    """One thread, which ends with `close` and does not keep the process alive."""

    def __init__(self, what: str, timeout_seconds: float) -> None:
        self._what = what
        self._timeout_seconds = timeout_seconds
        self._calls: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        self._pending: Future[Any] | None = None
        self._thread: threading.Thread | None = None

    def call(self, function: Callable[[], _Found]) -> _Found:
        """Return what `function` returns, or raise what it raises.

        Raises:
            RetryableError: it took too long, or the one before has not come back.

        """
        if self._pending is not None and not self._pending.done():
            raise RetryableError(f"{self._what}: the call before has not come back yet")
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=f"qml-{self._what}", daemon=True)
            self._thread.start()
        found: Future[_Found] = Future()
        self._pending = found
        self._calls.put((function, found))
        try:
            return found.result(self._timeout_seconds)
        except TimeoutError:
            if found.done():
                raise  # its own
            raise RetryableError(f"{self._what}: no answer within {self._timeout_seconds:g} s") from None

    def close(self) -> None:
        """End the thread once it is free; idempotent."""
        if self._thread is not None:
            self._calls.put(None)
            self._thread = None

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            function, found = call
            try:
                found.set_result(function())
            except BaseException as error:  # noqa: BLE001 - raised where it was asked for
                found.set_exception(error)
