"""One provider's door in a thread of its own: a provider that blocks or fails holds nobody else up."""

import contextlib
import threading
import time
from queue import SimpleQueue

from msgspec import Struct

from qml_daemon.following.doors import OpenDoor
from qml_producers.following.jobs import Key
from qml_producers.observing.door import Asked, Door, Sight


class Answer(Struct, frozen=True):
    """What came of one question: a sight, or the error. `key` is None where only the door was to be opened."""

    lane: "Lane"
    key: Key | None
    sight: Sight | None
    error: Exception | None


Answers = SimpleQueue[Answer | None]
"""Where lanes put their answers; None only wakes the reader."""


class Lane:
    """Asks one question at a time. `ask` from one thread."""

    def __init__(self, provider: str, open_door: OpenDoor, answers: Answers) -> None:
        self.provider = provider
        self.busy_since: float | None = None
        self.key: Key | None = None
        self._open_door = open_door
        self._answers = answers
        self._questions: SimpleQueue[tuple[Key, Asked] | tuple[None, None] | None] = SimpleQueue()
        self._door: Door | None = None
        self._thread = threading.Thread(target=self._work, name=f"qml-follow-{provider}", daemon=True)
        self._thread.start()

    def open(self) -> None:
        """Have the door opened, before there is a job."""
        self.busy_since, self.key = time.monotonic(), None
        self._questions.put((None, None))

    def ask(self, key: Key, asked: Asked) -> None:
        """Have the provider asked for a job; the answer comes by the queue. Never blocks."""
        self.busy_since, self.key = time.monotonic(), key
        self._questions.put((key, asked))

    def rest(self) -> None:
        """Note that the answer was taken."""
        self.busy_since = self.key = None

    def close(self, seconds: float = 0.0) -> None:
        """Let the thread end after what it does now; waits for it at most so long."""
        self._questions.put(None)
        self._thread.join(seconds)

    def _work(self) -> None:
        while (question := self._questions.get()) is not None:
            self._answers.put(self._answer(*question))
        if self._door is not None:
            with contextlib.suppress(Exception):  # the process ends, or this lane was given up: nobody is to be told
                self._door.close()

    def _answer(self, key: Key | None, asked: Asked | None) -> Answer:
        try:
            if self._door is None:
                self._door = self._open_door()
            return Answer(self, key, None if asked is None else self._door.look(asked), None)
        except Exception as error:  # noqa: BLE001 - an SDK raises what it likes; counted, shown and tried again
            return Answer(self, key, None, error)
