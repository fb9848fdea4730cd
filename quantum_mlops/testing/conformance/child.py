"""A function in a forked child, and what it returned."""

import os
import pickle
import select
import signal
import warnings
from collections.abc import Callable
from typing import Any

_SECONDS = 60.0


def run_in_child(function: Callable[[], Any], before_exit: Callable[[], object] = lambda: None) -> Any:
    """Return what `function` returns in a forked child, which then calls `before_exit`; at most 60 s.

    Raises:
        AssertionError: it raised, ended otherwise, or took too long.

    >>> run_in_child(lambda: [1, 2])
    [1, 2]
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of threads; they are what is tested
        child = os.fork()
    if child == 0:
        _be_the_child(writing, function, before_exit)
    os.close(writing)
    try:
        found = _read(reading)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        os.close(reading)
        os.waitpid(child, 0)
    if not found:
        raise AssertionError("the child ended without a word")
    raised, value = pickle.loads(found)  # noqa: S301 - from our own child
    if raised:
        raise AssertionError(f"in the child: {value}")
    return value


def _read(reading: int) -> bytes:
    found = b""
    while select.select([reading], [], [], _SECONDS)[0]:
        piece = os.read(reading, 65536)
        if not piece:
            return found
        found += piece
    raise AssertionError(f"the child did not end within {_SECONDS:.0f} s")


def _be_the_child(writing: int, function: Callable[[], Any], before_exit: Callable[[], object]) -> None:
    status = 1
    try:
        try:
            told = False, function()
        except BaseException as error:  # noqa: BLE001 - told to the parent
            told = True, f"{type(error).__name__}: {error}"
        before_exit()
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(told, pipe)
        status = 0
    finally:
        os._exit(status)
