"""The providers as the follower's loop sees them: who is free, who answered, who does not come back."""

import time
from collections.abc import Iterator, Mapping
from queue import Empty, SimpleQueue

from qml_daemon.following.doors import OpenDoor
from qml_daemon.following.lane import Answer, Answers, Lane
from qml_daemon.following.tally import ProviderTally
from qml_producers.following.jobs import Key
from qml_producers.observing.door import Asked

OPENING_SECONDS = 120.0
"""What an SDK may take to be imported on a slow machine."""
MOST_ABANDONED = 3


class Providers:
    """One lane a provider, begun when it is first needed. Used from one thread; `wake` from any.

    Args:
        doors: How to open each provider's door.
        timeout_seconds: What a door was asked to keep within.

    """

    def __init__(self, doors: Mapping[str, OpenDoor], timeout_seconds: float) -> None:
        self.tallies = {name: ProviderTally() for name in doors}
        self._doors = doors
        self._limit = max(3 * timeout_seconds, OPENING_SECONDS)
        self._answers: Answers = SimpleQueue()
        self._lanes: dict[str, Lane] = {}

    def is_free(self, name: str) -> bool:
        """Return whether a provider may be asked now."""
        lane = self._lanes.get(name)
        return self.tallies[name].abandoned <= MOST_ABANDONED and (lane is None or lane.busy_since is None)

    def is_quiet(self) -> bool:
        """Return whether no answer is awaited."""
        return all(lane.busy_since is None for lane in self._lanes.values())

    def open(self, name: str) -> None:
        """Have a door opened before there is a job."""
        self._lane(name).open()

    def ask(self, name: str, key: Key, asked: Asked) -> None:
        """Ask a free provider for a job. Never blocks."""
        self._lane(name).ask(key, asked)

    def wait(self, seconds: float) -> Iterator[Answer]:
        """Wait for an answer at most so long, then yield all that are there."""
        try:
            answer = self._answers.get(timeout=seconds) if seconds > 0 else self._answers.get_nowait()
            while True:
                if answer is not None and self._lanes.get(answer.lane.provider) is answer.lane:
                    answer.lane.rest()
                    yield answer
                answer = self._answers.get_nowait()
        except Empty:
            return

    def wake(self) -> None:
        """End a `wait`. From any thread and from a signal handler."""
        self._answers.put(None)

    def abandon(self, at: float) -> Iterator[tuple[str, Key | None, str]]:
        """Give up the threads of doors that do not return; yield the provider, the job and the reason of each.

        The next question opens a door anew, three times; then the provider is closed until the next start.
        """
        for name, lane in list(self._lanes.items()):
            if lane.busy_since is None or at - lane.busy_since <= self._limit:
                continue
            del self._lanes[name]
            lane.close()
            tally = self.tallies[name]
            tally.abandoned += 1
            if tally.abandoned > MOST_ABANDONED:
                tally.closed = "its calls do not return; start the follower again"
            yield name, lane.key, f"the call did not return within {self._limit:.0f} s"

    def close(self, seconds: float) -> None:
        """End all threads; one that does not return within `seconds` ends with the process."""
        deadline = time.monotonic() + seconds
        for lane in self._lanes.values():
            lane.close()
        for lane in self._lanes.values():
            lane.close(max(0.0, deadline - time.monotonic()))

    def _lane(self, name: str) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(name, self._doors[name], self._answers)
        return lane
