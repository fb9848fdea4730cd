"""What the SDK says to a person: single lines on stderr, few of them, never an exception."""

import contextlib
import re
import sys
import time

NOTICE_SECONDS = 20.0
_NUMBER = re.compile(r"\d+")


def say(text: str) -> None:
    """Write one line to stderr; a closed or broken stderr is no reason to fail. May block on stderr."""
    with contextlib.suppress(Exception):  # nobody is left to tell; the counters in `stats()` stay
        sys.stderr.write("quantum-mlops: " + " ".join(text.split())[:1000] + "\n")


def describe(error: BaseException) -> str:
    """Return kind and message of an exception in at most 300 characters, whatever its `__str__` does."""
    try:
        return f"{type(error).__name__}: {error}"[:300]
    except Exception:  # noqa: BLE001 - a user's own __str__; the kind says enough
        return type(error).__name__


class Notices:
    """Says each topic once, or a running topic at most every 20 s. Thread-safe enough: a race says a line twice."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}
        self._each: dict[str, set[str]] = {}

    def once(self, topic: str, text: str) -> None:
        """Say it if this topic was never said; at most 100 topics."""
        if topic not in self._said and len(self._said) < 100:  # noqa: PLR2004 - as the docstring says
            self._said[topic] = time.monotonic()
            say(text)

    def each(self, topic: str, text: str) -> None:
        """Say it if it was never said of this topic with other numbers; at most 8 of a topic: a text may hold ids."""
        said = self._each.setdefault(topic, set())
        alike = _NUMBER.sub("0", text)
        if alike not in said and len(said) < 8:  # noqa: PLR2004 - as the docstring says
            said.add(alike)
            say(text)

    def again(self, topic: str, text: str) -> None:
        """Say it if this topic was not said within the last 20 s."""
        now = time.monotonic()
        if now - self._said.get(topic, float("-inf")) >= NOTICE_SECONDS:
            self._said[topic] = now
            say(text)
