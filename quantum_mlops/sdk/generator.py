"""Runs that span the use of a generator: current while its body runs, not while it waits at a `yield`.

A generator shares the context of whoever iterates it. So its run, and the runs its body began, are taken
out of that context at each `yield` and put back before the body goes on. Nothing else of the context is
touched: the body sees the caller's own context variables as it would undecorated.
"""

import functools
from collections.abc import AsyncGenerator, Callable, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quantum_mlops.sdk.run import Run, RunBook


class Turn:
    """A context manager around each turn of the body. Made when the run has just begun; not reentrant."""

    def __init__(self, book: "RunBook", run: "Run") -> None:
        self._book = book
        self._run = run
        self._outer: Run | None = None
        self._inner = book.park(run, run.parent)

    def __enter__(self) -> None:
        self._outer = self._book.unpark(self._run, self._inner)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._inner = self._book.park(self._run, self._outer)


def span_generator(
    function: Callable[..., Generator[Any, Any, Any]], book: "RunBook", make: "Callable[[], Run]"
) -> Callable[..., Generator[Any, Any, Any]]:
    """Return a generator function, each of whose generators is one run, from its first `next` to its end."""

    @functools.wraps(function)
    def run_generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with make() as run:
            turn = Turn(book, run)
            body = function(*args, **kwargs)
            advance: Callable[[Any], Any] = body.send
            given = None
            while True:
                try:
                    with turn:
                        item = advance(given)
                except StopIteration as end:
                    return end.value
                try:
                    given = yield item
                    advance = body.send
                except GeneratorExit:
                    with turn:
                        body.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - whatever the caller throws in is the body's to judge
                    given, advance = error, body.throw

    return run_generator


def span_async_generator(
    function: Callable[..., AsyncGenerator[Any, Any]], book: "RunBook", make: "Callable[[], Run]"
) -> Callable[..., AsyncGenerator[Any, Any]]:
    """Return an async generator function, each of whose generators is one run, from its first `anext` to its end."""

    @functools.wraps(function)
    async def run_async_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        with make() as run:
            turn = Turn(book, run)
            body = function(*args, **kwargs)
            advance: Callable[[Any], Any] = body.asend
            given = None
            while True:
                try:
                    with turn:
                        item = await advance(given)
                except StopAsyncIteration:
                    return
                try:
                    given = yield item
                    advance = body.asend
                except GeneratorExit:
                    with turn:
                        await body.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - whatever the caller throws in is the body's to judge
                    given, advance = error, body.athrow

    return run_async_generator
