"""Storms over workers: events flow in while a seeded hand strikes; in the end nothing is lost, doubled or renamed."""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from quantum_mlops.events import Event
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.memory import MemoryLog
from tests.kafka.counting import read_counts
from tests.kafka.crew import Crew
from tests.kafka.derived import Derived, collect, compare, read_stream, replayed
from tests.kafka.story import Item, Truth, mixed_story, tell_truth

SEED = int(os.environ.get("QML_CHAOS_SEED", "20261121"))
"""Part of every test's name; another one by the environment."""
ROUNDS = int(os.environ.get("QML_SOAK_ROUNDS", "25"))
"""How often a soak strikes, where the tests of CI strike five times."""
_PIECE = 400


class Tale(Struct, frozen=True):
    """A story, what is to be derived from it, and what a counter must count."""

    items: list[Item]
    expected: Derived
    truth: dict[str, Truth]


def tell(seed: int, count: int) -> Tale:
    """Make a story and process it once in memory, without interruption."""
    items = mixed_story(seed, count)
    log = MemoryLog()
    log.append([item for item in items if isinstance(item, Event)])
    expected, truth = replayed(log), tell_truth(items)
    assert read_counts(expected.states) == truth
    return Tale(items, expected, truth)


def flow(crew: Crew, items: Sequence[Item], seconds: float) -> threading.Thread:
    """Send items from a thread, spread over about `seconds`."""
    pieces = [items[at : at + _PIECE] for at in range(0, len(items), _PIECE)]
    began = time.monotonic()

    def send() -> None:
        for number, piece in enumerate(pieces):
            time.sleep(max(0.0, began + seconds * number / len(pieces) - time.monotonic()))
            crew.send(piece)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


def storm(
    crew: Crew, tale: Tale, chance: random.Random, strike: Callable[[], Any], *, times: int, every_seconds: float
) -> None:
    """Strike `times` times at random moments while events flow; then let the rest be processed."""
    flowing = flow(crew, tale.items, times * every_seconds)
    for _ in range(times):
        until = time.monotonic() + every_seconds * chance.uniform(0.3, 1.7)
        crew.wait_until(lambda until=until: time.monotonic() > until, "the next stroke", 10 * every_seconds)
        strike()
    crew.wait_until(lambda: not flowing.is_alive(), "everything is sent", 180)
    crew.finish(240)


def judge(crew: Crew, tale: Tale, *, resent: bool = False) -> None:
    """Nothing lost, nothing counted twice, no finding doubled, for a reader of committed records.

    `resent`: what was in flight when a broker died may be in the log twice, garbage too.
    """
    found = collect(crew.log)
    assert read_counts(found.states) == tale.truth
    compare(found, tale.expected)
    letters = Counter(letter.data for letter in read_stream(crew.log, Stream.DEAD_LETTERS))
    garbage = Counter(item for item in tale.items if isinstance(item, bytes))
    if resent:
        assert letters.keys() == garbage.keys()
        assert not garbage - letters
    else:
        assert letters == garbage
